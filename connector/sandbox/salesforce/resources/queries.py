"""query, queryAll and the pages that follow."""

from __future__ import annotations

import re

from connector.sandbox.salesforce.calls import Call, Reply
from connector.sandbox.salesforce.faults import QueryError
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.query import PAGE, read_more, run_query

_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


def query(org: Org, call: Call) -> Reply:
    return _run(org, call, all_rows=False)


def query_all(org: Org, call: Call) -> Reply:
    return _run(org, call, all_rows=True)


def query_more(org: Org, call: Call, locator: str) -> Reply:
    return Reply(200, read_more(org, locator, base=call.base))


def _run(org: Org, call: Call, *, all_rows: bool) -> Reply:
    text = call.params.get("q")
    if text is None:
        raise QueryError("MALFORMED_QUERY", "A query string has to be specified")
    asked = _BATCH.search(call.headers.get("sforce-query-options", ""))
    page = int(asked[1]) if asked else PAGE
    return Reply(200, run_query(org, text, base=call.base, page=page, all_rows=all_rows))
