"""The pages over HTTP: what they tell, where they lead, and what their buttons do."""

from __future__ import annotations

import html
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from unittest import mock

import pytest

from connector.adapters.ledger import Ledger
from connector.app import App
from connector.core.audit import Entry, Event
from connector.core.lifecycle import ReviewStatus
from connector.core.model import Mapped
from connector.errors import UnsafePlan
from connector.report.making import made_by, making_of
from connector.report.waiting import HeldRecords, whom
from connector.report.whereabouts import PLACES, place_of, whereabouts_of
from connector.sync import guards
from connector.watch.beats import Beats
from connector.web.page import deal as actions
from connector.web.page import deals as lists
from connector.web.page import rendering
from connector.web.page import snapshots as counting
from connector.web.page.overview import groups_of
from connector.web.page.plot import plot, stack, to_round
from connector.web.serving import Serving
from tests.web.conftest import ACTOR, HOSTILE, Peopled, Site, counting_threads, served
from tests.world import World, wait_until

KEY = ("sandbox", "Sandbox")


def words_of(page: str) -> str:
    """What a reader sees, in one line."""
    bare = re.sub(r"<(script|style|title)\b.*?</\1>", " ", page.replace("<wbr>", ""), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", bare)).split())


def links_of(page: str) -> list[str]:
    return [html.unescape(href) for href in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', page)]


# overview


def test_an_empty_ledger_says_what_to_do(site: Site) -> None:
    shown = words_of(site.counted().text)
    assert "No deals yet" in shown
    assert "Tick the flag" in shown


def test_the_overview_tells_how_many_are_where(people_site: Site, peopled: Peopled) -> None:
    shown = words_of(people_site.counted().text)
    total = 4 + len(peopled.deals.short) + len(peopled.deals.hostile)
    assert f"{total} deals" in shown
    for words in ("Held 5", "Not in AWS yet 4", "AWS asks for changes 1", "Approved 1", "Rejected 1", "Stopped 1"):
        assert words in shown


def test_the_overview_tells_what_waits_for_whom(people_site: Site) -> None:
    page = people_site.counted().text
    seller, revops, aws, ours = (
        words_of(part.partition("</section>")[0]) for part in page.split('<section aria-labelledby="whom-')[1:]
    )
    assert "3 × AWS_Business_Problem__c" in seller
    assert "Write more." in seller
    assert "AWS's reviewer asks for changes" in seller
    assert "Nothing waits for RevOps." in revops
    assert "Submitted; AWS reviews it." in aws
    assert "1 of them has edits" in aws
    assert "Nothing is under way." in ours
    (href,) = [
        one for one in links_of(page) if "cause=" in one and "Show all 3" in page.split(html.escape(one))[1][:200]
    ]
    listed = people_site.get(href).text
    assert words_of(listed).count("Short ") == 3
    assert "Try these again" in listed


def test_the_overview_draws_what_was_written(people_site: Site, peopled: Peopled) -> None:
    page = people_site.counted().text
    written = sum(row["attempts"] for row in _operations(peopled.world.app().ledger, peopled))
    assert page.count('class="plot"') == 2
    assert page.count('role="img"') == 2
    assert page.count("<desc ") == 2
    hours = page.split('id="hours-caption"')[1].partition("</figure>")[0]
    numbers = [int(n) for n in re.findall(r"<td>([\d,]+)</td>", hours)]
    assert (len(numbers), sum(numbers), numbers[-1] + numbers[-2]) == (24, written, written)
    assert f"{written} in the last 24 hours" in words_of(hours)


def _operations(ledger: Ledger, peopled: Peopled) -> list[dict[str, Any]]:
    found = [ledger.find(*KEY, row["Id"]) for row in peopled.world.sandbox.org.records("Opportunity")]
    return [step for link in found if link is not None for step in ledger.history(link.id)]


def test_several_connections_stand_beside_each_other(world: World) -> None:
    second = world.sandbox.config_text(world.database).split("connections:\n")[1].replace("  sandbox:", "  other:")
    world.write_config(second.rstrip() + "\n")
    world.opportunity()
    world.settle()
    with served(world.app()) as site:
        page = site.counted()
        assert {"/connections/sandbox", "/connections/other"} <= set(links_of(page.text))
        assert "2 connections" in words_of(page.text)
        assert "What waits for whom" in site.counted("/connections/other").text
        assert site.get("/connections/third").status_code == 404
        assert "selected>other" in site.get("/deals?connection=other").text


def test_a_guard_waits_for_revops_with_its_way_out(world: World) -> None:
    world.write_config("    limits: {creates_per_pass: 1}\n")
    for _ in range(3):
        world.opportunity()
    world.settle()
    with served(world.app()) as site:
        page = site.counted().text
        revops = words_of(page.split('id="whom-revops"')[1].partition("</section>")[0])
        assert "3 new opportunities wait to be created in AWS at once, the limit is 1" in revops
        assert "connector plan --out FILE" in revops
        assert 'class="badge is-bad"' in page


def test_what_salesforce_refuses_waits_for_revops(people_site: Site) -> None:
    snapshot = counting.count(people_site.app, "sandbox", HeldRecords())
    told = {"meaning": "It is hidden.", "error": "X", "cure": "Grant it.", "count": 7}
    groups = {group.key: group for group in groups_of("sandbox", replace(snapshot, write_back=(told,)))}
    (row,) = groups["revops"].rows
    assert (row.message, row.cure, row.count) == ("Salesforce refuses to show it: It is hidden.", "Grant it.", 7)


# lists


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=Held", {"Short 0", "Short 1", "Short 2", "Contoso contact centre", "javascript:alert(3)"}),
        ("state=Stopped", {"Fabrikam analytics"}),
        ("state=Pending", {"Nordwind ERP"}),
        ("place=approved", {"Harbour data lake, second phase"}),
        ("place=rejected", {"Fabrikam analytics"}),
        ("place=new", {"Short 0", "Short 1", "Short 2", "javascript:alert(3)"}),
        ("place=lost", set()),
        ("q=short", {"Short 0", "Short 1", "Short 2"}),
        ("q=SHORT+1", {"Short 1"}),
        ("q=%25", set()),
        ("q=_", set()),
        ("state=nonsense&place=nonsense&q=harbour", {"Harbour data lake, second phase"}),
    ],
)
def test_a_list_has_those_that_were_asked_for(people_site: Site, query: str, names: set[str]) -> None:
    page = people_site.counted(f"/deals?{query}").text
    found = {html.unescape(name) for name in re.findall(r'<th role="rowheader"[^>]*><a[^>]*><bdi>(.*?)</bdi>', page)}
    assert found == names


