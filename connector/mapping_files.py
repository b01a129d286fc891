"""Mapping files on disk: read, joined, compiled against AWS's model with every transform that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import (
    CompiledMapping,
    Document,
    Reading,
    check_identity,
    compile_mapping,
    join,
    read_as_far_as_possible,
    run_cases,
)
from connector.core.model import fingerprint
from connector.core.transforms import TRANSFORMS, Transform
from connector.errors import FileProblem, MappingError, UserError
from connector.resources import packaged


def transforms() -> Mapping[str, Transform]:
    """Our own transforms and those of installed packages (entry-point group ``connector.transforms``)."""
    found = dict(TRANSFORMS)
    for entry in entry_points(group="connector.transforms"):
        added = entry.load()
        for transform in added if isinstance(added, list | tuple) else [added]:
            if not isinstance(transform, Transform):
                raise UserError(f"The entry point {entry.name} of connector.transforms gives no Transform.")
            found[transform.name] = transform
    return found


Files: TypeAlias = Path | tuple[Path, ...]
"""One file, or several that make up one mapping."""


def read_mapping(files: Files, shown_as: str | None = None) -> tuple[CompiledMapping | None, tuple[FileProblem, ...]]:
    """Compile a mapping and run its cases. Gives it (None when unusable) and every problem.

    ``shown_as`` is what a single file is called in them; several are called as ``shown_path`` says.
    """
    mapping, problems = compile_mapping(_read_files(files, shown_as), mapping_shapes(), transforms())
    return mapping, problems if mapping is None else run_cases(mapping)


def examine(files: Files, shown_as: str | None = None) -> tuple[Document, Reading]:
    """Read a mapping as far as possible, faulty or not, for those who look at it and do not apply it."""
    document = _read_files(files, shown_path(files) if shown_as is None else shown_as)
    return document, read_as_far_as_possible(document, mapping_shapes(), transforms())


def load_mapping(files: Files, shown_as: str | None = None) -> CompiledMapping:
    """Compile a mapping. Raises MappingError with every problem; cases are left to ``check``."""
    document = _read_files(files, shown_as)
    mapping, problems = compile_mapping(document, mapping_shapes(), transforms())
    unknown = check_identity(document, mapping) if mapping is not None else None
    if unknown is not None:
        mapping, problems = None, (unknown,)
    if mapping is None:
        raise MappingError(f"The mapping has {len(problems)} problem{'s' * (len(problems) != 1)}.", problems=problems)
    return mapping


@dataclass(frozen=True, slots=True)
class Compiled:
    """A mapping, and what tells this version of its files from another."""

    mapping: CompiledMapping
    digest: str


def compile_mappings(files: Mapping[str, tuple[Path, ...]]) -> dict[str, Compiled]:
    """The mappings by the names they are wanted under; those of the same files are one.

    Raises MappingError with all problems of all files at once.
    """
    made: dict[tuple[Path, ...], Compiled] = {}
    problems: list[FileProblem] = []
    for paths in dict.fromkeys(files.values()):
        try:
            made[paths] = _compile(paths)
        except MappingError as error:
            problems += error.problems
    if problems:
        found = tuple(sorted(set(problems)))
        raise MappingError(f"The mapping has {len(found)} problem{'s' * (len(found) != 1)}.", problems=found)
    return {name: made[paths] for name, paths in files.items()}


def _compile(files: tuple[Path, ...]) -> Compiled:
    """Somebody may be editing: what was compiled and what its digest is of must be the same version."""
    while True:
        before = ""
        with suppress(OSError, ValueError):  # what cannot be read is told better by whoever loads it
            before = digest_of(files)
        compiled = Compiled(load_mapping(files, shown_path(files)), digest_of(files))
        if compiled.digest == before:
            return compiled


def _read_files(files: Files, shown_as: str | None) -> Document:
    paths = (files,) if isinstance(files, Path) else files
    if len(paths) == 1:
        return yamlfile.read(paths[0], shown_as)
    return join([yamlfile.read(path, shown_path(path)) for path in paths])


def digest_of(files: tuple[Path, ...]) -> str:
    """Tells one version of a mapping from another; of a single file it is what it always was."""
    texts = [path.read_text(encoding="utf-8") for path in files]
    return fingerprint(texts[0] if len(texts) == 1 else texts)


def shown_path(files: Files) -> str:
    """A path as people write it: relative to the working directory where it lies below it, else shipped ones short.

    Several are written one after the other.
    """
    if not isinstance(files, Path):
        return ", ".join(map(shown_path, files))
    path = files
    for root in (Path.cwd(), packaged("mappings").parent):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return str(path)
