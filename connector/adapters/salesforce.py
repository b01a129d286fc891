"""The CRM as the connector's port sees it: polls, whole records, and batches of updates in few API calls.

Nothing here decides what to sync: what to read comes from the Selection, what to write from the caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from connector.adapters.salesforce_auth import SalesforceSettings
from connector.adapters.salesforce_errors import (
    Entry,
    MalformedCall,
    named_fields,
    read_entries,
    to_row_result,
)
from connector.adapters.salesforce_http import Answer, Call, SalesforceHttp
from connector.adapters.salesforce_lookups import Lookups
from connector.adapters.salesforce_queries import Queries, Query, in_parts, rows_of, unreadable
from connector.core.model import Structure
from connector.core.selection import NAME, Selection, is_id, states_query, to_id18
from connector.errors import AccessDenied, TemporaryError
from connector.ports import (
    ApiUsage,
    Changes,
    Clock,
    FieldInfo,
    KnownRow,
    Organization,
    RowResult,
    RowState,
    RowUpdate,
)

__all__ = ["SalesforceClient", "SalesforceSettings"]

_DECIMALS = {"currency", "double", "int", "percent"}
"""Types of which describe tells how many decimals are kept."""
_BARRED = {"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE"}
"""A field is missing, hidden or read-only for the integration user."""

SUBREQUESTS_PER_CALL = 25
ROWS_PER_CALL = 200
IDS_PER_QUERY = 150
DESCRIBE_SECONDS = 3600.0
DESCRIBE_AGAIN_SECONDS = 60.0
"""How long an older description serves on while no newer one can be had."""


@dataclass(frozen=True, slots=True)
class _Description:
    """What describe said and when (monotonic). ``children``: relationship → child object and its lookup."""

    fields: Mapping[str, FieldInfo]
    children: Mapping[str, tuple[str, str]]
    last_modified: str
    read_at: float


class SalesforceClient:
    """Implements ``ports.Salesforce``. Safe for many threads. Ids come back with 18 characters."""

    def __init__(self, settings: SalesforceSettings, *, clock: Clock) -> None:
        self._clock = clock
        self._http = SalesforceHttp(settings, clock=clock)
        self._queries = Queries(self._http, settings.api_version, clock)
        self._described: dict[str, _Description] = {}
        self._lookups = Lookups(self._http, self._queries)

    @property
    def spent_before(self) -> int:
        """API calls of earlier processes in the last 24 hours; for a day they count against our share."""
        return self._http.meter.spent_before

    @spent_before.setter
    def spent_before(self, count: int) -> None:
        self._http.meter.spent_before = count

    def recount(self, in_all: int) -> None:
        """Others called as well: ``in_all`` are the calls of the last 24 hours in the ledger, ours among them."""
        self._http.meter.recount(in_all)

    def usage(self) -> ApiUsage:
        return self._http.meter.usage()

    def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        self._http.close()

    def identify(self) -> Organization:
        pages, told_at = self._queries.ask("identify", [Query("SELECT Id, Name, IsSandbox FROM Organization")])
        for row in rows_of(pages[0], "identify"):
            return Organization(to_id18(row["Id"]), str(row["Name"]), bool(row["IsSandbox"]), told_at)
        raise AccessDenied("Salesforce hides its Organization record.", "Grant the integration user View Setup.")

    def describe(self, sobject: str) -> Mapping[str, FieldInfo]:
        """The object's fields by API name, as far as the integration user sees them; an hour old at most."""
        return self._description(sobject).fields

    def child(self, sobject: str, relationship: str) -> str:
        """The child object behind a child relationship. Raises AccessDenied where the integration user sees none."""
        return self._child(sobject, relationship)[0]

    def count(self, selection: Selection) -> int:
        """How many flagged records there are. Raises AccessDenied where Salesforce refuses the condition."""
        (page,), _ = self._queries.ask("count", [Query(selection.counted())])
        if not isinstance(page.get("totalSize"), int):
            raise unreadable("count", writes=False)
        return int(page["totalSize"])

    def changes(self, selection: Selection, since: datetime | None) -> Changes:
        """What changed since that instant of Salesforce's clock; ``since`` is used as it is, without overlap.

        The pages of ``flagged`` are asked for as they are consumed, and may raise what any call may raise.
        """
        before = self._clock.monotonic()
        with self._forgetting(selection.sobject):
            queries = self._poll_queries(selection, since)
            pages, told_at = self._queries.ask("changes", list(queries.values()))
        took = timedelta(seconds=self._clock.monotonic() - before)
        found = dict(zip(queries, pages, strict=True))
        flagged = self._record_pages(found.pop("flagged"), selection)
        known = self._changed(found.pop("known")) if "known" in found else ()
        return Changes(
            server_now=told_at - took,
            flagged=flagged,
            known=tuple(KnownRow(to_id18(row["Id"]), bool(row["IsDeleted"])) for row in known),
            touched=frozenset(to_id18(row["Id"]) for page in found.values() for row in self._changed(page)),
        )

    def fetch(self, selection: Selection, salesforce_ids: Sequence[str]) -> list[Structure]:
        """Whole flagged records among the ids. Raises ValueError for what is no id."""
        ids = list(dict.fromkeys(map(to_id18, salesforce_ids)))
        queries = [Query(selection.by_id(part)) for part in in_parts(ids, IDS_PER_QUERY)]
        with self._forgetting(selection.sobject):
            pages, _ = self._queries.ask("fetch", queries)
        chunks = (records for page in pages for records in self._record_pages(page, selection))
        return [record for records in chunks for record in records]

    def states(self, sobject: str, salesforce_ids: Sequence[str]) -> Mapping[str, RowState]:
        """Name and deletion by 18-character id. Raises ValueError for what is no id."""
        ids = list(dict.fromkeys(map(to_id18, salesforce_ids)))
        texts = [states_query(sobject, part) for part in in_parts(ids, IDS_PER_QUERY)]
        pages, _ = self._queries.ask("states", [Query(text, with_deleted=True) for text in texts])
        states = [_to_state(row) for page in pages for row in self._queries.all_rows(page, "states")]
        return {state.salesforce_id: state for state in states}

    def look_up(self, sobject: str, fields: Sequence[str], salesforce_id: str) -> Structure | None:
        """These fields of one record, nested as their paths; None where it does not exist or is invisible."""
        with self._forgetting(sobject):
            return self._lookups.look_up(sobject, fields, salesforce_id)

    def object_of(self, salesforce_id: str) -> str:
        """The object by its key prefix, the first three characters, in which case counts."""
        return self._lookups.object_of(salesforce_id)

    def related(self, selection: Selection, sobject: str, salesforce_id: str) -> Mapping[str, str]:
        """Name by id; see the port. Two calls at most, and one for each object that was not described yet."""
        own, others = self._description(selection.sobject).children, self._description(sobject).children
        return self._lookups.related(selection, sobject, salesforce_id, own.values(), others.values())

    def write(self, sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
        """Set fields, 200 rows a call, each row for itself.

        Raises Unavailable with ``ambiguous`` when it is unclear what was carried out: the same rows may be
        written again, for they set fixed values.
        """
        results: list[RowResult | None] = [_unwritable(row) for row in rows]
        waiting = [position for position, result in enumerate(results) if result is None]
        for positions in _without_repeats(rows, waiting):
            for part in in_parts(positions, ROWS_PER_CALL):
                answers = self._write_together(sobject, [rows[position] for position in part])
                for position, answer in zip(part, answers, strict=True):
                    results[position] = answer
        if any(result is not None and result.code in _BARRED for result in results):
            self._described.pop(sobject, None)
        return [result for result in results if result is not None]

    @contextmanager
    def _forgetting(self, sobject: str) -> Iterator[None]:
        """Let a refusal of names end what we believe of the object: its fields may just have been hidden."""
        try:
            yield
        except AccessDenied:
            self._described.pop(sobject, None)
            raise

    def _poll_queries(self, selection: Selection, since: datetime | None) -> dict[str, Query]:
        """The queries of one poll by name, "flagged" first; all but it and "known" find touched records."""
        if since is None:
            return {"flagged": Query(selection.records())}
        queries = {"flagged": Query(selection.changed_records(since))}
        if selection.linked_fields:
            queries["known"] = Query(selection.known_rows(since), with_deleted=True)
        if by_parents := selection.touched_by_parents(since):
            queries["parents"] = Query(by_parents)
        for relationship in sorted(selection.children):
            child, lookup = self._child(selection.sobject, relationship)
            queries[f"child {relationship}"] = Query(selection.touched_by_children(relationship, child, lookup, since))
        return queries

    def _changed(self, page: Structure) -> list[Structure]:
        return self._queries.all_rows(page, "changes")

    def _child(self, sobject: str, relationship: str) -> tuple[str, str]:
        """The child object and its lookup field behind a child relationship."""
        found = self._description(sobject).children.get(relationship.lower())
        if found is None:
            raise AccessDenied(
                f"Salesforce does not know, or hides, the child relationship {relationship} of {sobject}.",
                "Deploy it, grant it to the integration user in its permission set, or correct the mapping.",
            )
        return found

    def _description(self, sobject: str) -> _Description:
        if not NAME.fullmatch(sobject):
            raise ValueError(f"{sobject!r} is not the name of a Salesforce object")
        known = self._described.get(sobject)
        now = self._clock.monotonic()
        if known is not None and now - known.read_at < DESCRIBE_SECONDS:
            return known
        headers = {"If-Modified-Since": known.last_modified} if known and known.last_modified else {}
        path = f"sobjects/{sobject}/describe"
        try:
            answer = self._http.call(Call("describe", path, about=sobject, headers=headers))
        except TemporaryError:
            if known is None:
                raise
            self._described[sobject] = replace(known, read_at=now - DESCRIBE_SECONDS + DESCRIBE_AGAIN_SECONDS)
            return known
        if known is not None and answer.body is None:
            fresh = _Description(known.fields, known.children, known.last_modified, now)
        else:
            fresh = _to_description(answer, now)
        self._described[sobject] = fresh
        return fresh

    def _record_pages(self, page: Structure, selection: Selection) -> Iterator[list[Structure]]:
        children = {name.lower() for name in selection.children}
        for rows in self._queries.pages(page, "records"):
            yield [self._to_record(row, children) for row in rows]

    def _to_record(self, row: Structure, children: set[str]) -> Structure:
        """A row as the mapping's paths see it: no attributes, children as whole lists, none as []."""
        record: Structure = self._plain(row)
        return {name: [] if value is None and name.lower() in children else value for name, value in record.items()}

    def _plain(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "records" in value:
            return [self._plain(row) for row in self._queries.all_rows(value, "records")]
        return {name: self._plain(inner) for name, inner in value.items() if name != "attributes"}

    def _write_together(self, sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
        """Up to 200 rows in one call; their results have the same order, for a failed row may lack its id."""
        kind = {"attributes": {"type": sobject}}
        body = {
            "allOrNone": False,
            "records": [{**kind, "id": row.salesforce_id, **_to_json(row)} for row in rows],
        }
        call = Call("write", "composite/sobjects", "PATCH", about=sobject, body=body, writes=True)
        try:
            answer = self._http.call(call).body
        except MalformedCall as refusal:
            return self._write_others(sobject, rows, refusal.entries)
        if not isinstance(answer, list) or len(answer) != len(rows):
            raise unreadable("write", writes=True)
        return [_to_result(row, told) for row, told in zip(rows, answer, strict=True)]

    def _write_others(self, sobject: str, rows: Sequence[RowUpdate], entries: tuple[Entry, ...]) -> list[RowResult]:
        """The rows without a field that Salesforce refused the call for; where it named none, each row apart."""
        named = {name.lower() for entry in entries if entry.code in _BARRED for name in named_fields(entry)}
        barred = [any(name.lower() in named for name in row.fields) for row in rows]
        if not any(barred):
            return self._write_apart(sobject, rows)
        others = [row for row, is_barred in zip(rows, barred, strict=True) if not is_barred]
        written = iter(self._write_together(sobject, others) if others else [])
        return [
            to_row_result(row.salesforce_id, entries) if is_barred else next(written)
            for row, is_barred in zip(rows, barred, strict=True)
        ]

    def _write_apart(self, sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
        """One subrequest for each row, so that a value Salesforce cannot read harms its own row only."""
        some = list(in_parts(rows, SUBREQUESTS_PER_CALL))
        return [result for part in some for result in self._write_some_apart(sobject, part)]

    def _write_some_apart(self, sobject: str, rows: Sequence[RowUpdate]) -> list[RowResult]:
        parts: list[Structure] = [
            {
                "method": "PATCH",
                "url": f"{self._queries.base_path}/sobjects/{sobject}/{to_id18(row.salesforce_id)}",
                "body": _to_json(row),
            }
            for row in rows
        ]
        try:
            answers, _ = self._queries.compose("write", parts, writes=True)
        except MalformedCall as refusal:
            if len(rows) == 1:
                return [to_row_result(rows[0].salesforce_id, refusal.entries)]
            halves = (rows[: len(rows) // 2], rows[len(rows) // 2 :])
            return [result for half in halves for result in self._write_some_apart(sobject, half)]
        return [
            RowResult(row.salesforce_id)
            if answer["httpStatusCode"] < 300
            else to_row_result(row.salesforce_id, read_entries(answer.get("body")))
            for row, answer in zip(rows, answers, strict=True)
        ]


def _without_repeats(rows: Sequence[RowUpdate], positions: Sequence[int]) -> list[list[int]]:
    """Positions in groups in which no record occurs twice; a record's first update is in an earlier group."""
    groups: list[list[int]] = []
    seen: dict[str, int] = {}
    for position in positions:
        name = to_id18(rows[position].salesforce_id)
        group = seen[name] = seen.get(name, -1) + 1
        if group == len(groups):
            groups.append([])
        groups[group].append(position)
    return groups


def _unwritable(row: RowUpdate) -> RowResult | None:
    """The outcome of a row that needs or survives no call; None for all others."""
    if not is_id(row.salesforce_id):
        return RowResult(row.salesforce_id, "MALFORMED_ID", "This is not a Salesforce id.")
    wrong = tuple(name for name, value in row.fields.items() if not _is_scalar(value))
    if wrong:
        message = "Salesforce takes text, finite numbers, true and false only."
        return RowResult(row.salesforce_id, "INVALID_VALUE", message, wrong)
    return None if row.fields else RowResult(row.salesforce_id)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def _to_json(row: RowUpdate) -> Structure:
    return {name: _to_number(value) for name, value in row.fields.items()}


def _to_number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _to_result(row: RowUpdate, told: Any) -> RowResult:
    """One result of a collection: ``{"success": true}`` or ``{"success": false, "errors": […]}``."""
    answer = told if isinstance(told, dict) else {}
    if answer.get("success") is True:
        return RowResult(row.salesforce_id)
    return to_row_result(row.salesforce_id, read_entries(answer.get("errors")))


def _to_state(row: Structure) -> RowState:
    return RowState(to_id18(row["Id"]), str(row["Name"] or ""), bool(row["IsDeleted"]))


def _to_description(answer: Answer, now: float) -> _Description:
    body = answer.body
    if not isinstance(body, dict) or not isinstance(body.get("fields"), list):
        raise unreadable("describe", writes=False)
    fields = [_to_field(field) for field in body["fields"]]
    children = {
        child["relationshipName"].lower(): (child["childSObject"], child["field"])
        for child in body.get("childRelationships") or ()
        if child.get("relationshipName")
    }
    return _Description({field.name: field for field in fields}, children, answer.headers.get("Last-Modified", ""), now)


def _to_field(field: Structure) -> FieldInfo:
    return FieldInfo(
        name=field["name"],
        type=field["type"],
        length=int(field.get("length") or 0),
        updateable=bool(field.get("updateable")),
        picklist=tuple(value["value"] for value in field.get("picklistValues") or () if value.get("active")),
        scale=int(field.get("scale") or 0) if field["type"] in _DECIMALS else None,
        restricted=bool(field.get("restrictedPicklist")),
        filterable=bool(field.get("filterable", True)),
        calculated=bool(field.get("calculated")),
        html=bool(field.get("htmlFormatted")),
        relationship_name=str(field.get("relationshipName") or ""),
        reference_to=tuple(field.get("referenceTo") or ()),
        dependent=bool(field.get("dependentPicklist")),
    )
