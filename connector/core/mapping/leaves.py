"""Reads one leaf of a mapping file: where a value comes from and what is done to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from connector.core import schema
from connector.core.mapping.complaints import Complaints, Keys, meant_by
from connector.core.mapping.nodes import NOTHING, Leaf, Owner, Step, When
from connector.core.paths import Path, PathError, Template, parse_path, parse_template
from connector.core.schema import Shape, suggest
from connector.core.text import to_text
from connector.core.transforms import Transform, TransformError

LEAF_KEYS: Mapping[str, str] = {
    "from": "a field path, or a list of them: the first that is not empty. The short form `Title: Name` is "
    "`Title: {from: Name}`",
    "like": "in invitations only: the AWS path of a leaf of the opportunity, whose value stands in where `from` is "
    "empty",
    "value": "a constant",
    "template": "text with `{Field.Path}` in it; `{{` and `}}` are braces. Nothing when all of its fields are empty",
    "transform": "one of the transforms below, or a list of them, applied in order",
    "values": "Salesforce value: AWS value. Applied after the transforms, to each item of a list; letter case does not "
    "matter",
    "otherwise": "for a value that `values` lacks; without it such a value is a problem of the record",
    "default": "for an empty field, or where a transform leaves nothing. There is no other default: nothing is "
    "invented",
    "when": "sent only if this holds, see below",
    "owner": "who decides where both sides changed. `salesforce` (default): its value goes to AWS. `aws`: sent at "
    "creation, then AWS's value is kept, and an edit in Salesforce changes nothing there",
}
"""What may be said of a leaf, and what it means; docs/mapping.md has these words."""
_SAYING = ("from", "value", "template")
_TESTS = ("is", "is_not", "in", "not_in", "present", "empty")


@dataclass(slots=True)
class LeafReader:
    """Turns the YAML of a leaf into a Leaf; what it cannot read becomes a complaint.

    ``within`` is the child relationship whose rows the leaf is read from. ``references`` are the AWS paths of other
    leaves that were named, and where. ``likeable`` are the opportunity's leaves that ``like`` may name, by AWS path;
    None outside of invitations, where it may not be said; ``is_doubtful`` tells of an AWS path whether a mistake that
    is told already is why no leaf has it. ``read`` are the leaves so far that nobody complained of, with their places.
    """

    complaints: Complaints
    transforms: Mapping[str, Transform]
    within: str = ""
    references: list[tuple[str, Keys]] = field(default_factory=list)
    likeable: Mapping[str, Leaf] | None = None
    is_doubtful: Callable[[str], bool] | None = None
    read: list[tuple[Leaf, Keys]] = field(default_factory=list)

    def leaf(self, value: Any, shape: Shape, keys: Keys, path: str) -> Leaf | None:
        """The leaf at ``keys``, for the AWS path and shape given. None when it cannot be used."""
        if isinstance(value, str):
            value = {"from": value}
        if not isinstance(value, dict):
            cure = f"Write a field path, or {{value: {value}}} for a constant."
            self.complaints.add(keys, f"{value!r} is not a leaf.", cure)
            return None
        before = len(self.complaints.found)
        self._check_keys(value, keys, path)
        sources, like = self.sources(value.get("from"), (*keys, "from")), self._like(value, (*keys, "like"))
        template = self._template(value, keys)
        paths = [*sources, *(template.paths if template else ())]
        self._check_fixed(value, shape, keys, path)
        self._check_children(paths, keys)
        leaf = Leaf(
            path=path,
            origin=self.complaints.origin(keys, (*self._labels(paths), *(like.origin.fields if like else ()))),
            shape=shape,
            sources=sources,
            template=template,
            constant=value.get("value"),
            values=self.values_of(value, keys),
            otherwise=value.get("otherwise"),
            default=value.get("default"),
            steps=self.steps_of(value, keys),
            when=self._when(value, keys),
            owner=self._owner(value, keys, path),
            like=like,
        )
        self.note(leaf, keys, before)
        return leaf

    def note(self, leaf: Leaf, keys: Keys, before: int) -> None:
        """Keep a leaf if there are as many complaints as ``before`` it was read."""
        if len(self.complaints.found) == before:
            self.read.append((leaf, keys))

    def _labels(self, paths: list[Path]) -> tuple[str, ...]:
        """What a person calls these paths; below an ``each`` they begin with the relationship."""
        prefix = f"{self.within}." if self.within else ""
        return tuple(prefix + label for path in paths for label in path.labels)

    def _check_keys(self, value: dict[str, Any], keys: Keys, path: str) -> None:
        unknown = [name for name in value if name not in LEAF_KEYS]
        for name in unknown:
            self.complaints.add_unknown((*keys, name), f"{name!r} is not known at the leaf {path}.", LEAF_KEYS)
        given = [name for name in _SAYING if value.get(name) not in NOTHING]
        if not given and "like" not in value and not _says_it_wrongly(unknown, value):
            message = f"{path} has none of from, value and template."
            self.complaints.add_missing(keys, message, "Add one of them, e.g. from: Account.Name.")
        elif len(given) > 1:
            self.complaints.add(keys, f"{path} has {' and '.join(given)}, one of them is enough.", "Keep one.")
        if "otherwise" in value and "values" not in value:
            self.complaints.add(
                (*keys, "otherwise"), "otherwise needs values beside it.", "Use default for an empty field."
            )
        if "value" in value and len(given) < 2:
            for name in ("like", "values", "otherwise", "default", "transform"):
                if name in value:
                    self.complaints.add((*keys, name), f"{name} has no effect on a constant.", "Remove it.")

    def _check_children(self, paths: list[Path], keys: Keys) -> None:
        children = [relationship for path in paths for relationship, _ in path.children]
        if self.within and children:
            message = f"{children[0]} are children of a child, which Salesforce does not give."
            self.complaints.add(keys, message, "Read a field of the child, or of a record it looks up to.")

    def sources(self, given: Any, keys: Keys) -> tuple[Path, ...]:
        """The paths at ``keys``, of which the first that is not empty counts."""
        texts = given if isinstance(given, list) else [] if given in NOTHING else [given]
        found = []
        for index, text in enumerate(texts):
            at = (*keys, index) if isinstance(given, list) else keys
            try:
                found.append(parse_path(str(text)))
            except PathError as error:
                self.complaints.add(at, str(error), "Write e.g. Account.Name.")
        return tuple(found)

    def _like(self, value: dict[str, Any], keys: Keys) -> Leaf | None:
        """The leaf of the opportunity that ``like`` names."""
        if "like" not in value:
            return None
        path = str(value["like"] or "")
        if self.likeable is None:
            cure = "Name the field itself with from."
            self.complaints.add(keys, "like is for invitations: it takes over what the opportunity sends.", cure)
        elif path not in self.likeable and self.is_doubtful is not None and self.is_doubtful(path):
            self.complaints.doubts.append(keys)
        elif path not in self.likeable:
            cure = suggest(path, tuple(self.likeable)) or "Name an AWS path such as Customer.Account.CompanyName."
            message = f"No leaf of the opportunity in this mapping has the AWS path {path!r}."
            self.complaints.add(keys, message, cure)
        return None if self.likeable is None else self.likeable.get(path)

    def _template(self, value: dict[str, Any], keys: Keys) -> Template | None:
        if value.get("template") is None:
            return None
        try:
            return parse_template(str(value["template"]))
        except PathError as error:
            self.complaints.add((*keys, "template"), str(error), 'Write e.g. "{Name} for {Account.Name}".')
            return None

    def values_of(self, value: dict[str, Any], keys: Keys) -> Mapping[str, Any] | None:
        """What ``values`` translates, by Salesforce value; None where the leaf has none."""
        given = value.get("values")
        if given is None:
            return None
        if not isinstance(given, dict):
            message = "values has lines of `Salesforce value: AWS value`."
            self.complaints.add((*keys, "values"), message, "Write e.g. {New Customer: Net New Business}.")
            return None
        return {to_text(name): found for name, found in given.items()}

    def _owner(self, value: dict[str, Any], keys: Keys, path: str) -> Owner:
        given = value.get("owner", "salesforce")
        if "owner" in value and "[" in path:
            self.complaints.add(
                (*keys, "owner"), "A list has one owner, Salesforce; owner has no effect.", "Remove it."
            )
        if given not in get_args(Owner):
            self.complaints.add((*keys, "owner"), f"The owner {given!r} is not known.", "Use salesforce or aws.")
        return "aws" if given == "aws" else "salesforce"

    def steps_of(self, value: dict[str, Any], keys: Keys) -> tuple[Step, ...]:
        """The transforms of a leaf, in order."""
        given = value.get("transform")
        chain = given if isinstance(given, list) else [] if given is None else [given]
        found = []
        for index, entry in enumerate(chain):
            at = (*keys, "transform", index) if isinstance(given, list) else (*keys, "transform")
            step = self._step(entry, at)
            if step is not None:
                found.append(step)
        return tuple(found)

    def _step(self, entry: Any, keys: Keys) -> Step | None:
        if isinstance(entry, list) or (isinstance(entry, dict) and len(entry) != 1):
            cure = "Write a list of transforms: [trim, {truncate: 80}]."
            self.complaints.add(keys, "One transform has one name.", cure)
            return None
        (name, argument), *_ = entry.items() if isinstance(entry, dict) else [(entry, None)]
        transform = self.transforms.get(str(name))
        if transform is None:
            cure = suggest(str(name), list(self.transforms)) or f"Known: {', '.join(sorted(self.transforms))}."
            self.complaints.add(keys, f"There is no transform {name!r}.", cure)
            return None
        try:
            arguments = transform.bind(argument)
        except TransformError as error:
            self.complaints.add(keys, error.message, error.cure)
            return None
        kinds = {argument.name: argument.kind for argument in transform.arguments}
        paths = tuple(n for n, v in arguments.items() if kinds.get(n) == "aws_path" and isinstance(v, str))
        self.references += [(arguments[n], (*keys, name, n)) for n in paths]
        return Step(transform, arguments, paths)

    def _when(self, value: dict[str, Any], keys: Keys) -> When | None:
        given, at = value.get("when"), (*keys, "when")
        if given is None:
            return None
        tests = [name for name in _TESTS if isinstance(given, dict) and name in given]
        places = [name for name in ("path", "field") if isinstance(given, dict) and given.get(name)]
        unknown = [n for n in given if n not in (*_TESTS, "path", "field")] if isinstance(given, dict) else []
        if not isinstance(given, dict) or len(tests) != 1 or len(places) != 1 or unknown:
            cure = "Write e.g. `when: {path: Customer.Account.Address.CountryCode, is: US}`."
            self.complaints.add(at, "when needs a path or a field, and one of " + ", ".join(_TESTS) + ".", cure)
            return None
        test, wanted = tests[0], given[tests[0]]
        given_texts = map(to_text, wanted if isinstance(wanted, list) else [wanted])
        texts = {text.casefold(): text for text in given_texts}
        if test in {"present", "empty"} and wanted is False:
            test = "empty" if test == "present" else "present"
        elif wanted in NOTHING:
            cure = "Give a value, or test for an empty one with `empty: true`."
            self.complaints.add((*at, test), f"{test} compares with nothing.", cure)
        return self._placed_when(given, places[0], test, texts, at)

    def _placed_when(
        self, given: dict[str, Any], place: str, test: Any, texts: dict[str, str], at: Keys
    ) -> When | None:
        if place == "path":
            self.references.append((str(given["path"]), (*at, "path")))
            return When(str(given["path"]), None, test, texts)
        try:
            return When("", parse_path(str(given["field"])), test, texts)
        except PathError as error:
            self.complaints.add((*at, "field"), str(error), "Write a field path.")
            return None

    def _check_fixed(self, value: dict[str, Any], shape: Shape, keys: Keys, path: str) -> None:
        """Constants, defaults and value lists are held against AWS's model now, not at two in the morning."""
        for name in ("value",) if "value" in value else ("default", "otherwise"):
            if value.get(name) is not None:
                self._check_constant(value[name], shape, (*keys, name), path, is_whole=name != "otherwise")
        values = value.get("values")
        if isinstance(values, dict) and "value" not in value:
            for name, found in values.items():
                if found is not None:
                    self._check_constant(found, shape, (*keys, "values", name), path, is_whole=False)

    def _check_constant(self, constant: Any, shape: Shape, keys: Keys, path: str, *, is_whole: bool) -> None:
        """``is_whole``: of a list it is the list itself, not one of its items."""
        target = shape
        if shape.kind == "list" and not isinstance(constant, list) and shape.item is not None:
            if is_whole:
                self.complaints.add(keys, f"{path} is a list at AWS.", f"Write [{constant}].")
                return
            target = shape.item
        if target.kind == "string" and not isinstance(constant, str) and not isinstance(constant, list | dict | bool):
            constant = to_text(constant)
        for problem in schema.check(constant, target, path):
            self.complaints.add(keys, f"{path}: {problem.message}", problem.cure)


def _says_it_wrongly(unknown: Sequence[str], value: Mapping[str, Any]) -> bool:
    """Whether an unknown name stands for what the leaf lacks: a misspelt ``from``, or members that only AWS knows."""
    meant = meant_by(unknown, value, LEAF_KEYS)
    return not meant.isdisjoint((*_SAYING, "like")) if meant else bool(unknown)
