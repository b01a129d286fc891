"""A world for many connections: both services, a ledger in PostgreSQL or SQLite, and connectors as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from connector import config as configuration
from connector.app import App
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox
from connector.sync import Context
from tests import audit
from tests.audit import Complaint, Deal
from tests.fleet_processes import Worker
from tests.fleet_witness import Sent, Witness
from tests.postgres import Server
from tests.world import NO_PAGE, World, wait_until

ROOT = Path(__file__).parents[1]
ACCOUNTS = 10
KINDS = (*audit.KINDS, "two writers", "account")
CATALOG = "Sandbox"
MAPPING = """\
version: 1
salesforce:
  object: Opportunity
  where: Share_With_AWS__c = TRUE AND Name LIKE '{name} %'
opportunity:
  Origin: {{value: Partner Referral}}
  PartnerOpportunityIdentifier: Id
  OpportunityType: {{value: Net New Business}}
  PrimaryNeedsFromAws: {{from: AWS_Primary_Needs__c, transform: split}}
  NationalSecurity: {{value: No}}
  Customer:
    Account:
      CompanyName: Account.Name
      WebsiteUrl: Account.Website
      Industry: {{value: Financial Services}}
      Address: {{CountryCode: {{value: US}}, StateOrRegion: {{value: Texas}}, PostalCode: {{value: "78767"}}}}
  Project:
    Title: Name
    CustomerBusinessProblem: AWS_Business_Problem__c
    CustomerUseCase: AWS_Customer_Use_Case__c
    DeliveryModels: {{from: AWS_Delivery_Models__c, transform: split}}
    SalesActivities: {{from: AWS_Sales_Activities__c, transform: split}}
    ExpectedCustomerSpend:
      - {{Amount: {{from: Amount, transform: money}}, CurrencyCode: {{value: USD}}, Frequency: {{value: Monthly}},
         TargetCompany: {{value: AWS}}}}
  LifeCycle:
    ReviewStatus: {{value: Pending Submission}}
    Stage: {{value: Qualified}}
    TargetCloseDate: {{from: CloseDate, transform: date}}
    NextSteps: NextStep
  Marketing: {{Source: {{value: None}}}}
associate:
  Solutions: {{from: AWS_Solution_Ids__c, transform: split}}
submission:
  InvolvementType: {{value: Co-Sell}}
  Visibility: {{value: Full}}
write_back:
  AWS_Opportunity_Id__c: opportunity.Id
  AWS_Review_Status__c: opportunity.LifeCycle.ReviewStatus
  AWS_Sync_Status__c: sync.status
  AWS_Sync_Message__c: sync.message
