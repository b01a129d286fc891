"""Running SOQL for an API session: pages, locators and the shape of results.

Child rows count towards a page. A locator remembers which rows matched and reads their fields when a page
is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connector.sandbox.salesforce.binding import bind
from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.plan import Children, Plan, View, render
from connector.sandbox.salesforce.store import Row

if TYPE_CHECKING:
    from connector.sandbox.salesforce.org import Org

PAGE = 2_000
MIN_PAGE = 200
LOCATOR_LIFETIME = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The matches of a query still being read. `page` is the number of rows a page may hold."""

    plan: Plan
    view: View
    rows: tuple[str, ...]
    page: int
    expires: datetime


def run_query(org: Org, text: str, *, base: str, page: int = PAGE, all_rows: bool = False) -> dict[str, Any]:
    """The first page of a SOQL text. `base` is the versioned root of urls; `page` is cut to 200..2000."""
    view = View(org.store, org.permissions, all_rows)
    plan = bind(text, org.schema, view, org.now().date())
    rows = view.run(plan)
    if plan.is_count:
        return {"totalSize": len(rows), "done": True, "records": []}
    return _Pages(org, base, max(MIN_PAGE, min(PAGE, page))).open(plan, view, rows)


def read_more(org: Org, locator: str, *, base: str) -> dict[str, Any]:
    """The page of a `nextRecordsUrl`; QueryError INVALID_QUERY_LOCATOR for one unknown or two days old."""
    name, _, offset = locator.partition("-")
    cursor = org.cursors.get(name)
    if cursor is None or cursor.expires <= org.now() or not offset.isdigit() or int(offset) > len(cursor.rows):
        raise QueryError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return _Pages(org, base, cursor.page).read(cursor, name, int(offset))


class _Pages:
    def __init__(self, org: Org, base: str, page: int) -> None:
        self.org = org
        self.base = base
        self.page = page

    def open(self, plan: Plan, view: View, rows: list[Row]) -> dict[str, Any]:
        expires = self.org.now() + LOCATOR_LIFETIME
        cursor = Cursor(plan, view, tuple(row["Id"] for row in rows), self.page, expires)
        return self.read(cursor, None, 0)

    def read(self, cursor: Cursor, locator: str | None, offset: int) -> dict[str, Any]:
        records: list[dict[str, Any]] = []
        room = self.page
        table = self.org.store.table(cursor.plan.kind.name).rows
        place = offset
        while place < len(cursor.rows) and room > 0:
            row = table.get(cursor.rows[place])
            record, size = self._render(cursor, row) if row is not None else (None, 0)
            if size > room and records:
                break
            if record is not None:
                records.append(record)
            room -= size
            place += 1
        out: dict[str, Any] = {"totalSize": len(cursor.rows), "done": place >= len(cursor.rows)}
        if not out["done"]:
            out["nextRecordsUrl"] = f"{self.base}/query/{locator or self._keep(cursor)}-{place}"
        return {**out, "records": records}

    def _keep(self, cursor: Cursor) -> str:
        now, cursors = self.org.now(), self.org.cursors
        for stale in [name for name, one in cursors.items() if one.expires <= now]:
            del cursors[stale]
        locator = self.org.store.next_id("0r8")
        cursors[locator] = cursor
        return locator

    def _render(self, cursor: Cursor, row: Row) -> tuple[dict[str, Any], int]:
        """A record with its children, and how many rows it takes of the page."""
        plan, size = cursor.plan, 1
        record = render(plan.columns, plan.kind.name, row, cursor.view, self.base)
        for column in plan.columns:
            if isinstance(column, Children):
                rows = cursor.view.find_children(column, row["Id"])
                record[column.key] = self.open(column.plan, cursor.view, rows) if rows else None
                size += len(rows)
        return record, size
