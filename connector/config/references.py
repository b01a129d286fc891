"""Fills in ``${NAME}`` and ``${file:PATH}``. A problem names key and variable or path, never a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.errors import FileProblem
from connector.yamlfile import Document, Steps

REFERENCE = re.compile(r"\$\$|\$\{(?P<body>[^}]*)(?P<end>\}?)")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


STAND_INS = {
    "private_key": "-----BEGIN PRIVATE KEY-----",
    **dict.fromkeys(("login_url", "instance_url", "audience", "endpoint_url", "proxy"), "https://unset.example"),
    "database": None,
    "organization_id": None,
    "role_arn": "arn:aws:iam::111122223333:role/unset",
}
"""What stands, by key, for a value that is not there; ``unset`` for others. Nobody may connect with these."""


class UnusableReferenceError(Exception):
    """A reference that gives nothing; ``sentence`` continues after the key's name.

    ``absent``: it is written well, and what it names is not there on this machine.
    """

    def __init__(self, sentence: str, cure: str, *, absent: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cure = cure
        self.absent = absent


@dataclass(slots=True)
class References:
    """Fills in one document. ``failed``: the paths whose value could not be made.

    ``absent`` are the problems of references to what is not there on this machine; ``problems`` all others.
    ``forgiving``: a value that is absent is stood in for, so that the rest of the file can be read.
    """

    document: Document
    environment: Mapping[str, str]
    directory: Path
    forgiving: bool = False
    problems: list[FileProblem] = field(default_factory=list)
    absent: list[FileProblem] = field(default_factory=list)
    failed: set[Steps] = field(default_factory=set)

    def fill(self, value: Any, path: Steps = ()) -> Any:
        """The value with every reference in its texts replaced; a text that fails becomes None."""
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        return self._fill_text(value, path) if isinstance(value, str) else value

    def _fill_text(self, text: str, path: Steps) -> str | None:
        parts: list[str] = []
        for part in self._parts(text):
            if isinstance(part, str):
                parts.append(part)
                continue
            message = f"{'.'.join(map(str, path))} {part.sentence}"
            told = self.absent if part.absent else self.problems
            told.append(self.document.problem(path, message, part.cure))
            self.failed.add(path)
        if path not in self.failed:
            return "".join(parts)
        return STAND_INS.get(str(path[-1]), "unset") if self.forgiving and path else None

    def _parts(self, text: str) -> Iterator[str | UnusableReferenceError]:
        start = 0
        for match in REFERENCE.finditer(text):
            yield text[start : match.start()]
            start = match.end()
            try:
                yield self._resolve(match)
            except UnusableReferenceError as error:
                yield error
        yield text[start:]

    def _resolve(self, match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        body = match["body"]
        if not match["end"]:
            raise UnusableReferenceError("has ${ without a closing }.", "Close it, or write $$ for a dollar sign.")
        if body.startswith("file:"):
            return self._read(body.removeprefix("file:").strip())
        return self._variable(body)

    def _variable(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise UnusableReferenceError(
                "has ${…} with something else than a variable's name in it.",
                "Write ${NAME} or ${file:PATH}, or $$ for a dollar sign.",
            )
        if name not in self.environment:
            raise UnusableReferenceError(
                f"reads the environment variable {name}, which is not set.",
                f"Set {name} before you start.",
                absent=True,
            )
        return self.environment[name]

    def _read(self, name: str) -> str:
        try:
            return (self.directory / name).read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            reason = error.strerror or "it cannot be opened"
        except ValueError:  # not UTF-8, or a path that no file can have
            reason = "it is not text"
        raise UnusableReferenceError(
            f"reads the file {name}, which cannot be read: {reason}.",
            "Check the path and its permissions.",
            absent=True,
        )
