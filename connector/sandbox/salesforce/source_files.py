"""A source-format project on disk, read into components: one XML document each, known by its place.

Knows which file belongs where and whether the manifest names what is there; what a document may say is known to
`source_fields`, `source_objects` and `source_access`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
_KINDS = {
    "field": ("CustomField", "fields"),
    "object": ("CustomObject", ""),
    "listView": ("ListView", "listViews"),
    "permissionset": ("PermissionSet", "permissionsets"),
    "customPermission": ("CustomPermission", "customPermissions"),
}
_MANIFEST = "manifest/package.xml"


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """Why a component cannot be deployed."""

    component: str
    message: str

    def __str__(self) -> str:
        return f"{self.component}: {self.message}"


class DeployError(ValueError):
    """The project was refused as a whole; `refusals` holds every reason."""

    def __init__(self, refusals: list[Refusal]) -> None:
        super().__init__("\n".join(map(str, refusals)))
        self.refusals = tuple(refusals)


@dataclass(frozen=True, slots=True)
class Component:
    """One document. `parent` is the object a field or list view belongs to, "" of all others."""

    kind: str
    parent: str
    name: str
    root: ET.Element

    @property
    def member(self) -> str:
        """What a manifest calls it."""
        return f"{self.parent}.{self.name}" if self.parent else self.name

    def names(self) -> list[str]:
        """The names of the elements, as often as they occur."""
        return [bare(one) for one in self.root]

    def text(self, name: str) -> str | None:
        """The text of an element, None where there is none."""
        return text_of(self.root, name)

    def all(self, name: str) -> list[ET.Element]:
        return self.root.findall(f"{NAMESPACE}{name}")

    def refuse(self, message: str) -> Refusal:
        return Refusal(f"{self.kind} {self.member}", message)


@dataclass(frozen=True, slots=True)
class Project:
    """What lies in a project's folder, in the order of its paths."""

    components: tuple[Component, ...]

    def of_kind(self, kind: str) -> list[Component]:
        return [one for one in self.components if one.kind == kind]


def names_in(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def bare(element: ET.Element) -> str:
    """An element's name without its namespace; with it where that is another one."""
    return element.tag.removeprefix(NAMESPACE)


def text_of(element: ET.Element, name: str) -> str | None:
    found = element.find(f"{NAMESPACE}{name}")
    return None if found is None else (found.text or "")


def read_project(directory: Path) -> Project:
    """Reads every component below the project's package folders; DeployError where any cannot be read, or where the
    manifest names others."""
    refusals: list[Refusal] = []
    try:
        settings = json.loads((directory / "sfdx-project.json").read_text(encoding="utf-8"))
        folders = [str(one["path"]) for one in settings["packageDirectories"]]
        version = str(settings["sourceApiVersion"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeployError([Refusal("sfdx-project.json", f"cannot be read: {error!r}")]) from error
    found = []
    for folder in folders:
        for path in sorted((directory / folder).rglob("*-meta.xml")):
            component = _read(path, refusals)
            found += [component] if component is not None else []
    refusals += _check_manifest(directory / _MANIFEST, found, version)
    if refusals:
        raise DeployError(sorted(refusals))
    return Project(tuple(found))


def _read(path: Path, refusals: list[Refusal]) -> Component | None:
    name, _, ending = path.name.removesuffix("-meta.xml").rpartition(".")
    kind, folder = _KINDS.get(ending, ("", ""))
    is_placed = path.parent.name == (folder or name)
    if not kind or not is_placed:
        refusals.append(Refusal(path.name, "Could not infer a metadata type from the name and folder of the file."))
        return None
    try:
        root = ET.parse(path).getroot()  # noqa: S314 (files of our own making)
    except ET.ParseError as error:
        refusals.append(Refusal(path.name, f"is not well-formed: {error}"))
        return None
    if root.tag != f"{NAMESPACE}{kind}":
        refusals.append(Refusal(path.name, f"the document is a {bare(root)}, not a {kind}"))
        return None
    parent = path.parent.parent.name if folder in {"fields", "listViews"} else ""
    return Component(kind, parent, name, root)


def _check_manifest(path: Path, found: list[Component], version: str) -> Iterator[Refusal]:
    try:
        root = ET.parse(path).getroot()  # noqa: S314 (files of our own making)
    except (OSError, ET.ParseError) as error:
        yield Refusal("package.xml", f"cannot be read: {error}")
        return
    if text_of(root, "version") != version:
        yield Refusal("package.xml", f"version {text_of(root, 'version')} is not the project's {version}")
    named = {
        (text_of(types, "name") or "", member.text or "")
        for types in root.findall(f"{NAMESPACE}types")
        for member in types.findall(f"{NAMESPACE}members")
    }
    there = {(one.kind, one.member) for one in found}
    for kind, member in sorted(named - there):
        yield Refusal("package.xml", f"no source-backed component is {kind} {member}")
    for kind, member in sorted(there - named):
        yield Refusal("package.xml", f"{kind} {member} is not named")
