"""Sends to the sandbox's Partner Central what the connector would, or refuses to, and tells what AWS says to it.

The sandbox judges by tables of its own. Over HTTP, or in the same process where thousands of calls are made.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from connector.core.mapping import CompiledMapping
from connector.core.mapping.evaluation import EMPTY, Failure, Pass, rows_of
from connector.core.mapping.nodes import Each, Leaf, Node, Struct, leaves_of
from connector.core.model import Association, Mapped, Problem, Structure
from connector.core.text import to_text
from connector.sandbox.partner_central.errors import ServiceError
from connector.sandbox.partner_central.service import DEFAULT_ACCOUNT, PartnerCentral

CATALOG = "Sandbox"
FAILED_LEAF = ("transform", "path")
"""Codes of problems that leave a leaf out: what would have been sent is what stands in Salesforce."""

Ask = Callable[[str, Structure], Structure]
"""(operation, body) → answer. Raises Refused."""


class Refused(Exception):
    """AWS says no: the fields it names, lower camel and without indices, and its words."""

    def __init__(self, fields: tuple[str, ...], words: str) -> None:
        super().__init__(words)
        self.fields = fields
        self.words = words


@dataclass(frozen=True, slots=True)
class Refusal:
    """What AWS refused, at which step: the operation, and the fields it named."""

    operation: str
    fields: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent for one record."""

    opportunity: Structure
    associations: tuple[Association, ...]
    submission: Structure | None


def in_process(service: PartnerCentral) -> Ask:
    """Asks the service itself, with bodies as JSON carries them."""

    def ask(operation: str, body: Structure) -> Structure:
        try:
            answer: Structure = service.perform(operation, DEFAULT_ACCOUNT, json.loads(json.dumps(body))).render()
        except ServiceError as error:
            raise _refused(error.members.get("ErrorList", ()), str(error)) from error
        return answer

    return ask


