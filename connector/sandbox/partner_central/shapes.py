"""Validation of requests, and of what AWS's side is made to say, against the model of the installed botocore.

It checks what the model declares and nothing else: business rules are in `rules`. A null member counts as
absent and an unknown one is ignored, because raw HTTP callers send both and the service accepts both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import regex
from botocore.loaders import Loader

from connector.sandbox.partner_central.errors import Problem, missing
from connector.sandbox.partner_central.instants import from_wire

# Some of the model's patterns backtrack for ever on text they do not match.
PATTERN_SECONDS = 1.0

Shape = Mapping[str, Any]


@cache
def load_model() -> Shape:
    """The newest service-2 model of Partner Central Selling that botocore has."""
    model: Shape = Loader().load_service_model("partnercentral-selling", "service-2")
    return model


class RequestModel:
    """The operations' input shapes: `check` tells a body's problems, `clean` drops what is not declared."""

    def __init__(self) -> None:
        self._model = load_model()
        self._shapes: Mapping[str, Shape] = self._model["shapes"]
        self._checks: dict[str, Callable[[str, Shape, Any, str], Iterator[Problem]]] = {
            "structure": self._check_structure,
            "list": self._check_list,
            "map": self._check_map,
            "string": _check_string,
            "integer": _check_integer,
            "timestamp": _check_timestamp,
        }

    def errors_of(self, operation: str) -> frozenset[str]:
        """The exceptions that the model declares for an operation."""
        return frozenset(error["shape"] for error in self._model["operations"][operation]["errors"])

    def check(self, operation: str, body: Any) -> list[Problem]:
        """Every violation of the model in a request body."""
        return list(self._check(self._input(operation), body, ""))

    def check_answer(self, operation: str, answer: Any) -> list[Problem]:
        """Every violation of the model in what an operation answers, members it does not declare included."""
        name: str = self._model["operations"][operation]["output"]["shape"]
        return [*self._check(name, answer, ""), *self._find_undeclared(name, answer, "")]

    def clean(self, operation: str, body: Any) -> dict[str, Any]:
        """The declared, non-null members of a body."""
        cleaned: dict[str, Any] = self._clean(self._input(operation), body)
        return cleaned

    def _input(self, operation: str) -> str:
        name: str = self._model["operations"][operation]["input"]["shape"]
        return name

    def _check(self, name: str, value: Any, path: str) -> Iterator[Problem]:
        shape = self._shapes[name]
        return self._checks[shape["type"]](name, shape, value, path)

    def _check_structure(self, _name: str, shape: Shape, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _wrong_type(path, "a structure")
            return
        given = {key for key, member in value.items() if member is not None and key in shape["members"]}
        if shape.get("union") and len(given) != 1:
            yield _union_problem(path, len(given))
        for key in shape.get("required", ()):
            if key not in given:
                yield missing(_join(path, key))
        for key, member in shape["members"].items():
            if key in given:
                yield from self._check(member["shape"], value[key], _join(path, key))

    def _check_list(self, _name: str, shape: Shape, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield _wrong_type(path, "a list")
            return
        if len(value) < shape.get("min", 0):
            yield Problem(path, "NOT_ENOUGH_VALUES", f"{path} must have at least {shape['min']} values")
        if len(value) > shape.get("max", len(value)):
            yield Problem(path, "TOO_MANY_VALUES", f"{path} must have at most {shape['max']} values")
        for item in value:
            yield from self._check(shape["member"]["shape"], item, path)

    def _check_map(self, _name: str, shape: Shape, value: Any, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _wrong_type(path, "a map")
            return
        if len(value) > shape.get("max", len(value)):
            yield Problem(path, "TOO_MANY_VALUES", f"{path} must have at most {shape['max']} values")
        for key, item in value.items():
            yield from self._check(shape["key"]["shape"], key, path)
            yield from self._check(shape["value"]["shape"], item, path)

    def _find_undeclared(self, name: str, value: Any, path: str) -> Iterator[Problem]:
        shape = self._shapes[name]
        if shape["type"] == "list" and isinstance(value, list):
            for item in value:
                yield from self._find_undeclared(shape["member"]["shape"], item, path)
        if shape["type"] != "structure" or not isinstance(value, dict):
            return
        for key, item in value.items():
            inner = _join(path, key)
            if key not in shape["members"]:
                yield Problem(inner, "INVALID_VALUE", f"{inner} is not a member of {name}")
            else:
                yield from self._find_undeclared(shape["members"][key]["shape"], item, inner)

    def _clean(self, name: str, value: Any) -> Any:
        shape = self._shapes[name]
        if shape["type"] == "list":
            return [self._clean(shape["member"]["shape"], item) for item in value]
        if shape["type"] != "structure":
            return value
        return {
            key: self._clean(member["shape"], value[key])
            for key, member in shape["members"].items()
            if value.get(key) is not None
        }


def _join(path: str, key: str) -> str:
    lowered = key[:1].lower() + key[1:]
    return f"{path}.{lowered}" if path else lowered


def _wrong_type(path: str, expected: str) -> Problem:
    return Problem(path, "INVALID_VALUE", f"{path or 'request'} must be {expected}")


def _union_problem(path: str, count: int) -> Problem:
    code = "TOO_MANY_VALUES" if count else "REQUIRED_FIELD_MISSING"
    return Problem(path, code, f"{path} must have exactly one of its members set")


def _check_string(name: str, shape: Shape, value: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield _wrong_type(path, "a string")
    elif "enum" in shape and value not in shape["enum"]:
        yield Problem(path, "INVALID_ENUM_VALUE", f"{path} must be one of {', '.join(shape['enum'])}")
    elif not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)) or not _is_matching(shape, value):
        yield Problem(path, "INVALID_STRING_FORMAT", f"{path} does not have the format of {name}")


def _is_matching(shape: Shape, value: str) -> bool:
    if "pattern" not in shape:
        return True
    try:
        return _compiled(shape["pattern"]).fullmatch(value, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return False


@cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    return regex.compile(pattern)


def _check_integer(_name: str, shape: Shape, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield _wrong_type(path, "an integer")
    elif not shape.get("min", value) <= value <= shape.get("max", value):
        yield Problem(path, "VALUE_OUT_OF_RANGE", f"{path} must be between {shape.get('min')} and {shape.get('max')}")


def _check_timestamp(_name: str, _shape: Shape, value: Any, path: str) -> Iterator[Problem]:
    try:
        from_wire(value)
    except (TypeError, ValueError, OverflowError, OSError):
        yield Problem(path, "INVALID_STRING_FORMAT", f"{path} must be an ISO 8601 timestamp")
