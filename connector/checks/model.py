"""AWS's model as the mapping was last checked with, in a file beside the mapping, and what has changed since then.

The file belongs into git. Only ``record_model`` writes it, when a person says so: a record that renewed itself would
never have anything to tell.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from connector import yamlfile
from connector.adapters.partner_central.model import mapping_shapes, model_version
from connector.core.drift import ModelRecord, drift, shapes_of, table_of
from connector.core.findings import Finding, Severity
from connector.core.mapping import CompiledMapping, Reading, join, read_as_far_as_possible
from connector.errors import UserError
from connector.mapping_files import Files, shown_path, transforms

_KIND = "drift"
_COMMAND = "`connector check --record-model`"


def record_path(files: Files) -> Path:
    """Where the record of a mapping lies: ``opportunity.model.json`` beside ``opportunity.yaml``, its first file."""
    first = files if isinstance(files, Path) else files[0]
    return first.with_suffix(".model.json")


def installed_model() -> ModelRecord:
    """What a mapping is held against today."""
    return ModelRecord(model_version(), table_of(mapping_shapes()))


def record_model(files: Files) -> Path:
    """Write down the installed model as the one that this mapping was checked with. Gives the file.

    The file is replaced as a whole or not at all. Raises UserError where it cannot be written.
    """
    path = record_path(files)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text_of(installed_model()), encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        reason = error.strerror or error
        cure = "Copy the mapping into a folder of your own, or ask for the right to write there."
        raise UserError(f"{shown_path(path)} cannot be written: {reason}.", cure) from error
    return path


def text_of(record: ModelRecord) -> str:
    """The content of the file: one value a line, always in the same order, so that git shows what AWS has changed."""
    return json.dumps(record.to_json(), indent=1, ensure_ascii=False) + "\n"


def check_model(files: Files, mapping: CompiledMapping | None) -> tuple[Finding, ...]:
    """What has changed in AWS's model since it was recorded beside the mapping.

    ``mapping`` is None where it cannot be used today. Then it is read as of the record, as far as possible: what was
    right with that model is told with the change that made it wrong.
    """
    path = record_path(files)
    shown = shown_path(path)
    try:
        before = ModelRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        message = f"{shown_path(files)} is told what a newer botocore changes once you run {_COMMAND}."
        return (Finding(Severity.NOTE, _KIND, message),)
    except (OSError, ValueError, RecursionError) as error:
        return (_damaged(shown, error),)
    now = installed_model()
    if before.table == now.table:
        return (Finding(Severity.NOTE, _KIND, _nothing_new(before.version, now.version), file=shown),)
    summary = Finding(Severity.NOTE, _KIND, *_differs(before.version, now.version, shown), file=shown)
    found = drift(before, now, mapping) if mapping is not None else _drift_as_of(before, now, files)
    return (*found, summary)


def _drift_as_of(before: ModelRecord, now: ModelRecord, files: Files) -> list[Finding]:
    """The drift of a mapping that has mistakes today: only of what had none with the model of the record."""
    reading = _reading_as_of(before, files)
    if reading is None or reading.mapping is None or reading.damage.is_total:
        return [_untold(shown_path(files))]
    found = drift(before, now, reading.mapping)
    return [one for one in found if not one.aws_path or not reading.damage.concerns(one.aws_path)]


def _reading_as_of(record: ModelRecord, files: Files) -> Reading | None:
    paths = (files,) if isinstance(files, Path) else files
    try:
        document = join([yamlfile.read(path, shown_path(path)) for path in paths])
    except UserError:  # told by who reads the mapping for its own sake
        return None
    return read_as_far_as_possible(document, shapes_of(record.table), transforms())


def _untold(shown: str) -> Finding:
    message = "What the changes of AWS's model mean for this mapping is told once its other mistakes are corrected."
    return Finding(Severity.NOTE, _KIND, message, file=shown)


def _damaged(shown: str, error: Exception) -> Finding:
    line, column, reason = 0, 0, str(error)
    if isinstance(error, json.JSONDecodeError):
        line, column, reason = error.lineno, error.colno, error.msg
    elif isinstance(error, OSError):
        reason = error.strerror or reason
    message = f"The record of AWS's model cannot be read: {reason}."
    cure = f"Restore it from git, or write it anew with {_COMMAND}."
    return Finding(Severity.ERROR, _KIND, message, cure, file=shown, line=line, column=column)


def _nothing_new(before: str, now: str) -> str:
    if before == now:
        return f"AWS's model is the recorded one (botocore {now})."
    return f"Nothing that a mapping is held against has changed between botocore {before} and {now}."


def _differs(before: str, now: str, shown: str) -> tuple[str, str]:
    message = f"AWS's model has changed between botocore {before}, which is recorded, and {now}, which is installed."
    return message, f"Once the mapping is right, run {_COMMAND} and commit {shown}."