def over_http(url: str, ca_bundle: str) -> Ask:
    """Asks with boto3, which is told not to judge anything itself."""
    client = boto3.client(
        "partnercentral-selling",
        region_name="us-east-1",
        endpoint_url=url,
        verify=ca_bundle,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )

    def ask(operation: str, body: Structure) -> Structure:
        method = getattr(client, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            answer: Structure = method(**body)
        except ClientError as error:
            raise _refused(error.response.get("ErrorList", ()), str(error)) from error
        return answer

    return ask


def _refused(entries: Any, words: str) -> Refused:
    said = "; ".join(f"{entry['Code']} {entry.get('FieldName', '')}: {entry['Message']}" for entry in entries)
    return Refused(tuple(entry.get("FieldName", "") for entry in entries), said or words)


_TOKENS = count(1)
_PART = re.compile(r"[A-Z_]+(?: (?P<field>[A-Za-z.]+))?:")


def send(ask: Ask, parcel: Parcel) -> list[Refusal]:
    """Create, associate, submit. What AWS refuses; a refused create ends it."""
    body = {"Catalog": CATALOG, "ClientToken": f"create-{next(_TOKENS)}", **parcel.opportunity}
    try:
        identifier = ask("CreateOpportunity", body)["Id"]
    except Refused as error:
        return [Refusal("CreateOpportunity", error.fields, error.words)]
    refusals = [refusal for one in parcel.associations if (refusal := _associate(ask, identifier, one)) is not None]
    if parcel.submission is not None:
        refusals += _submit(ask, identifier, parcel.submission)
    return refusals


def _associate(ask: Ask, identifier: str, one: Association) -> Refusal | None:
    operation = "AssociateOpportunity"
    body = {"Catalog": CATALOG, "OpportunityIdentifier": identifier, "RelatedEntityType": one.entity_type}
    try:
        ask(operation, {**body, "RelatedEntityIdentifier": one.identifier})
    except Refused as error:
        return Refusal(operation, (f"relatedEntityIdentifiers.{_lowered(one.entity_type)}",), error.words)
    return None


def _submit(ask: Ask, identifier: str, submission: Structure) -> Iterator[Refusal]:
    operation = "StartEngagementFromOpportunityTask"
    body = {"Catalog": CATALOG, "ClientToken": f"start-{next(_TOKENS)}", "Identifier": identifier}
    try:
        task = ask(operation, {**body, "AwsSubmission": submission})
    except Refused as error:
        yield Refusal(operation, error.fields, error.words)
        return
    if task["TaskStatus"] != "COMPLETE":
        parts = [_PART.match(part) for part in task["Message"].split(";")]
        yield Refusal(operation, tuple((part and part["field"]) or "" for part in parts), task["Message"])


def named(refusals: list[Refusal]) -> set[str]:
    """Every field that AWS named, and the one that is meant where it names another."""
    fields = {name for refusal in refusals for name in refusal.fields}
    return fields | {name for words, name in MEANT.items() if any(words in refusal.words for refusal in refusals)}


MEANT = {
    "Cannot set visibility to limited": "awsSubmission.visibility",
    "of national security needs support": "awsSubmission.involvementType",
}
"""What AWS says of the primary needs, by its words, is about the submission."""


def is_named(problem: Problem, fields: set[str]) -> bool:
    """Whether AWS named the very field, or what it is a part of, or a part of it."""
    path = plain(problem.path)
    return any(path == name or path.startswith(f"{name}.") or name.startswith(f"{path}.") for name in fields if name)


def plain(path: str) -> str:
    """``Customer.Contacts[0].Email`` as AWS names it: ``customer.contacts.email``."""
    return ".".join(map(_lowered, re.sub(r"\[\d*\]", "", path).split(".")))


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


# What would have been sent


def would_send(mapping: CompiledMapping, record: Structure, mapped: Mapped) -> Parcel:
    """The payload as it is mapped; where no value could be made, with the one that stands in Salesforce."""
    opportunity, submission = copy.deepcopy(mapped.opportunity), copy.deepcopy(mapped.submission)
    for problem in mapped.problems:
        if problem.code in FAILED_LEAF:
            raw = raw_value(mapping, record, problem.path)
            if problem.path.startswith("AwsSubmission."):
                submission = {**(submission or {}), problem.path.partition(".")[2]: raw}
            else:
                put(opportunity, problem.path, raw)
                _put_constants(opportunity, mapping, problem.path)
    return Parcel(opportunity, mapped.associations, submission)


def _put_constants(opportunity: Structure, mapping: CompiledMapping, path: str) -> None:
    """The constants beside a value, which are left out with it."""
    place, above = path.rpartition(".")[0], plain(path).rpartition(".")[0]
    for leaf in leaves_of(mapping.tree) if place else ():
        if leaf.constant is not None and plain(leaf.path).rpartition(".")[0] == above:
            put(opportunity, f"{place}.{leaf.path.rpartition('.')[2]}", leaf.constant)


def raw_value(mapping: CompiledMapping, record: Structure, path: str) -> Any:
    """What stands in the fields that a failed leaf reads; of several rows, of the first that fails."""
    pass_ = Pass(record)
    for leaf in mapping.leaves:
        pass_.known[leaf.path] = pass_.evaluate(leaf, record)
    for leaf, row in _read_at(mapping.tree, record, path):
        if isinstance(pass_.evaluate(leaf, row), Failure):
            return first_of(leaf, row)
    raise AssertionError(f"no leaf fails at {path}")


def first_of(leaf: Leaf, row: Structure) -> Any:
    """The first value that stands in its fields, as JSON carries it; EMPTY where there is none."""
    found = (source.read(row) for source in leaf.sources)
    return next((_as_json(value) for value in found if value not in (None, "")), EMPTY)


def _read_at(node: Node, record: Structure, path: str) -> Iterator[tuple[Leaf, Structure]]:
    wanted = plain(path)
    for each in _eaches(node):
        rows = rows_of(each, record)
        yield from ((leaf, row) for leaf in leaves_of(each) if plain(leaf.path) == wanted for row in rows)
    yield from ((leaf, record) for leaf in leaves_of(node) if plain(leaf.path) == wanted)


def _eaches(node: Node) -> Iterator[Each]:
    if isinstance(node, Each):
        yield node
    if isinstance(node, Struct):
        for member in node.members.values():
            yield from _eaches(member)


def _as_json(value: Any) -> Any:
    return to_text(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def put(body: Any, path: str, value: Any) -> None:
    """Sets the value at an AWS path, making what is missing on the way; EMPTY takes it away."""
    steps = re.findall(r"[^.\[\]]+", path)
    place = body
    for step, following in zip(steps, [*steps[1:], ""], strict=True):
        if isinstance(place, list):
            index = int(step)
            place += [{} for _ in range(index + 1 - len(place))]
            place = place[index]
        elif not following:
            place.pop(step, None) if value is EMPTY else place.update({step: value})
        else:
            place = place.setdefault(step, [] if following.isdigit() else {})


# Which of several problems AWS has too


@dataclass(slots=True)
class Talk:
    """Mends what AWS names, with what a complete record has there, until AWS has no more to say."""

    ask: Ask
    complete: Parcel
    said: list[Refusal] = field(default_factory=list)

    def unproven(self, parcel: Parcel, problems: tuple[Problem, ...]) -> list[Problem]:
        """The problems of a record of which AWS does not say a word."""
        left = list(problems)
        for _ in range(8):
            refusals = send(self.ask, parcel)
            self.said += refusals
            fields = named(refusals)
            left = [problem for problem in left if not is_named(problem, fields)]
            mended = _mended(parcel, fields, self.complete)
            if mended == parcel:  # a complete record has the same there: not beside what this one has
                mended = _mended(parcel, fields, Parcel({}, (), None))
            if not left or not refusals or mended == parcel:
                break
            parcel = mended
        return left


def _mended(parcel: Parcel, fields: set[str], complete: Parcel) -> Parcel:
    """The parcel with what the complete one has in these fields."""
    opportunity = copy.deepcopy(parcel.opportunity)
    associations, submission = parcel.associations, parcel.submission
    for name in fields:
        if name.startswith("relatedEntityIdentifiers."):
            kind = name.partition(".")[2].lower()
            kept = tuple(one for one in associations if one.entity_type.lower() != kind)
            associations = (*kept, *(one for one in complete.associations if one.entity_type.lower() == kind))
        elif name.startswith("awsSubmission"):
            submission = complete.submission
        elif name:
            mend(opportunity, complete.opportunity, name.split("."))
    return replace(parcel, opportunity=opportunity, associations=associations, submission=submission)


def mend(body: Structure, complete: Structure, steps: list[str]) -> None:
    """Puts what a complete body has at the steps of a field that AWS names, in place; a list as a whole."""
    name = steps[0][:1].upper() + steps[0][1:]
    mine, theirs = body.get(name), complete.get(name)
    if len(steps) > 1 and isinstance(theirs, dict) and isinstance(mine, dict | None):
        mend(body.setdefault(name, {}), theirs, steps[1:])
    elif theirs is None:
        body.pop(name, None)
    else:
        body[name] = copy.deepcopy(theirs)


def shown(record: Mapping[str, Any]) -> str:
    """A record as it is printed where a test fails."""
    return json.dumps(record, ensure_ascii=False, default=str, indent=1, sort_keys=True)
