"""Single records and their objects, for a person who asks about one id. Reads only; no loop comes here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from connector.adapters.salesforce_http import Call, SalesforceHttp
from connector.adapters.salesforce_queries import Queries, Query, rows_of, unreadable
from connector.core.model import Structure
from connector.core.selection import Selection, record_query, states_query, to_id18

AT_MOST = 50
"""Records told of those that hang on another one."""


class Lookups:
    """Asks for one record at a time, whatever its flag. Safe for many threads."""

    def __init__(self, http: SalesforceHttp, queries: Queries) -> None:
        self._http = http
        self._queries = queries
        self._objects: Mapping[str, str] = {}

    def look_up(self, sobject: str, fields: Sequence[str], salesforce_id: str) -> Structure | None:
        """These fields of one record, also from the recycle bin; None where Salesforce shows none."""
        query = Query(record_query(sobject, fields, salesforce_id), with_deleted=True)
        (page,), _ = self._queries.ask("look up", [query])
        return next(iter(rows_of(page, "look up")), None)

    def object_of(self, salesforce_id: str) -> str:
        """The object by its key prefix, the first three characters, in which case counts; "" for none."""
        if not self._objects:
            answer = self._http.call(Call("objects", "sobjects")).body
            listed = answer.get("sobjects") if isinstance(answer, dict) else None
            if not isinstance(listed, list):
                raise unreadable("objects", writes=False)
            self._objects = {str(one["keyPrefix"]): str(one["name"]) for one in listed if one.get("keyPrefix")}
        return self._objects.get(salesforce_id[:3], "")

    def related(
        self,
        selection: Selection,
        sobject: str,
        salesforce_id: str,
        own_children: Iterable[tuple[str, str]],
        children: Iterable[tuple[str, str]],
    ) -> Mapping[str, str]:
        """The records that hang on one of another object, as name by id; see the port.

        ``own_children`` are the child objects of the selection's object, each with its lookup; ``children`` those of
        the other one.
        """
        up = sorted({lookup for child, lookup in own_children if child == sobject})
        down = sorted({lookup for child, lookup in children if child == selection.sobject})
        if up:
            row = self.look_up(sobject, up, salesforce_id) or {}
            ids = [str(row[lookup]) for lookup in up if row.get(lookup)]
            return self._names(Query(states_query(selection.sobject, ids), with_deleted=True)) if ids else {}
        return self._names(Query(selection.hanging_on(down, salesforce_id, AT_MOST))) if down else {}

    def _names(self, query: Query) -> Mapping[str, str]:
        (page,), _ = self._queries.ask("related", [query])
        return {to_id18(row["Id"]): str(row["Name"] or "") for row in rows_of(page, "related")}