def test_pages_follow_each_other_by_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE", 4)
    made = [
        world.opportunity(Name=f"Deal {n:02}", AWS_Business_Problem__c="short" if n % 3 else "x" * 40)
        for n in range(11)
    ]
    world.settle()
    with served(world.app()) as site:
        site.counted()
        for query in ("", "&state=Held", "&place=new", "&q=deal"):
            path, pages = f"/deals?connection=sandbox{query}", []
            while path:
                page = site.get(path).text
                pages.append(re.findall(r'id="deal-(\w+)"', page))
                path = next((html.unescape(one) for one in re.findall(r'rel="next" href="([^"]*)"', page)), "")
            shown = [one for page in pages for one in page]
            assert len(shown) == len(set(shown)) == (11 if query in {"", "&q=deal"} else 7)
            assert set(shown) <= set(made)
            assert [len(one) for one in pages[:-1]] == [4] * (len(pages) - 1)
            # And back the same way.
            page = site.get(f"/deals?connection=sandbox{query}").text
            for expected in pages[1:]:
                page = site.get(html.unescape(re.findall(r'rel="next" href="([^"]*)"', page)[0])).text
                assert re.findall(r'id="deal-(\w+)"', page) == expected
            for expected in reversed(pages[:-1]):
                page = site.get(html.unescape(re.findall(r'rel="prev" href="([^"]*)"', page)[0])).text
                assert re.findall(r'id="deal-(\w+)"', page) == expected


