"""Queries in few calls: up to five in one /composite, and the pages that follow each answer.

No query stands in a URL, where logs of proxies would keep it, unless Salesforce refuses it in a composite.
Nothing here knows what the rows are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

from connector.adapters.salesforce_errors import read_entries, to_error
from connector.adapters.salesforce_http import Answer, Call, SalesforceHttp
from connector.core.model import Structure
from connector.errors import Unavailable
from connector.ports import Clock

QUERIES_PER_CALL = 5

_NEXT_PAGE = re.compile(r"/services/data/v[\d.]+/((?:query|queryAll)/[A-Za-z0-9_-]+)")
_REFUSED_PART = {"NOT_FOUND", "METHOD_NOT_ALLOWED"}

T = TypeVar("T")


def in_parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in runs of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@dataclass(frozen=True, slots=True)
class Query:
    """One SOQL text; ``with_deleted`` asks queryAll, which also sees the recycle bin."""

    soql: str
    with_deleted: bool = False

    @property
    def resource(self) -> str:
        return "queryAll/" if self.with_deleted else "query/"


class Queries:
    """Asks queries and follows their pages. Safe for many threads."""

    def __init__(self, http: SalesforceHttp, api_version: str, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._groups_deleted = True
        self.base_path = f"/services/data/v{api_version}"

    def ask(self, label: str, queries: Sequence[Query]) -> tuple[list[Structure], datetime]:
        """The first page of each query, in order, and Salesforce's clock at the first call, else ours."""
        pages: list[Structure] = []
        told_at: datetime | None = None
        for part in in_parts(queries, QUERIES_PER_CALL):
            grouped = [query for query in part if self._groups_deleted or not query.with_deleted]
            answers, moment = self._ask_together(label, grouped) if grouped else ({}, None)
            told_at = told_at or moment
            pages += [answers.get(query) or self._ask_alone(label, query) for query in part]
        return pages, told_at or self._clock.now()

    def compose(self, label: str, parts: list[Structure], *, writes: bool) -> tuple[list[Structure], datetime | None]:
        """The answers to up to 25 independent subrequests, in order, and Salesforce's clock if told."""
        numbered = [{**part, "referenceId": f"part{number}"} for number, part in enumerate(parts)]
        body = {"allOrNone": False, "collateSubrequests": False, "compositeRequest": numbered}
        answer = self._http.call(Call(label, "composite", "POST", body=body, writes=writes))
        told = answer.body.get("compositeResponse") if isinstance(answer.body, dict) else None
        by_reference = {part.get("referenceId"): part for part in told or () if isinstance(part, dict)}
        answers = [by_reference.get(part["referenceId"], {}) for part in numbered]
        if not all(isinstance(part.get("httpStatusCode"), int) for part in answers):
            raise unreadable(label, writes=writes)
        return answers, _told_at(answer)

    def all_rows(self, page: Structure, label: str) -> list[Structure]:
        """The rows of this page and of all that follow."""
        return [row for rows in self.pages(page, label) for row in rows]

    def pages(self, page: Structure, label: str) -> Iterator[list[Structure]]:
        """The rows of this page, then of each following one, asked for when wanted."""
        yield rows_of(page, label)
        while not page.get("done", True):
            following = _NEXT_PAGE.fullmatch(str(page.get("nextRecordsUrl")))
            if following is None:
                raise unreadable(label, writes=False)
            page = self._http.call(Call("page", following[1])).body
            yield rows_of(page, label)

    def _ask_together(self, label: str, queries: Sequence[Query]) -> tuple[dict[Query, Structure], datetime | None]:
        """Up to five queries in one call, without those for deleted rows that Salesforce refuses here."""
        parts: list[Structure] = [
            {"method": "GET", "url": f"{self.base_path}/{query.resource}?q={quote(query.soql, safe='')}"}
            for query in queries
        ]
        answers, moment = self.compose(label, parts, writes=False)
        pages: dict[Query, Structure] = {}
        for query, answer in zip(queries, answers, strict=True):
            status, body = answer["httpStatusCode"], answer.get("body")
            if status < 300:
                rows_of(body, label)
                pages[query] = answer["body"]
            elif query.with_deleted and {entry.code for entry in read_entries(body)} & _REFUSED_PART:
                self._groups_deleted = False
            else:
                raise to_error(status, body, label=label, writes=False)
        return pages, moment

    def _ask_alone(self, label: str, query: Query) -> Structure:
        """One query in a call of its own: for deleted rows, where a composite does not take them."""
        page: Structure = self._http.call(Call(label, query.resource, params={"q": query.soql})).body
        rows_of(page, label)
        return page


def rows_of(page: Any, label: str) -> list[Structure]:
    """The rows of one page. Raises Unavailable when it is none."""
    rows = page.get("records") if isinstance(page, dict) else None
    if not isinstance(rows, list):
        raise unreadable(label, writes=False)
    return rows


def unreadable(label: str, *, writes: bool) -> Unavailable:
    """The error for an answer of another shape than the documented one."""
    message = f"Salesforce's answer does not have the documented form. ({label})"
    return Unavailable(message, delay=10, ambiguous=writes)


def _told_at(answer: Answer) -> datetime | None:
    """The Date header, in UTC."""
    try:
        return parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return None
