"""Which path is served by what: the one table of the REST API, for requests and parts of composite ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from connector.sandbox.salesforce.calls import Call, Reply, to_reply
from connector.sandbox.salesforce.faults import ApiError, RowError, missing_resource
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.resources import (
    batches,
    catalogue,
    composite,
    queries,
    replication,
    rows,
)

Handler = Callable[..., Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A path pattern, whose groups become arguments, and a handler for each method; `label` names it."""

    label: str
    pattern: re.Pattern[str]
    handlers: dict[str, Handler]


def _route(template: str, **handlers: Handler) -> Route:
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
    return Route(template, re.compile(pattern + "/?", re.IGNORECASE), handlers)


def _composite(org: Org, call: Call) -> Reply:
    return composite.run(org, call, dispatch)


ROUTES = (
    _route("", GET=catalogue.list_resources),
    _route("limits", GET=catalogue.show_limits),
    _route("limits/recordCount", GET=catalogue.count_records),
    _route("query", GET=queries.query),
    _route("queryAll", GET=queries.query_all),
    _route("query/{locator}", GET=queries.query_more),
    _route("composite", POST=_composite),
    _route("composite/sobjects", POST=batches.create, PATCH=batches.update, DELETE=batches.delete),
    _route("composite/sobjects/{name}", GET=batches.retrieve, POST=batches.retrieve),
    _route("sobjects", GET=catalogue.list_objects),
    _route("sobjects/{name}", GET=catalogue.show_object, POST=rows.create),
    _route("sobjects/{name}/describe", GET=catalogue.describe),
    _route("sobjects/{name}/updated", GET=replication.list_updated),
    _route("sobjects/{name}/deleted", GET=replication.list_deleted),
    _route("sobjects/{name}/{record_id}", GET=rows.read, PATCH=rows.update, DELETE=rows.delete),
    _route("sobjects/{name}/{field}/{value}", GET=rows.read_external, PATCH=rows.upsert),
)


def find_label(method: str, path: str) -> str:
    """The name of a call in the log: its method and the template of its path."""
    found = _find(path)
    return f"{method} {found[0].label}" if found else f"{method} ?"


def dispatch(org: Org, call: Call) -> Reply:
    """Carries one call out; refusals become replies, and what a refused call wrote is taken back."""
    with org.store.transaction() as transaction:
        try:
            return _handle(org, call)
        except (ApiError, RowError) as error:
            transaction.roll_back()
            return to_reply(error)


def _handle(org: Org, call: Call) -> Reply:
    found = _find(call.path)
    if found is None:
        raise missing_resource()
    route, arguments = found
    handler = route.handlers.get(call.method)
    if handler is None:
        allowed = ",".join(route.handlers)
        message = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
        raise ApiError(405, "METHOD_NOT_ALLOWED", message)
    return handler(org, call, **arguments)


def _find(path: str) -> tuple[Route, dict[str, str]] | None:
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found:
            return route, found.groupdict()
    return None