def test_names_are_found_in_either_case(world: World) -> None:
    deal = world.opportunity(Name="Äpfel & Söhne GmbH")
    world.settle(deal)
    with served(world.app()) as site:
        for words in ("äpfel", "Äpfel", "SÖHNE", "& s"):
            assert f"deal-{deal}" in site.get("/deals", params={"q": words}).text, words


def beside(world: World, *names: str) -> App:
    """The application with these connections before its own, each to the same org and account."""
    head, _, section = world.config.read_text(encoding="utf-8").partition("connections:\n")
    copies = "".join(section.rstrip().replace("  sandbox:", f"  {name}:") + "\n" for name in names)
    world.config.write_text(f"{head}connections:\n{copies}{section}", encoding="utf-8")
    return world.app()


def fill(app: App, name: str, *deals: str) -> None:
    """Deals of a connection, by their names."""
    rows: list[Any] = [(f"006{number:015d}", deal, Mapped({}), {}) for number, deal in enumerate(deals)]
    app.ledger.store_mapped(name, "Sandbox", rows, datetime.now(UTC))


def searched_in(page: str) -> str | None:
    """The connection that the form of the search carries, None for all of them."""
    form = page.partition('role="search"')[2].partition("</form>")[0]
    found = re.search(r'type="hidden" name="connection" value="([^"]*)"', form)
    return found[1] if found else None


def test_a_name_is_looked_for_in_every_connection(world: World) -> None:
    app = beside(world, "aaa", "bbb")
    fill(app, "bbb", "Edge", "Edge of tomorrow")
    fill(app, "sandbox", "United Oil", "Edge")
    assert list(app.connections) == ["aaa", "bbb", "sandbox"]
    with served(app) as site:
        first = site.get("/deals?q=United")
        assert "Deals of sandbox with" in words_of(first.text)
        assert first.text.count('id="deal-') == 1
        assert "/deals?connection=aaa&q=United" not in links_of(first.text), "it has none"
        both = site.get("/deals?q=edge").text
        assert "Deals of bbb with" in words_of(both)
        assert both.count('id="deal-') == 2
        assert "/deals?connection=sandbox&q=edge" in links_of(both)
        assert 'hx-get="/deals?connection=bbb&amp;q=edge"' in both
        none = site.get("/deals?q=nowhere").text
        assert "No name of a deal contains that." in words_of(none)
        assert 'hx-get="/deals?q=nowhere"' in none, "looked for everywhere again"
        assert "No name of a deal contains that." in site.get("/deals?q=nowhere", headers={"hx-request": "true"}).text
        assert [searched_in(page) for page in (first.text, both, none)] == [None] * 3


def test_a_name_is_looked_for_where_the_visitor_is(world: World) -> None:
    app = beside(world, "aaa")
    fill(app, "aaa", "United Gas")
    fill(app, "sandbox", "United Oil")
    with served(app) as site:
        shown = [site.get(path).text for path in ("/connections/sandbox", "/deals?connection=sandbox", "/", "/deals")]
        assert [searched_in(page) for page in shown] == ["sandbox", "sandbox", None, None]
        found = site.get("/deals?connection=sandbox&q=United").text
        assert ("United Oil" in found, "United Gas" in found) == (True, False)
        none = site.get("/deals?connection=sandbox&q=Gas").text
        assert "No name of a deal in this connection contains that." in words_of(none)
        assert "/deals?q=Gas" in links_of(none)
        assert "United Gas" in site.get("/deals?q=Gas").text


def test_only_some_connections_are_told_besides(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "ELSEWHERE", 2)
    app = beside(world, "aaa", "bbb", "ccc", "ddd")
    for name in app.connections:
        fill(app, name, "Edge")
    with served(app) as site:
        shown = site.get("/deals?q=edge").text
        assert [one.partition("&")[0] for one in links_of(shown) if one.endswith("&q=edge")] == [
            "/deals?connection=bbb",
            "/deals?connection=ccc",
        ]
        assert "and elsewhere" in words_of(shown)
        fewer = site.get("/deals?connection=ccc&q=edge").text
        assert "and elsewhere" not in words_of(fewer)


