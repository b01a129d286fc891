"""One deal's whole story, and what a person may ask for it: that it is tried again, and that it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector import report
from connector.core.identifiers import Kind, read_identifier
from connector.core.model import Structure, fingerprint
from connector.errors import ConnectorError, MappingError, TemporaryError
from connector.report.making import made_by, making_of
from connector.report.waiting import Cause
from connector.sync import asks
from connector.web.access import Visitor, visitor_of
from connector.web.page.deals import Choice
from connector.web.page.desk import Desk, Form, NotThere
from connector.web.page.rendering import answer, is_part

CONSOLE = "https://console.aws.amazon.com/partnercentral/home"
"""Where Partner Central is; AWS documents no address of a single opportunity, and shows none of the Sandbox."""
TRAIL = 200
"""Entries of the audit trail that a page has, the newest."""
MOST_AT_ONCE = 5_000
"""Deals that one press of a button tries again."""
COUNTED_IN = 5.0
"""Seconds that a button waits for the first count of what it is about: another process may have shown it."""
_SAID: Mapping[str, str] = {
    "retry": "It is tried again: the connector reads the record and goes on with it within seconds.",
    "resync": "It is read from Salesforce now; what has changed goes to AWS at once.",
}
"""What a button did, by the word that its answer's address has."""


def deal(desk: Desk, request: Request, _: Form) -> Response:
    """The whole story."""
    name, salesforce_id = str(request.path_params["connection"]), str(request.path_params["salesforce_id"])
    connection, app = desk.connection(name), desk.app
    story = report.show(app, salesforce_id, name)
    if story is None:
        raise NotThere(f"Connection {name} knows no deal {salesforce_id[:40]}.", "Search for it by name.")
    summary = story["aws"] or {}
    return answer(
        request,
        "deal_live.html" if is_part(request) else "deal.html",
        story={**story, "values": _with_steps(desk, story)},
        said=_SAID.get(request.query_params.get("done", ""), ""),
        record_href=f"{connection.salesforce.login_url}/{story['salesforce_id']}",
        aws_href=CONSOLE if story["catalog"] == "AWS" and story["opportunity_id"] else "",
        aws_facts=list(_told_by_aws(summary)),
        shown_there=sorted(
            (field, value) for field, value in (story["write_back"]["shown"] or {}).items() if value not in (None, "")
        ),
        trail=app.ledger.audit(name, salesforce_id=story["salesforce_id"], limit=TRAIL, newest=True),
        longest_trail=TRAIL,
        version_of=fingerprint([story["sync"], story["review_status"], len(story["history"])])[:12],
        now=desk.now,
    )


def _with_steps(desk: Desk, story: Structure) -> list[Structure]:
    """Each value with what the mapping does to it on its way, as far as the mapping can be read."""
    try:
        making = making_of(desk.app.mappings[story["connection"]])
    except MappingError:
        making = {}
    return [
        {"salesforce_field": "", "file": "", "line": 0, **value, "steps": made_by(making, value["path"])}
        for value in story["values"]
    ]


def _told_by_aws(summary: Structure) -> list[tuple[str, Any]]:
    """What of AWS's own side is worth a line."""
    insights, life_cycle = summary.get("Insights") or {}, summary.get("LifeCycle") or {}
    team = [
        f"{one.get('FirstName', '')} {one.get('LastName', '')}".strip() for one in summary.get("OpportunityTeam") or ()
    ]
    facts = {
        "AWS's stage": life_cycle.get("Stage"),
        "AWS's next steps": life_cycle.get("NextSteps"),
        "AWS's team": ", ".join(filter(None, team)),
        "Engagement score": insights.get("EngagementScore"),
        "Next best actions": insights.get("NextBestActions"),
    }
    return [(name, value) for name, value in facts.items() if value]


# buttons


def retry(desk: Desk, request: Request, _: Form) -> Response:
    """Clear what holds a deal, as ``connector retry`` does."""
    name, salesforce_id = _known(desk, request)
    ledger = desk.app.ledger
    asks.retry(ledger, name, desk.catalog(name), [salesforce_id], desk.now, _person(request).actor)
    return _done(desk, request, name, "retry")


def resync(desk: Desk, request: Request, _: Form) -> Response:
    """Have a deal read again, as ``connector resync`` beside a daemon does."""
    name, salesforce_id = _known(desk, request)
    asks.resync(desk.app.contexts[name], [salesforce_id], _person(request).actor)
    return _done(desk, request, name, "resync")


def retry_all(desk: Desk, request: Request, form: Form) -> Response:
    """Clear what holds every held deal of a connection, or those that one cause holds."""
    name, key = form.get("connection", ""), form.get("cause", "")
    catalog, app = desk.catalog(name), desk.app
    ids = None
    if key:
        rows = app.ledger.brief(_cause(desk, name, key).numbers[:MOST_AT_ONCE])
        ids = [row["salesforce_id"] for row in rows if row["status"] == "Held"]
    cleared = asks.retry(app.ledger, name, catalog, ids, desk.now, _person(request).actor)
    desk.snapshots.renew(name)
    words = "1 deal is" if len(cleared) == 1 else f"{len(cleared):,} deals are"
    return answer(
        request,
        "told.html",
        title=f"{words} tried again",
        code="Done",
        message="The connector reads them and goes on with them, as fast as AWS's quota allows.",
        cure="Nothing more. What is held by something else comes back with its reason.",
        back=Choice(name).path(state="Held"),
    )


def _cause(desk: Desk, name: str, key: str) -> Cause:
    """What holds deals, as it was counted last. Raises NotThere, and TemporaryError while nothing is counted yet."""
    snapshot = desk.snapshots.of(name, patience=COUNTED_IN)
    if snapshot is None:
        raise TemporaryError("What is held is still being counted.", "Press it again in some seconds.")
    cause = snapshot.cause(key)
    if cause is None:
        raise NotThere("Nothing is held by that any more.", "The overview has what is held now.")
    return cause


def _known(desk: Desk, request: Request) -> tuple[str, str]:
    """Connection and id of a deal that there is. Raises NotThere."""
    name, salesforce_id = str(request.path_params["connection"]), str(request.path_params["salesforce_id"])
    link = desk.app.ledger.find(name, desk.catalog(name), salesforce_id)
    if link is None:
        raise NotThere(f"Connection {name} knows no deal {salesforce_id[:40]}.", "Search for it by name.")
    return name, link.salesforce_id


def _person(request: Request) -> Visitor:
    visitor = visitor_of(request.scope)
    assert visitor is not None, "the door lets nobody else through"
    return visitor


def _done(desk: Desk, request: Request, name: str, what: str) -> Response:
    """To the deal by GET, so that loading the answer again asks for nothing again."""
    desk.snapshots.renew(name)
    path = request.scope["raw_path"].decode("latin-1")
    return RedirectResponse(f"{path.rpartition('/')[0]}?done={what}", status_code=303)


def ask(desk: Desk, request: Request, form: Form) -> Response:
    """Why an id is not known: asks Salesforce and AWS, and writes nothing anywhere."""
    wanted = read_identifier(form.get("id", ""))
    if wanted is None or wanted.kind == Kind.BROKEN:
        raise NotThere("That is no id.", "Copy it once more.")
    found = report.search(desk.app, wanted)
    stories = found.found or found.unknown[:1]
    errors: tuple[tuple[str, ConnectorError], ...] = found.errors
    return answer(request, "asked.html", wanted=wanted, stories=stories, errors=errors)
