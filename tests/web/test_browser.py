"""The page in a real Chromium: readable to everybody, harmless whatever records say, polite, and usable on a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.conftest import TOKEN, Peopled, Site, served
from tests.world import World, wait_until

CHROMIUM = Path(os.environ.get("CONNECTOR_TEST_CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "has_touch": True},
}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        not CHROMIUM.exists(),
        reason=f"{CHROMIUM} is not there: apt-get install chromium, or name another in CONNECTOR_TEST_CHROMIUM",
    ),
]


@pytest.fixture(name="browser", scope="module")
def browser_fixture() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS], chromium_sandbox=False)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what went wrong on it: dialogs, errors of scripts, and what the policy had to stop."""

    page: Page
    wrong: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """What the accessibility check finds, with where."""
        found = Axe().run(self.page, options=RULES).response["violations"]
        return [f"{one['id']}: {node['html'][:150]}" for one in found for node in one["nodes"]]

    @property
    def overflow(self) -> int:
        """Pixels that the page is wider than the window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))

    def show(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("main")
        # Filled once the deals are counted. The page's policy forbids the functions that would wait in it.
        wait_until(lambda: "being counted" not in self.page.inner_text("main"), "the count", 20)


@contextmanager
def watched(browser: Browser, look: str = "light", **options: Any) -> Iterator[Watched]:
    with browser.new_context(**{**LOOKS[look], **options}) as context:
        made = Watched(context.new_page())
        context.add_init_script(
            "window.stopped = []; document.addEventListener('securitypolicyviolation', "
            "event => window.stopped.push(event.violatedDirective + ' ' + event.blockedURI))"
        )

        def dismiss(dialog: Any) -> None:
            made.wrong.append(f"dialog {dialog.message}")
            dialog.dismiss()

        made.page.on("dialog", dismiss)
        made.page.on("pageerror", lambda error: made.wrong.append(f"error {error}"))
        made.page.on(
            "console",
            lambda said: made.wrong.append(said.text) if said.type == "error" and "404" not in said.text else None,
        )
        yield made


def pages_of(peopled: Peopled) -> dict[str, str]:
    deals = peopled.deals
    return {
        "overview": "/",
        "list": "/deals",
        "held": "/deals?state=Held",
        "nothing found": "/deals?q=nowhere",
        "deal": f"/deals/sandbox/{deals.approved}",
        "hostile deal": f"/deals/sandbox/{deals.hostile[0]}",
        "retried": f"/deals/sandbox/{deals.short[0]}?done=retry",
        "unknown": "/deals?q=O99999999",
        "error": "/nothing",
    }


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_use_every_page(browser: Browser, people_site: Site, peopled: Peopled, look: str) -> None:
    found: dict[str, Any] = {}
    with watched(browser, look) as seen:
        for name, path in pages_of(peopled).items():
            seen.show(people_site.url + path)
            for details in seen.page.query_selector_all("details:not([open]) > summary"):
                details.evaluate("summary => summary.parentElement.open = true")
            if (wrong := [*seen.violations(), *seen.wrong]) or seen.overflow > 0:
                found[name] = (wrong, seen.overflow)
            seen.wrong.clear()
    assert found == {}


@pytest.mark.parametrize("look", ["dark", "phone"])
def test_everybody_can_sign_in_and_begin(browser: Browser, world: World, look: str) -> None:
    with served(world.app(), token=TOKEN) as site, watched(browser, look) as seen:
        seen.page.goto(site.url + "/deals?state=Held")
        assert seen.page.evaluate("document.activeElement.id") == "token"
        assert (seen.violations(), seen.overflow) == ([], 0)
        seen.page.fill("#token", "wrong")
        seen.page.fill("#name", "Renate Ops")
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_selector("[role=alert]")
        assert seen.violations() == []
        assert seen.page.input_value("#name") == "Renate Ops"
        seen.page.fill("#token", TOKEN)
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url("**/deals?state=Held")
        seen.show(site.url)
        assert "No deals yet" in seen.page.inner_text("main")
        assert (seen.violations(), seen.overflow) == ([], 0)
        assert seen.page.evaluate("document.cookie") == ""
        seen.page.click("text=Sign out")
        seen.page.wait_for_selector("#token")


def test_what_records_say_does_nothing(browser: Browser, people_site: Site, peopled: Peopled) -> None:
    with watched(browser) as seen:
        paths = [f"/deals/sandbox/{one}" for one in peopled.deals.hostile]
        asked = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
        for path in ("/", "/deals", f"/deals?q={asked}", f"/deals?connection=sandbox&cause={asked}", *paths):
            seen.show(people_site.url + path)
            seen.page.evaluate(
                "document.querySelectorAll('main *').forEach(one => ['mouseover', 'focus', 'error'].forEach("
                "name => one.dispatchEvent(new Event(name, {bubbles: true}))))"
            )
            assert "Partner Central connector" in seen.page.title()
            assert seen.page.evaluate("window.stopped") == []
            assert seen.page.query_selector("main img, main script, main [onclick], main [style], main iframe") is None
            # What a script fetches is no less text.
            with seen.page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true") as got:
                seen.page.evaluate("""() => {
                    const live = document.querySelector('[data-live]');
                    window.htmx.trigger(live ?? document.body, 'awake', {}, false);
                    if (!live) fetch(location.href, {headers: {'hx-request': 'true'}});
                }""")
            got.value.finished()
            seen.page.wait_for_timeout(50)
            assert seen.page.query_selector("main img, main script, main [onclick], main [style], main iframe") is None
            assert seen.page.evaluate("window.stopped") == []
    assert seen.wrong == []


def test_a_long_value_can_be_read_whole(browser: Browser, people_site: Site, peopled: Peopled) -> None:
    with watched(browser, "phone") as seen:
        seen.show(f"{people_site.url}/deals/sandbox/{peopled.deals.hostile[0]}")
        first = seen.page.locator("details.long").first
        assert not first.locator(".whole").is_visible()
        first.locator("summary").click()
        assert "long long long" in first.locator(".whole").inner_text()
        assert seen.overflow == 0


def test_the_page_renews_itself_and_keeps_what_the_reader_does(
    browser: Browser, people_site: Site, peopled: Peopled
) -> None:
    with watched(browser) as seen:
        seen.show(f"{people_site.url}/deals/sandbox/{peopled.deals.approved}")
        page = seen.page
        page.locator("details > summary").last.click()
        page.locator("a", has_text="Record in Salesforce").focus()
        _renew(page)
        assert page.evaluate("document.activeElement.textContent").startswith("Record in Salesforce")
        assert page.locator("details").last.evaluate("one => one.open")
        assert page.inner_text("#news") == ""
        # Something has changed: it is said to whom cannot see it.
        page.route("**/deals/**", lambda route: route.fulfill(body=_newer(route.fetch().text())))
        _renew(page)
        wait_until(lambda: "something has changed" in page.inner_text("#news"), "that it is told", 10)


def _newer(text: str) -> str:
    return text.replace('data-version="', 'data-version="newer')


def _renew(page: Page) -> None:
    with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true") as got:
        page.evaluate("""() => {
            window.swapped = false;
            document.addEventListener('htmx:after:swap', () => { window.swapped = true; }, {once: true});
            window.htmx.trigger(document.querySelector('[data-live]'), 'awake', {}, false);
        }""")
    assert got.value.ok
    wait_until(lambda: bool(page.evaluate("window.swapped")), "the swap", 10)


def test_nothing_is_asked_while_nobody_looks(browser: Browser, people_site: Site) -> None:
    with watched(browser) as seen:
        seen.show(people_site.url)
        asked: list[str] = []
        seen.page.on("request", lambda request: asked.append(request.url))
        hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
        awake = "window.htmx.trigger(document.querySelector('[data-live]'), 'awake', {}, false)"
        seen.page.evaluate(hide % "true")
        seen.page.evaluate(awake)
        seen.page.wait_for_timeout(200)
        assert asked == []
        seen.page.evaluate(hide % "false")
        with seen.page.expect_response(lambda answer: answer.ok):
            seen.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert asked == [f"{people_site.url}/"]


def test_a_connector_that_is_gone_is_said_to_be(browser: Browser, world: World) -> None:
    with watched(browser) as seen:
        with served(world.app()) as site:
            seen.show(site.url)
        seen.page.evaluate("window.htmx.trigger(document.querySelector('[data-live]'), 'awake', {}, false)")
        wait_until(lambda: "has not answered" in seen.page.inner_text("#news"), "that it is told", 10)
        assert "No deals yet" in seen.page.inner_text("main")


def test_it_works_from_the_keyboard(browser: Browser, people_site: Site) -> None:
    with watched(browser) as seen:
        seen.show(people_site.url)
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        skip = seen.page.locator(".skip")
        wait_until(lambda: (skip.bounding_box() or {"y": -1})["y"] >= 0, "the link comes into view", 5)
        seen.page.keyboard.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "main"
        outlines = "getComputedStyle(document.activeElement).outlineStyle"
        for _ in range(12):
            seen.page.keyboard.press("Tab")
            assert seen.page.evaluate("document.activeElement.closest('main') !== null")
            assert seen.page.evaluate(outlines) == "solid"


def test_it_works_without_scripts(browser: Browser, world: World) -> None:
    deal = world.opportunity(AWS_Business_Problem__c="short")
    world.settle(deal)
    with served(world.app()) as site, watched(browser, "phone", java_script_enabled=False) as seen:
        page = seen.page
        page.goto(f"{site.url}/deals")
        page.fill("#find", deal)
        page.click("button:has-text('Search')")
        page.wait_for_url(f"**/deals/sandbox/{deal}")
        page.click("button:has-text('Try again')")
        page.wait_for_url("**?done=retry")
        assert "It is tried again" in page.locator("[role=status]").first.inner_text()
        assert [one for _, one in site.app.ledger.requests("sandbox")] == [deal]


def test_headings_are_in_order_and_print_is_plain(browser: Browser, people_site: Site, peopled: Peopled) -> None:
    with watched(browser) as seen:
        for path in pages_of(peopled).values():
            seen.show(people_site.url + path)
            levels = seen.page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(one => Number(one.tagName[1]))")
            assert levels[0] == 1
            assert levels.count(1) == 1
            assert all(after - before <= 1 for before, after in pairwise(levels))
        seen.page.emulate_media(media="print")
        assert not seen.page.locator(".search").is_visible()