def test_an_id_leads_to_its_deal(people_site: Site, peopled: Peopled) -> None:
    deal = peopled.deals.approved
    story = peopled.world.show(deal)
    sent = next(one for one in story["invitations"] if one["Id"])
    ids = (deal, deal[:15], deal.upper(), story["opportunity_id"], story["opportunity_id"].lower())
    ids += (story["task"]["TaskId"], story["task"]["EngagementId"], sent["Id"])
    for one in (*ids, f"https://acme.lightning.force.com/lightning/r/Opportunity/{deal}/view"):
        answered = people_site.get("/deals", params={"q": one})
        assert (answered.status_code, answered.headers.get("location")) == (303, f"/deals/sandbox/{deal}"), one


def test_an_unknown_id_may_be_asked_for_elsewhere(world: World) -> None:
    loose = world.opportunity(Share_With_AWS__c=False)
    world.settle()
    with served(world.app()) as site:
        shown = site.get("/deals", params={"q": loose})
        assert (shown.status_code, "Ask Salesforce and AWS" in shown.text) == (404, True)
        before = world.calls
        answered = site.post("/ask", data={"csrf": site.csrf(shown), "id": loose})
        assert "Share_With_AWS__c" in words_of(answered.text)
        assert "Tick" in words_of(answered.text)
        assert world.calls[:2] == before[:2]
        broken = site.get("/deals", params={"q": "006000000000001aBc"})
        assert (broken.status_code, "cannot be a Salesforce id" in words_of(broken.text)) == (404, True)


def test_words_of_fifteen_letters_are_a_name_as_well(people_site: Site) -> None:
    assert people_site.get("/deals", params={"q": "Refrigerationly"}).status_code == 200


# one deal


def test_a_deal_tells_its_whole_story(people_site: Site, peopled: Peopled) -> None:
    deal = peopled.deals.approved
    story = peopled.world.show(deal)
    shown = words_of(people_site.get(f"/deals/sandbox/{deal}").text).replace(" ", "")

    def tells(text: Any) -> bool:
        return "".join(str(text).split()) in shown

    assert tells(story["sync"]["message"])
    assert tells(story["opportunity_id"])
    assert tells(story["task"]["TaskId"])
    for value in story["values"]:
        told = value["value"] if isinstance(value["value"], str) else json.dumps(value["value"], ensure_ascii=False)
        assert tells(value["path"]), value
        assert tells(told if not isinstance(value["value"], bool) else ("yes" if value["value"] else "no")), value
        assert tells(f"{value['file']}:{value['line']}"), value
        assert value["salesforce_field"] == "(constant)" or tells(value["salesforce_field"]), value
    for difference in story["differences"]:
        assert tells(difference["salesforce_field"])
        assert tells(difference["salesforce"])
        assert tells(difference["why"] or "")
    for one in story["invitations"]:
        assert tells(one["Id"] or one["receiver"])
    for step in story["history"]:
        assert tells(step["action"])
    assert "auditTrail" in shown or "entriesoftheaudittrail" in shown


def test_a_deal_tells_the_newest_of_its_trail(world: World) -> None:
    deal = world.opportunity()
    world.settle(deal)
    ledger, now = world.app().ledger, datetime.now(UTC)
    with served(world.app()) as site:
        assert "These are the last" not in words_of(site.get(f"/deals/sandbox/{deal}").text)
        many = [
            Entry(now + timedelta(seconds=n), "sandbox", Event.ASKED, deal, detail=f"entry <{n}>") for n in range(250)
        ]
        ledger.note(many)
        shown = words_of(site.get(f"/deals/sandbox/{deal}").text)
    told = [int(number) for number in re.findall(r"entry <(\d+)>", shown)]
    assert told == list(range(50, 250))
    assert "These are the last 200; connector audit has all." in shown


def test_a_deal_tells_how_its_values_are_made(people_site: Site, peopled: Peopled) -> None:
    page = people_site.get(f"/deals/sandbox/{peopled.deals.approved}").text
    mapping = people_site.app.mappings["sandbox"]
    making = making_of(mapping)
    assert made_by(making, "Customer.Contacts[3].Email") == made_by(making, "Customer.Contacts[].Email")
    steps = made_by(making, "Project.Title")
    assert steps
    row = next(part for part in page.split("<tr ") if "Project.<wbr>Title<" in part)
    assert all(step in words_of(row) for step in steps)


