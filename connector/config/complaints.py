"""Turns pydantic's errors into sentences for people, each with its key's path. Values are never shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from connector.config.kinds import suggestion
from connector.config.models import ConfigFile, Section
from connector.yamlfile import Steps


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong at a path of config.yaml: its value, its absence, or that it is there at all."""

    path: Steps
    message: str
    cure: str
    about: Literal["value", "absence", "presence"] = "value"


def to_complaints(error: ValidationError, tree: Any, shown: Callable[[Steps], Steps]) -> Iterator[Complaint]:
    """One complaint for each error; ``tree`` is what was validated, ``shown`` how a path is called in its own file."""
    for details in error.errors(include_url=False, include_input=False):
        path, parent = resolve(details["loc"], tree)
        kind = details["type"]
        if kind.startswith("union_tag"):
            path = (*path, "method")
        message, cure = EXPLANATIONS.get(kind, explain_otherwise)(details, path, parent)
        yield Complaint(path, f"{name_of(shown(path))} {message}", cure, ABOUT.get(kind, "value"))


def name_of(path: Steps) -> str:
    return ".".join(map(str, path)) or "The file"


def resolve(loc: tuple[int | str, ...], tree: Any) -> tuple[Steps, Any]:
    """An error's location as a path of the file, without pydantic's own steps; and what holds it."""
    path: list[str | int] = []
    parent, value = None, tree
    for index, step in enumerate(loc):
        if isinstance(value, dict) and step in value:
            parent, value = value, value[step]
            path.append(step)
        elif index == len(loc) - 1 and isinstance(value, dict) and step != "[key]":
            parent = value
            path.append(step)
    return tuple(path), parent


def sections_at(path: Steps) -> list[type[Section]]:
    """The models that may stand at a path: one, or one for each auth method, or none."""
    kind: Any = ConfigFile
    for step in path:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
            continue
        known = next((section.model_fields.get(str(step)) for section in sections_in(kind)), None)
        kind = known.annotation if known else None
    return sections_in(kind)


def sections_in(kind: Any) -> list[type[Section]]:
    return [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Section)]


def listed(words: list[str], link: str) -> str:
    """``a, b and c``."""
    return f"{', '.join(words[:-1])} {link} {words[-1]}"


def section_for(path: Steps, mapping: Any) -> type[Section] | None:
    """The model of the mapping at a path; of several auth methods, the one that the mapping names."""
    sections = sections_at(path)
    method = mapping.get("method") if isinstance(mapping, dict) else None
    named = sections if len(sections) == 1 else [one for one in sections if method_of(one) == method]
    return named[0] if named else None


def method_of(section: type[Section]) -> str:
    return str(get_args(section.model_fields["method"].annotation)[0])


Explanation = Callable[[ErrorDetails, Steps, Any], tuple[str, str]]


def explain_own(details: ErrorDetails, _path: Steps, _parent: Any) -> tuple[str, str]:
    """An error of ``connector.config.kinds``, which brings its sentence."""
    return details["ctx"]["sentence"], details["ctx"]["cure"]


def explain_missing(_details: ErrorDetails, path: Steps, parent: Any) -> tuple[str, str]:
    if isinstance(parent, dict) and path[-1] in parent:
        return "is empty.", "Give it a value."
    section = section_for(path[:-1], parent)
    if section is None or len(sections_at(path[:-1])) == 1:
        return "is missing.", f"Add {path[-1]}."
    required = [name for name, known in section.model_fields.items() if known.is_required()]
    needed = listed([name for name in required if name != "method"], "and")
    return f"is missing: {parent['method']} needs {needed}.", f"Add {path[-1]}."


def explain_unknown(_details: ErrorDetails, path: Steps, parent: Any) -> tuple[str, str]:
    key = str(path[-1])
    section = section_for(path[:-1], parent)
    known = list(section.model_fields) if section else []
    if any(key in other.model_fields for other in sections_at(path[:-1])):
        return f"does not belong to method {parent['method']}.", "Remove it, or choose another method."
    return "is not a key of config.yaml.", suggestion(key, known) or f"Known here: {', '.join(known)}."


def explain_method(_details: ErrorDetails, path: Steps, parent: Any) -> tuple[str, str]:
    methods = [method_of(one) for one in sections_at(path[:-1])]
    auth = parent.get(path[-2]) if isinstance(parent, dict) else None
    method = auth.get("method") if isinstance(auth, dict) else None
    choice = listed(methods, "or")
    if method in {None, ""}:
        return "is missing.", f"Write {choice}."
    return f"must be {choice}.", suggestion(str(method), methods) or "Write one of them."


def explain_section(_details: ErrorDetails, path: Steps, parent: Any) -> tuple[str, str]:
    value = parent.get(path[-1]) if isinstance(parent, dict) and path else None
    if path and value is None:
        return "is empty.", "Write its keys below it, indented."
    if isinstance(value, str) and re.match(r"\w+:\S", value):
        return "must have keys below it.", "Put a space after the colon."
    return "must have keys below it.", "Write `key: value` lines, indented."


def explain_text(_details: ErrorDetails, path: Steps, parent: Any) -> tuple[str, str]:
    value = parent.get(path[-1]) if isinstance(parent, dict) else None
    if isinstance(value, (dict, list)):
        return "must be text.", "Write one value."
    return "must be text.", "Put it in quotes."


def explain_name(_details: ErrorDetails, _path: Steps, _parent: Any) -> tuple[str, str]:
    rule = "Use up to 63 of a-z, 0-9, _ and -, beginning with a letter or digit."
    return "cannot be the name of a connection.", rule


def explain_bound(details: ErrorDetails, _path: Steps, _parent: Any) -> tuple[str, str]:
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    name, bound = next(iter(details["ctx"].items()))
    return f"must be {words[name]} {bound}.", "Write a number within the limit."


def explain_otherwise(_details: ErrorDetails, _path: Steps, _parent: Any) -> tuple[str, str]:
    return "has a value that cannot be used.", "Compare it with config.example.yaml."


def always(message: str, cure: str) -> Explanation:
    return lambda _details, _path, _parent: (message, cure)


EMPTY = always("is empty.", "Give it a value.")
WHOLE = always("must be a whole number.", "Write a number such as 8.")
NUMBER = always("must be a number.", "Write a number such as 0.25.")
TRUTH = always("must be true or false.", "Write true or false.")

ABOUT: dict[str, Literal["value", "absence", "presence"]] = {
    "missing": "absence",
    "union_tag_not_found": "absence",
    "model_type": "absence",
    "dict_type": "absence",
    "too_short": "absence",
    "extra_forbidden": "presence",
}

EXPLANATIONS: dict[str, Explanation] = {
    "connector": explain_own,
    "missing": explain_missing,
    "extra_forbidden": explain_unknown,
    "union_tag_invalid": explain_method,
    "union_tag_not_found": explain_method,
    "model_type": explain_section,
    "model_attributes_type": explain_section,
    "dict_type": explain_section,
    "too_short": always("names no connection.", "Add one, as in config.example.yaml."),
    "tuple_type": always("must be a list.", "Write it as [one, another]."),
    "string_type": explain_text,
    "string_too_short": EMPTY,
    "string_pattern_mismatch": explain_name,
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": NUMBER,
    "bool_type": TRUTH,
    "bool_parsing": TRUTH,
    "greater_than": explain_bound,
    "greater_than_equal": explain_bound,
    "less_than": explain_bound,
    "less_than_equal": explain_bound,
}
