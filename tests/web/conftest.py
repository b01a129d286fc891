"""The page over HTTP: a world with deals in it, served on a free port of 127.0.0.1."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from connector.app import App
from connector.config.models import Web
from connector.watch.beats import Beats
from connector.web.server import WebServer
from connector.web.serving import Serving
from tests.world import ENVIRONMENT, INVITING, World, wait_until, world

TOKEN = "a-token-of-thirty-two-characters"
ACTOR = "daemon on test (process 1)"
FORM = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass
class Site:
    """A served page: its address, and the application behind it. ``session`` keeps cookies as a browser does."""

    url: str
    app: App
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, allow_redirects=False, timeout=20, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.url + path, allow_redirects=False, timeout=20, **options)

    def press(self, page: str, action: str, **fields: str) -> requests.Response:
        """Send a form of a page, as it stands there."""
        shown = self.get(page)
        assert f'action="{action}"' in shown.text
        return self.post(action, data={"csrf": self.csrf(shown), **fields})

    def csrf(self, shown: requests.Response) -> str:
        found = FORM.search(shown.text)
        assert found is not None, shown.text
        return found[1]

    def sign_in(self, name: str = "Renate Ops", token: str = TOKEN) -> requests.Response:
        return self.post("/sign-in", data={"token": token, "name": name, "next": "/deals"})

    def counted(self, path: str = "/") -> requests.Response:
        """A page once what it shows was counted."""
        wait_until(lambda: "being counted" not in self.get(path).text, "the count", 20)
        return self.get(path)


@contextmanager
def served(app: App, **web: Any) -> Iterator[Site]:
    """Serve an application, with other settings of ``web`` than its own."""
    listen = web.pop("listen", "127.0.0.1:0")
    token = SecretStr(web.pop("token")) if "token" in web else None
    section = Web(listen=listen, token=token, **web)
    app.config = replace(app.config, web=section)
    server = WebServer(Serving(lambda: app, Beats(), ACTOR))
    with server:
        wait_until(lambda: server.bound is not None, "the server listens", 20)
        assert server.bound is not None
        with requests.Session() as session:
            session.trust_env = False
            yield Site(f"http://127.0.0.1:{server.bound[1]}", app, session)


Serve = Callable[..., AbstractContextManager[Site]]


def counting_threads() -> list[threading.Thread]:
    """Those that count what pages show."""
    return [one for one in threading.enumerate() if one.name == "page-counts"]


@pytest.fixture(autouse=True)
def _counts_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """No count goes on when a test's ledger is closed: the connection that it holds would stay open."""
    for name in {"world", "peopled"} & set(request.fixturenames):
        request.getfixturevalue(name)
    yield
    wait_until(lambda: not counting_threads(), "the end of the counts", 20)


@pytest.fixture(name="site")
def site_fixture(world: World) -> Iterator[Site]:
    """Nothing but an empty ledger, open to this machine."""
    with served(world.app()) as site:
        yield site


@dataclass(frozen=True)
class Deals:
    """Salesforce ids of deals, by what became of them."""

    approved: str
    reviewed: str
    asked: str
    rejected: str
    short: tuple[str, ...]
    hostile: tuple[str, ...]


HOSTILE = (
    "<script>document.title='owned';alert(1)</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "\u202egnp.exe \u2066hidden",
    "javascript:alert(3)",
    "' onmouseover='alert(4)' x='",
    "{{7*7}} <hx-partial hx-get=/sign-out></template></title>",
    "Bell\u0007 and \u001b[31mred\u001b[0m",
    "w" * 120,
)
EVIL = '<script>alert(9)</script>" onload=alert(1) \u202e ' + "long " * 380


@dataclass(frozen=True)
class Peopled:
    """A world in which much has happened."""

    world: World
    deals: Deals


@pytest.fixture(name="peopled", scope="module")
def peopled_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peopled]:
    """Deals in every state, some with names and values that would like to be more than text."""
    with pytest.MonkeyPatch.context() as patch, world(tmp_path_factory.mktemp("people"), mapping=INVITING) as made:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield Peopled(made, people(made))


def people(world: World) -> Deals:
    """Make the deals, and have AWS say something of them."""
    names = ("Harbour data lake", "Nordwind ERP", "Contoso contact centre", "Fabrikam analytics")
    approved, reviewed, asked, rejected = (world.opportunity(Name=name) for name in names)
    short = tuple(world.opportunity(Name=f"Short {n}", AWS_Business_Problem__c="too short") for n in range(3))
    hostile = tuple(world.opportunity(Name=name) for name in HOSTILE)
    world.edit(hostile[0], AWS_Business_Problem__c=EVIL)
    account = world.record(hostile[3])["AccountId"]
    world.sandbox.org.update("Account", account, {"Website": "javascript:alert(7)"})
    world.invite(approved, "222233334444", Message__c="<b>bold</b><script>alert(5)</script> join us in this deal")
    world.settle()
    service = world.sandbox.service
    numbers = {one: world.record(one)["AWS_Opportunity_Id__c"] for one in (approved, reviewed, asked, rejected)}
    for number in numbers.values():
        service.review(number, "In review")
    service.review(numbers[approved], "Approved")
    service.review(numbers[asked], "Action Required", "Please give the <b>right</b> website.")
    service.review(numbers[rejected], "Rejected", "AWS serves this customer already.")
    world.settle()
    world.edit(approved, NextStep="Workshop", Name="Harbour data lake, second phase")
    world.edit(reviewed, NextStep="Call on Monday")
    world.settle()
    return Deals(approved, reviewed, asked, rejected, short, hostile)


@pytest.fixture(name="people_site", scope="module")
def people_site_fixture(peopled: Peopled) -> Iterator[Site]:
    """That world, open to this machine."""
    with served(peopled.world.app()) as site:
        yield site


@pytest.fixture(name="static_folder", scope="session")
def static_folder_fixture() -> Path:
    return Path(__file__).parents[2] / "connector" / "web" / "page" / "static"