"""
"""Few leaves: what is proven here does not depend on how much is mapped, and three processes share two cores."""


def account_number(index: int) -> str:
    return f"111122223{index:03}"


@dataclass
class FleetWorld(World):
    """Connections that each pick their own records of one org, on ten AWS accounts, with a ledger in PostgreSQL."""

    connections: tuple[str, ...] = ()
    rate: float = 1.0
    """Writes a second that AWS allows each account, and that the configuration says."""
    deals: dict[str, str] = field(default_factory=dict)
    """The connection of each record."""
    workers: list[Worker] = field(default_factory=list)
    witness: Witness = field(init=False)
    accounts: int = ACCOUNTS
    hurried: bool = False
    """Whether its processes leave out the pauses that wait for an AWS which lists late."""
    _spawned: int = 0

    def __post_init__(self) -> None:
        self.witness = Witness(self.sandbox)
        self.sandbox.org.usage.limit = 10_000_000

    def account(self, connection: str) -> str:
        return account_number(self.connections.index(connection) % self.accounts)

    @property
    def all_accounts(self) -> list[str]:
        return sorted({self.account(name) for name in self.connections})

    def sharing(self, account: str) -> list[str]:
        return [name for name in self.connections if self.account(name) == account]

    # -- the files -------------------------------------------------------------------------------------

    def write_config(self, extra: str = "") -> Path:
        """One mapping for each connection, and config.yaml; ``extra`` are further sections of its top level."""
        for name in self.connections:
            (self.folder / f"{name}.mapping.yaml").write_text(MAPPING.format(name=name), encoding="utf-8")
        head = f"{NO_PAGE}database: {json.dumps(self.database)}\nlog: {{format: json}}\n{extra}"
        self._write_connections(head)
        return self.config

    def _write_connections(self, head: str) -> None:
        folder = self.folder / "connections"
        folder.mkdir(exist_ok=True)
        for name in self.connections:
            (folder / f"{name}.yaml").write_text(json.dumps(self._section(name)) + "\n", encoding="utf-8")
        self.config.write_text(f"{head}connections_dir: connections\n", encoding="utf-8")

    def _section(self, name: str) -> dict[str, Any]:
        ca_bundle = str(self.sandbox.ca_bundle)
        auth = {"method": "client_credentials", "client_id": self.sandbox.client_id}
        return {
            "salesforce": {
                "login_url": self.sandbox.url,
                "auth": {**auth, "client_secret": self.sandbox.client_secret},
                "ca_bundle": ca_bundle,
                "daily_api_share": 1.0,
            },
            "partner_central": {
                "catalog": CATALOG,
                "profile": f"account-{self.account(name)}",
                "endpoint_url": self.sandbox.url,
                "ca_bundle": ca_bundle,
                "quota": {"writes_per_second": self.rate, "reads_per_second": 10 * self.rate},
            },
            "mapping": f"{name}.mapping.yaml",
            "limits": {"creates_per_day": 1_000_000, "creates_per_pass": 1_000_000},
        }

    def environment(self, process: str) -> dict[str, str]:
        """The variables of one process: its keys, and no way to any others."""
        home = self.folder / "aws"
        home.mkdir(exist_ok=True)
        credentials = home / process
        credentials.write_text(self._credentials(process), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own = {
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_CONFIG_FILE": str(home / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "CONNECTOR_CONFIG": str(self.config),
            "PYTHONPATH": str(ROOT),
        }
        return {**kept, **own}

    def _credentials(self, process: str) -> str:
        sections = [
            f"[account-{account}]\naws_access_key_id = {process}.{account}\naws_secret_access_key = sandbox\n"
            f"aws_account_id = {account}\n"
            for account in map(account_number, range(self.accounts))
        ]
        return "\n".join(sections)

    # -- processes -------------------------------------------------------------------------------------

    def start(self, *command: str, ahead: float = 0.0) -> Worker:
        """One more process: a worker unless told otherwise. ``ahead``: by how many seconds its clock is."""
        self._spawned += 1
        name = f"process{self._spawned:03}"
        altered = json.dumps({"ahead": ahead, "hurried": self.hurried})
        is_plain = not (ahead or self.hurried)
        module = ("connector",) if is_plain else ("tests.altered", altered)
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", *module, *(command or ("worker",))],
                cwd=self.folder,
                env=self.environment(name),
                stdout=stream,
                stderr=stream,
            )
        worker = Worker(name, process, log)
        self.workers.append(worker)
        return worker

    def upgrade(self) -> None:
        """The database's tables, the queue's among them, by the command that people use."""
        worker = self.start("db", "upgrade")
        assert worker.process.wait(timeout=120) == 0, worker.text()

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_alive]

    def end(self) -> None:
        """Nothing of this world runs on."""
        for worker in self.alive:
            worker.process.send_signal(signal.SIGCONT)
            worker.kill()

    # -- records ---------------------------------------------------------------------------------------

    def deal(self, connection: str, **fields: Any) -> str:
        """A complete, flagged record of one connection."""
        made = self.opportunity(Name=f"{connection} deal {len(self.deals)}", **fields)
        self.deals[made] = connection
        return made

    def of(self, connection: str) -> list[str]:
        return [deal for deal, owner in self.deals.items() if owner == connection]

    def is_synced(self, deal: str) -> bool:
        row = self.sandbox.org.get("Opportunity", deal)
        return row.get("AWS_Sync_Status__c") == "Synced" and bool(row.get("AWS_Opportunity_Id__c"))

    def first_tasks(self) -> dict[str, float]:
        """When AWS took each record's submission, by record; seconds since 1970."""
        found: dict[str, float] = {}
        for sent in list(self.witness.writes):
            if sent.entry.operation == audit.START and sent.entry.outcome == "ok":
                found.setdefault(self.witness.record_of(sent), sent.at)
        return found

    def connection_of(self, sent: Sent) -> str:
        """Whose record a call was about."""
        return self.deals.get(self.witness.record_of(sent), "")

    # -- judgement -------------------------------------------------------------------------------------

    @cached_property
    def reader(self) -> App:
        """Only reads, to compare with."""
        return App(configuration.load(self.config, self.environment("reader")))

    def context_of(self, connection: str) -> Context:
        return self.reader.contexts[connection]

    def unsettled(self) -> list[Complaint]:
        """What keeps the records from being whole, submitted and shown."""
        waiting = [deal for deal in self.deals if not self.is_synced(deal)]
        if waiting:
            return [Complaint("lost", f"{len(waiting)} records are not synced, such as {waiting[0]}")]
        seen = _Seen(self)
        found: list[Complaint] = []
        for name in self.connections:
            found += audit.settled(seen, self.context_of(name), [Deal(deal) for deal in self.of(name)])
        return found

    def wait_until_synced(self, seconds: float) -> None:
        """Return once Salesforce shows every record as synced."""
        wait_until(lambda: all(map(self.is_synced, list(self.deals))), "all records to be synced", seconds)

    def wait_until_settled(self, seconds: float = 300.0) -> None:
        """Return once every record is whole at both sides; fails with what is not."""
        found = self.settle(seconds)
        assert not found, f"{len(found)} complaints: {found[:5]}\n{self.last_words}"

    def settle(self, seconds: float) -> list[Complaint]:
        """Wait until every record is whole at both sides; gives what is not when the time is up."""
        deadline = time.monotonic() + seconds
        with suppress(AssertionError):
            self.wait_until_synced(seconds)
        while (found := self.unsettled()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    @property
    def last_words(self) -> str:
        """What the latest processes said."""
        return "\n".join(f"{worker.name}: {worker.text()[-1500:]}" for worker in self.workers[-4:])

    def judge(self) -> list[Complaint]:
        """What must hold at any moment, whatever happened to the processes."""
        return [
            *audit.always(_Seen(self), list(self.deals)),
            *self._doubled_calls(),
            *self._two_writers(),
            *self._foreign(),
        ]

    def _doubled_calls(self) -> Iterator[Complaint]:
        """No more creates or starts took effect than there are records."""
        done: dict[tuple[str, str], int] = defaultdict(int)
        for entry in list(self.sandbox.service.journal):
            if entry.outcome == "ok" and not entry.is_replay and entry.operation == "CreateOpportunity":
                done[entry.operation, str(entry.body.get("PartnerOpportunityIdentifier"))] += 1
            if entry.outcome == "ok" and not entry.is_replay and entry.operation == audit.START:
                done[entry.operation, str(entry.body["Identifier"])] += 1
        for what, number in done.items():
            if number > 1:
                yield Complaint("duplicate", f"{what} took effect {number} times")

    def _two_writers(self) -> Iterator[Complaint]:
        """At no time two living processes have a write under way on one account."""
        for account in map(account_number, range(self.accounts)):
            longest: dict[str, Sent] = {}
            for sent in list(self.witness.writes):
                if sent.entry.account != account:
                    continue
                for other, before in longest.items():
                    is_under_way = other != sent.process and before.answered_at > sent.at
                    if is_under_way and self._was_running(other, before.at, sent.at):
                        text = f"{sent.process} wrote to {account} while a write of {other} was under way"
                        yield Complaint("two writers", f"{text}, {before.answered_at - sent.at:.3f} s")
                known = longest.get(sent.process)
                if known is None or sent.answered_at >= known.answered_at:
                    longest[sent.process] = sent

    def _was_running(self, name: str, since: float, until: float) -> bool:
        """Whether a process was alive and not paused at any moment between the two."""
        (worker,) = [one for one in self.workers if one.name == name]
        is_dead = bool(worker.killed_at) and worker.killed_at <= until
        return not is_dead and not any(begun <= until and since <= ended for begun, ended in worker.paused)

    def _foreign(self) -> Iterator[Complaint]:
        """Every record was written on the account of its own connection."""
        for sent in list(self.witness.writes):
            connection = self.connection_of(sent)
            if sent.entry.outcome == "ok" and sent.entry.account != self.account(connection):
                yield Complaint("account", f"a write of {connection} on {sent.entry.account}")

    def gaps(self) -> dict[str, list[float]]:
        """Seconds between one write and the next, by account; throttled ones are not counted."""
        found: dict[str, list[float]] = defaultdict(list)
        last: dict[str, float] = {}
        for sent in list(self.witness.writes):
            account = str(sent.entry.account)
            if sent.entry.outcome == "ThrottlingException":
                continue
            if account in last:
                found[account].append(sent.at - last[account])
            last[account] = sent.at
        return found

    def throttled(self) -> tuple[int, int]:
        """Calls that AWS throttled: all, and those right after another process had called on the account.

        The first come of a machine that is too busy to keep its turns apart; the second would be of the hand-over.
        """
        last: dict[tuple[str, bool], str] = {}
        found: list[bool] = []
        for sent in list(self.witness.calls):
            about = (str(sent.entry.account), sent.is_write)
            if sent.entry.outcome == "ThrottlingException":
                found.append(last.get(about, sent.process) != sent.process)
            last[about] = sent.process
        return len(found), sum(found)

    def longest_wait(self, since: float, until: float) -> dict[str, float]:
        """The longest time that a connection's records were not asked for, by connection."""
        waits = {}
        for name in self.connections:
            times = [since, *(at for at in self.witness.looks.get(name, ()) if since <= at <= until), until]
            waits[name] = max(after - before for before, after in pairwise(times))
        return waits


class _Seen(World):
    """The world as an audit sees it, each opportunity shown once and not once for each record."""

    def __init__(self, world: FleetWorld) -> None:
        super().__init__(world.sandbox, world.folder, hands=world.hands, said_at_aws=world.said_at_aws)
        self._by_record: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in world.sandbox.service.opportunities():
            self._by_record[str(one.get("PartnerOpportunityIdentifier"))].append(one)

    def at_aws(self, salesforce_id: str) -> list[dict[str, Any]]:
        return self._by_record[salesforce_id]


SETTINGS = Settings(review_after=1.0, review_as="Approved", start_latency=(0.2, 1.0))
"""A submission takes a while, so that processes die in the middle of one."""


@contextmanager
def many_world(
    folder: Path,
    connections: int,
    *,
    database: str = "sqlite:///ledger.db",
    rate: float = 1.0,
    accounts: int = ACCOUNTS,
    hurried: bool = False,
    settings: Settings = SETTINGS,
    extra: str = "",
) -> Iterator[FleetWorld]:
    """A world with so many connections, and no process running yet.

    ``rate`` is what AWS allows each account, in writes a second; ``extra`` is put at the top of config.yaml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(f"c{number:02}" for number in range(connections))
    paced = settings.changed({"writes_per_second": rate, "reads_per_second": 10 * rate, "writes_per_day": 10_000_000})
    sandbox = Sandbox(directory=folder, settings=paced, seed=False)
    made = FleetWorld(
        sandbox, folder, database=database, connections=names, rate=rate, accounts=accounts, hurried=hurried
    )
    try:
        sandbox.start()
        made.write_config(extra)
        yield made
    finally:
        made.end()
        sandbox.stop()
        if "reader" in made.__dict__:
            made.reader.engine.dispose()


@contextmanager
def fleet_world(folder: Path, connections: int, **options: Any) -> Iterator[tuple[FleetWorld, Server]]:
    """The same on a PostgreSQL of its own, ready for workers."""
    with Server() as server, many_world(folder, connections, database=server.url, **options) as made:
        made.upgrade()
        yield made, server