def test_a_held_deal_tells_its_cure(people_site: Site, peopled: Peopled) -> None:
    shown = words_of(people_site.get(f"/deals/sandbox/{peopled.deals.short[0]}").text)
    assert "What is wrong 1" in shown
    assert "What to do: Write more." in shown
    assert "It is looked at again once it changes." in shown


def test_a_deal_leads_to_its_record_but_never_to_what_a_record_says(people_site: Site, peopled: Peopled) -> None:
    page = people_site.get(f"/deals/sandbox/{peopled.deals.hostile[3]}").text
    outward = [href for href in links_of(page) if not href.startswith(("/", "#"))]
    assert outward == [f"{peopled.world.sandbox.url}/{peopled.deals.hostile[3]}"]


@pytest.mark.parametrize(
    "path", ["/deals/sandbox/006000000000999AAA", "/deals/nobody/006000000000001AAA", "/deals/a/b/c"]
)
def test_a_deal_that_is_not_there_is_said_to_be(people_site: Site, path: str) -> None:
    assert people_site.get(path).status_code == 404


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_what_a_record_says_is_text(people_site: Site, peopled: Peopled, number: int) -> None:
    deal = peopled.deals.hostile[number]
    for path in (f"/deals/sandbox/{deal}", "/deals", "/deals?q=" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/"):
        page = people_site.get(path).text
        scripts = re.findall(r"<script\b[^>]*>", page)
        assert len(scripts) == 2
        assert all('src="/static/' in one and " defer" in one for one in scripts)
        assert "<img" not in page
        assert not re.search(r"<[^>]*\son\w+=", page)
        assert not re.search(r"<[^>]*\sstyle=", page)
        assert not set(page) & set("\u202e\u2066\u0007\u001b")
        assert not re.search(r'(?:href|src|action)="\s*(?!/|https://127|#)[^"]', page)


class Paragraphs(HTMLParser):
    """Finds what a browser would put outside of its paragraph, for a paragraph has no blocks in it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = False
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.is_open and tag in {"details", "div", "ul", "ol", "dl", "table", "section", "form", "p"}:
            self.found.append(f"<{tag}> in line {self.getpos()[0]}")
        self.is_open |= tag == "p"

    def handle_endtag(self, tag: str) -> None:
        self.is_open &= tag != "p"


def test_long_texts_are_folded_up_where_they_stand(
    people_site: Site, peopled: Peopled, monkeypatch: pytest.MonkeyPatch
) -> None:
    (href,) = [one for one in links_of(people_site.counted().text) if "cause=" in one][:1]
    monkeypatch.setitem(rendering._templates().globals, "short", 5)
    deals = (*peopled.deals.short, *peopled.deals.hostile, peopled.deals.approved, peopled.deals.asked)
    for path in ("/", href, *(f"/deals/sandbox/{deal}" for deal in deals)):
        page = people_site.get(path).text
        assert '<details class="long">' in page
        read = Paragraphs()
        read.feed(page)
        assert read.found == [], path


# buttons


def test_retry_clears_the_hold_and_says_what_happens(world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="short")
    world.settle(deal)
    world.edit(deal, AWS_Business_Problem__c="Their data centre closes next year, all of it has to move.")
    with served(world.app()) as site:
        answered = site.press(f"/deals/sandbox/{deal}", f"/deals/sandbox/{deal}/retry")
        assert answered.status_code == 303
        shown = words_of(site.get(answered.headers["location"]).text)
        assert "It is tried again" in shown
        assert site.app.ledger.requests("sandbox")[0][1] == deal
        (entry,) = [one for one in site.app.ledger.audit("sandbox", salesforce_id=deal) if one.event == Event.RETRIED]
        assert entry.actor == "page, somebody on this machine"
        assert entry.actor in shown
    world.settle()
    assert world.show(deal)["sync"]["status"] == "Synced"


def test_resync_leaves_a_request_with_the_person(world: World) -> None:
    deal = world.opportunity()
    world.settle(deal)
    with served(world.app(), user_header="X-User") as site:
        named = {"x-user": "renate"}
        token = site.csrf(site.get(f"/deals/sandbox/{deal}", headers=named))
        answered = site.post(f"/deals/sandbox/{deal}/resync", data={"csrf": token}, headers=named)
        assert "It is read from Salesforce now" in site.get(answered.headers["location"], headers=named).text
        ((number, asked),) = site.app.ledger.requests("sandbox")
        assert asked == deal
        assert site.app.ledger.asked([number])[deal]["by"] == "page, renate"


def test_resync_is_refused_where_an_edited_mapping_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = world.opportunity()
    world.settle(deal)
    monkeypatch.setattr(guards, "guarded_mapping", lambda _: UnsafePlan("The mapping waits.", "Look at the plan."))
    with served(world.app()) as site:
        answered = site.press(f"/deals/sandbox/{deal}", f"/deals/sandbox/{deal}/resync")
        assert answered.status_code == 409
        assert "The mapping waits. What to do: Look at the plan." in words_of(answered.text)
        assert site.app.ledger.requests("sandbox") == []


def test_all_that_one_cause_holds_is_tried_again(world: World) -> None:
    short = [world.opportunity(AWS_Business_Problem__c="short") for _ in range(3)]
    other = world.opportunity(AWS_Customer_Use_Case__c=None)
    world.settle()
    with served(world.app()) as site:
        (href,) = [one for one in links_of(site.counted().text) if "cause=" in one and "/deals" in one][:1]
        page = site.get(href)
        key = href.partition("cause=")[2]
        answered = site.post("/retry", data={"csrf": site.csrf(page), "connection": "sandbox", "cause": key})
        assert "3 deals are tried again" in words_of(answered.text)
        assert sorted(one for _, one in site.app.ledger.requests("sandbox")) == sorted(short)
        gone = site.post("/retry", data={"csrf": site.csrf(page), "connection": "sandbox", "cause": "0" * 12})
        assert gone.status_code == 404
        everything = site.post("/retry", data={"csrf": site.csrf(page), "connection": "sandbox", "cause": ""})
        assert "1 deal is tried again" in words_of(everything.text)
        assert other in [one for _, one in site.app.ledger.requests("sandbox")]


def test_what_is_not_counted_yet_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="short")
    world.settle()
    counted, goes_on = counting.count, threading.Event()
    with served(world.app()) as site:
        (href,) = [one for one in links_of(site.counted().text) if "cause=" in one and "/deals" in one][:1]
        key = href.partition("cause=")[2]

    def count(*given: Any) -> counting.Snapshot:
        assert goes_on.wait(20)
        return counted(*given)

    monkeypatch.setattr(counting, "count", count)
    # Another process, as behind a proxy: it has counted nothing yet.
    with served(world.app()) as site:
        fields = {"csrf": site.csrf(site.get("/deals?q=O99999999")), "connection": "sandbox", "cause": key}
        monkeypatch.setattr(actions, "COUNTED_IN", 0.05)
        early = site.post("/retry", data=fields)
        assert (early.status_code, "still being counted" in words_of(early.text)) == (503, True)
        assert "Press it again" in words_of(early.text)
        assert site.app.ledger.requests("sandbox") == []
        monkeypatch.setattr(actions, "COUNTED_IN", 20.0)
        with ThreadPoolExecutor(1) as pool:
            pressed = pool.submit(site.post, "/retry", data=fields)
            goes_on.set()
            assert "1 deal is tried again" in words_of(pressed.result().text)
        assert [one for _, one in site.app.ledger.requests("sandbox")] == [deal]


@pytest.mark.parametrize("what", ["retry", "resync"])
def test_a_deal_that_is_not_there_cannot_be_asked_for(site: Site, what: str) -> None:
    token = site.csrf(site.get("/deals?q=O99999999"))
    assert site.post(f"/deals/sandbox/006000000000999AAA/{what}", data={"csrf": token}).status_code == 404
    assert site.app.ledger.requests("sandbox") == []


def test_looking_changes_nothing(people_site: Site, peopled: Peopled) -> None:
    def state() -> tuple[Any, ...]:
        ledger = people_site.app.ledger
        links = [ledger.find(*KEY, one) for one in (*peopled.deals.short, peopled.deals.approved)]
        return ([link.revision for link in links if link], len(ledger.audit("sandbox")), ledger.requests("sandbox"))

    before, calls = state(), peopled.world.calls
    seen, waiting = set(), {"/", "/deals"}
    while waiting and len(seen) < 60:
        path = waiting.pop()
        seen.add(path)
        answered = people_site.get(path)
        assert answered.status_code < 500
        waiting |= {one for one in links_of(answered.text) if one.startswith("/")} - seen
    assert len(seen) > 20
    assert (state(), peopled.world.calls) == (before, calls)


def test_a_script_is_given_the_part_it_renews(people_site: Site, peopled: Peopled) -> None:
    for path in ("/", "/deals", f"/deals/sandbox/{peopled.deals.approved}"):
        people_site.counted(path)
        answered = people_site.get(path, headers={"hx-request": "true"})
        assert "<html" not in answered.text
        assert "data-version" in answered.text
        assert "HX-Request" in answered.headers["vary"]


# counting


def test_held_records_are_read_once_and_then_only_where_they_changed(peopled: Peopled) -> None:
    ledger, held = peopled.world.app().ledger, HeldRecords()
    found = held.causes(ledger, *KEY)
    assert (found[0].count, found[0].salesforce_field[:21]) == (3, "AWS_Business_Problem_")
    with mock.patch.object(Ledger, "held_because", side_effect=AssertionError("read again")):
        assert held.causes(ledger, *KEY) == found
    with mock.patch.object(Ledger, "held_versions", return_value={}):
        assert held.causes(ledger, *KEY) == ()


@pytest.mark.parametrize(
    ("code", "field", "message", "expected"),
    [
        ("missing", "Amount", "It is missing.", "seller"),
        ("unexpected", "Amount", "The mapping failed.", "revops"),
        ("invalid", "(constant)", "AWS does not know it.", "revops"),
        ("action_required", "", "AWS asks.", "seller"),
        ("", "", "AWS does not allow that to the role.", "revops"),
        ("", "", "AWS asks for changes. Change it in Salesforce; it is sent by itself.", "seller"),
    ],
)
def test_whom_a_cause_waits_for(code: str, field: str, message: str, expected: str) -> None:
    assert whom(code, field, message) == expected


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"is_linked": 0}, "new"),
        ({"is_linked": 1}, "draft"),
        ({"review_status": ReviewStatus.PENDING.value}, "draft"),
        ({"review_status": ReviewStatus.PENDING.value, "task_status": "IN_PROGRESS"}, "review"),
        ({"review_status": ReviewStatus.SUBMITTED.value}, "review"),
        ({"review_status": ReviewStatus.IN_REVIEW.value}, "review"),
        ({"review_status": "On Hold"}, "review"),
        ({"review_status": ReviewStatus.ACTION_REQUIRED.value}, "action"),
        ({"review_status": ReviewStatus.REJECTED.value}, "rejected"),
        ({"review_status": ReviewStatus.APPROVED.value, "stage": "Qualified"}, "approved"),
        ({"review_status": ReviewStatus.APPROVED.value, "stage": "Launched"}, "launched"),
        ({"review_status": ReviewStatus.APPROVED.value, "stage": "Closed Lost"}, "lost"),
        ({"presence": "deleted"}, "gone"),
    ],
)
def test_where_a_deal_is(facts: dict[str, Any], place: str) -> None:
    usual = {"presence": "flagged", "is_linked": 1, "review_status": None, "stage": None, "task_status": None}
    assert place_of({**usual, **facts}) == place
    assert place in PLACES


def test_crowds_are_added_up(peopled: Peopled) -> None:
    ledger = peopled.world.app().ledger
    found = whereabouts_of(ledger.crowds(*KEY))
    assert found.total == sum(found.states.values()) == sum(found.places.values())
    assert found.states == ledger.counts(*KEY)
    for place, count in found.places.items():
        rows = ledger.brief(found.numbers_at(place))
        assert len(rows) == count
        assert {place_of(row) for row in rows} == {place}
        assert list(found.numbers_at(place)) == sorted(found.numbers_at(place), reverse=True)


def test_a_count_that_fails_leaves_the_last_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.counted()

    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(counting, "FRESH", 0.0)
    monkeypatch.setattr(counting, "REST", 0.0)
    monkeypatch.setattr(counting, "count", fail)
    for _ in range(3):
        assert "No deals yet" in site.get("/").text


def test_connections_that_a_reload_takes_away_end_no_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app, counted = world.app(), counting.count
    begun, goes_on = threading.Event(), threading.Event()

    def count(*given: Any) -> counting.Snapshot:
        begun.set()
        assert goes_on.wait(20)
        return counted(*given)

    monkeypatch.setattr(counting, "count", count)
    snapshots = counting.Snapshots(Serving(lambda: app, Beats(), ACTOR))
    snapshots.of("sandbox", 0.0)
    assert begun.wait(20)
    # These wait for their turn, and are no longer there when it comes.
    assert [snapshots.of(name, 0.0) for name in ("b", "c", "d")] == [None] * 3
    goes_on.set()
    wait_until(lambda: not counting_threads(), "the thread's end", 10)
    assert snapshots._thread is None
    assert set(snapshots._kept) == {"sandbox"}
    assert snapshots.of("sandbox", 20) is not None


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyError("no")])
def test_whatever_ends_a_count_there_is_another(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    app, counted, fails = world.app(), counting.count, [error]

    def count(*given: Any) -> counting.Snapshot:
        if fails:
            raise fails.pop()
        return counted(*given)

    def current() -> App:
        if len(asked) == 1:
            asked.append(1)
            raise RuntimeError("a reload is under way")
        asked.append(1)
        return app

    asked: list[int] = []
    monkeypatch.setattr(counting, "FRESH", 0.0)
    monkeypatch.setattr(counting, "REST", 0.0)
    monkeypatch.setattr(counting, "count", count)
    snapshots = counting.Snapshots(Serving(current, Beats(), ACTOR))
    with caplog.at_level("WARNING"):
        wait_until(lambda: snapshots.of("sandbox", 0.01) is not None, "a count after the failed ones", 20)
    told = [getattr(one, "event", "") for one in caplog.records]
    assert told.count("page_count_failed") == 2


def test_a_thread_that_cannot_be_started_is_followed_by_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app, start, refusals = world.app(), threading.Thread.start, [RuntimeError("can't start new thread")]

    def refuse(thread: threading.Thread) -> None:
        if refusals:
            raise refusals.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    snapshots = counting.Snapshots(Serving(lambda: app, Beats(), ACTOR))
    with pytest.raises(RuntimeError):
        snapshots.of("sandbox")
    assert snapshots.of("sandbox", 20) is not None


def test_counts_are_made_by_one_thread_that_ends(site: Site) -> None:
    site.counted()
    wait_until(lambda: not counting_threads(), "the thread's end", 10)


# figures


@pytest.mark.parametrize(
    ("most", "top"), [(0.5, 1), (1, 1), (3, 4), (7, 8), (11, 12), (100, 100), (105, 120), (9_000, 10_000)]
)
def test_a_scale_ends_at_a_round_number(most: float, top: int) -> None:
    assert to_round(most) == top


def test_bars_are_as_high_as_their_counts_and_the_limit_is_seen_where_it_is_near() -> None:
    drawn = plot(["a", "b", "c", "d"], [0, 5, 10, 2], 10, every=2)
    assert [bar.height for bar in drawn.bars] == [
        0,
        drawn.bars[2].height / 2,
        drawn.bars[2].height,
        drawn.bars[2].height / 5,
    ]
    assert drawn.limit is not None
    assert drawn.limit.y == drawn.bars[2].y
    assert [label for _, label in drawn.told] == ["b", "d"]
    assert plot(["a"], [3], 1_000, every=1).limit is None
    assert plot([], [], 0, every=1).bars == ()


def test_a_small_part_of_a_bar_is_still_seen() -> None:
    parts = stack({"a": 100_000, "b": 1, "c": 0}, {"b": "B", "a": "A", "c": "C"})
    assert [part.key for part in parts] == ["b", "a"]
    assert parts[0].width >= 5
    assert sum(part.width for part in parts) == pytest.approx(1000, abs=0.1)
    assert stack({}, {"a": "A"}) == ()
