"""Lists of deals: by state, by place, by what holds them, or by a part of their name; an id leads to its deal.

Pages follow each other by the number of their last deal, so that a hundredth page costs what the first one does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from connector.core.identifiers import Identifier, Kind, read_identifier
from connector.core.model import Link, Structure, fingerprint
from connector.report.story import find_link
from connector.report.waiting import Cause
from connector.report.whereabouts import PLACES, place_of
from connector.web.page.desk import Desk, Form
from connector.web.page.overview import STATES
from connector.web.page.rendering import answer, is_part

PAGE = 50
LONGEST = 300
ELSEWHERE = 8
"""Other connections that are told to have deals of that name as well."""
_PENDING = ("", "Pending")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which deals are shown: at most one of ``state``, ``place``, ``cause`` and ``q``; and which page of them.

    ``connection`` is "" for all of them, of which a name was looked for in vain. ``below`` and ``above`` are the number
    of the last or first deal of the page that was left.
    """

    connection: str
    state: str = ""
    place: str = ""
    cause: str = ""
    q: str = ""
    below: int | None = None
    above: int | None = None

    @classmethod
    def read(cls, parameters: QueryParams, connection: str) -> Choice:
        """What an address asks for; what makes no sense is left out."""
        state, place = parameters.get("state", ""), parameters.get("place", "")
        return cls(
            connection,
            state if state in STATES else "",
            place if place in PLACES else "",
            parameters.get("cause", "")[:12],
            " ".join(parameters.get("q", "").replace("\0", "").split())[:LONGEST],
            _number(parameters.get("below", "")),
            _number(parameters.get("above", "")),
        )

    @property
    def is_everything(self) -> bool:
        return not (self.state or self.place or self.cause or self.q)

    @property
    def here(self) -> str:
        """The address of this page."""
        return self.path(self.state, self.place, self.cause, self.q, self.below, self.above)

    def path(
        self,
        state: str = "",
        place: str = "",
        cause: str = "",
        q: str = "",
        below: int | None = None,
        above: int | None = None,
    ) -> str:
        """The address of other deals of the same connection."""
        given = {"state": state, "place": place, "cause": cause, "q": q, "below": below, "above": above}
        given = {"connection": self.connection, **given}
        return f"/deals?{urlencode({name: value for name, value in given.items() if value not in ('', None)})}"

    def beyond(self, *, below: int | None = None, above: int | None = None) -> str:
        """The address of the next page, or of the one before."""
        return self.path(self.state, self.place, self.cause, self.q, below, above)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


@dataclass(frozen=True, slots=True)
class Found:
    """A page of deals. ``is_counted``: it is known which they are."""

    rows: tuple[Structure, ...] = ()
    has_newer: bool = False
    has_older: bool = False
    is_counted: bool = True
    cause: Cause | None = None


def deals(desk: Desk, request: Request, _: Form) -> Response:
    """A list; or the deal itself, where its id was searched for."""
    names = list(desk.app.connections)
    asked = request.query_params.get("connection", "")
    name = asked or (names[0] if names else "")
    desk.connection(name)
    chosen = Choice.read(request.query_params, name)
    wanted = read_identifier(chosen.q) if chosen.q else None
    if wanted is not None and (leads := _to_deal(desk, request, wanted)) is not None:
        return leads
    is_anywhere = bool(chosen.q) and not asked and len(names) > 1
    chosen, found = _anywhere(desk, chosen, names) if is_anywhere else (chosen, _find(desk, chosen))
    # What is renewed is one connection's: the others are asked once, for the page around it.
    elsewhere = _elsewhere(desk, chosen, names) if is_anywhere and not is_part(request) else []
    return answer(
        request,
        "deals_live.html" if is_part(request) else "deals.html",
        chosen=chosen,
        is_chosen=bool(asked),
        connections=names,
        elsewhere=elsewhere[:ELSEWHERE],
        is_more_elsewhere=len(elsewhere) > ELSEWHERE,
        everywhere=replace(chosen, connection="").path(q=chosen.q) if len(names) > 1 else "",
        states=STATES,
        places=PLACES,
        rows=found.rows,
        cause=found.cause,
        is_counted=found.is_counted,
        newer=chosen.beyond(above=found.rows[0]["id"]) if found.has_newer and found.rows else "",
        older=chosen.beyond(below=found.rows[-1]["id"]) if found.has_older and found.rows else "",
        retries=chosen.state == "Held" or found.cause is not None,
        version_of=fingerprint([[row["id"], row["status"], row["rest_message"]] for row in found.rows])[:12],
        now=desk.now,
    )


def _to_deal(desk: Desk, request: Request, wanted: Identifier) -> Response | None:
    """The deal with this id, where a connection has it; for what can only be an id, why there is none."""
    if wanted.kind != Kind.BROKEN:
        for name in desk.app.connections:
            link = find_link(desk.app, name, wanted.text)
            if link is not None:
                return RedirectResponse(deal_path(link), status_code=303)
    is_surely = wanted.kind != Kind.SALESFORCE or any(one.isdigit() for one in wanted.text)
    if not is_surely:
        return None
    return answer(request, "unknown.html", 404, wanted=wanted, is_broken=wanted.kind == Kind.BROKEN)


def deal_path(link: Link) -> str:
    return f"/deals/{quote(link.connection, safe='')}/{quote(link.salesforce_id, safe='')}"


def _find(desk: Desk, chosen: Choice) -> Found:
    if chosen.q:
        return _named(desk, chosen)
    if chosen.place or chosen.cause:
        return _counted(desk, chosen)
    return _in_state(desk, chosen)


def _in_state(desk: Desk, chosen: Choice) -> Found:
    """By the index of the states, each of which is asked for its newest."""
    states = (chosen.state,) if chosen.state else tuple(STATES)
    states = tuple(one for state in states for one in (_PENDING if state == "Pending" else (state,)))
    key = chosen.connection, desk.catalog(chosen.connection)
    numbers: list[int] = []
    for state in states:
        numbers += desk.app.ledger.numbers(*key, state, PAGE + 1, below=chosen.below, above=chosen.above)
    numbers.sort(reverse=True)
    return _page(desk, chosen, numbers[-PAGE - 1 :] if chosen.above is not None else numbers[: PAGE + 1])


def _named(desk: Desk, chosen: Choice) -> Found:
    is_back = chosen.above is not None
    numbers = desk.app.ledger.numbers_named(
        chosen.connection,
        desk.catalog(chosen.connection),
        chosen.q,
        PAGE + 1,
        beyond=chosen.above if is_back else chosen.below,
        back=is_back,
    )
    return _page(desk, chosen, numbers)


def _anywhere(desk: Desk, chosen: Choice, names: Sequence[str]) -> tuple[Choice, Found]:
    """The deals of that name in the first connection that has any."""
    for name in names:
        there = replace(chosen, connection=name)
        if (found := _named(desk, there)).rows:
            return there, found
    return replace(chosen, connection=""), Found()


def _elsewhere(desk: Desk, chosen: Choice, names: Sequence[str]) -> list[tuple[str, str]]:
    """The connections after the chosen one that have deals of that name too, with their addresses; one more at most."""
    if not chosen.connection:
        return []
    others = names[names.index(chosen.connection) + 1 :]
    having = (name for name in others if desk.app.ledger.numbers_named(name, desk.catalog(name), chosen.q, 1))
    return [(name, replace(chosen, connection=name).path(q=chosen.q)) for name in islice(having, ELSEWHERE + 1)]


def _counted(desk: Desk, chosen: Choice) -> Found:
    """Of those that were counted some seconds ago the ones that still are so."""
    snapshot = desk.snapshots.of(chosen.connection)
    if snapshot is None:
        return Found(is_counted=False)
    cause = snapshot.cause(chosen.cause) if chosen.cause else None
    known = snapshot.whereabouts.numbers_at(chosen.place) if chosen.place else cause.numbers if cause else ()
    found = _page(desk, chosen, _slice(known, chosen))
    rows = (row for row in found.rows if row["place"] == chosen.place or (cause and row["status"] == "Held"))
    return Found(tuple(rows), found.has_newer, found.has_older, cause=cause)


def _slice(known: Sequence[int], chosen: Choice) -> list[int]:
    """A page and one more of numbers that fall."""
    if chosen.above is not None:
        end = bisect_left(known, -chosen.above, key=lambda number: -number)
        return list(known[max(end - PAGE - 1, 0) : end])
    start = 0 if chosen.below is None else bisect_right(known, -chosen.below, key=lambda number: -number)
    return list(known[start : start + PAGE + 1])


def _page(desk: Desk, chosen: Choice, numbers: Sequence[int]) -> Found:
    """The deals of these numbers, of which there is one more than fits where others follow."""
    is_more, is_back = len(numbers) > PAGE, chosen.above is not None
    shown = numbers[-PAGE:] if is_back else numbers[:PAGE]
    rows = tuple({**row, "place": place_of(row)} for row in desk.app.ledger.brief(shown))
    has_newer = is_more if is_back else chosen.below is not None
    return Found(rows, has_newer, is_back or is_more)
