"""A small world for tests: the sandbox over HTTPS, a ledger of its own, and the connector between them."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from connector import config as configuration
from connector import report
from connector.app import App
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox
from connector.sync import Context, learn
from connector.sync.settle import settle

FAST = Settings(quotas=False)
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}
QUOTA = "      quota: {writes_per_second: 500, reads_per_second: 500}\n"


@dataclass
class World:
    """One sandbox, one configuration file, one ledger."""

    sandbox: Sandbox
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def write_config(self, extra: str = "") -> Path:
        self.config.write_text(self.sandbox.config_text("sqlite:///ledger.db") + QUOTA + extra, encoding="utf-8")
        return self.config

    def app(self) -> App:
        """A new application on the same configuration and ledger, as after a restart."""
        app = App(configuration.load(self.config, ENVIRONMENT), threading.Event())
        app.upgrade()
        return app

    def context(self) -> Context:
        return self.app().contexts["sandbox"]

    def settle(self, *ids: str) -> Context:
        """Settle records (none: all flagged) with a new application."""
        context = self.context()
        settle(context, list(ids) or None, patience=timedelta(seconds=20))
        return context

    def show(self, salesforce_id: str) -> dict[str, Any]:
        story = report.show(self.app(), salesforce_id)
        assert story is not None
        return story

    def opportunity(self, **fields: Any) -> str:
        """A complete, flagged opportunity of an account of its own; gives its Salesforce id."""
        org = self.sandbox.org
        number = len(org.records("Account"))
        account = org.insert(
            "Account",
            {
                "Name": f"Company {number}",
                "Website": f"https://company{number}.example",
                "Industry": "Banking",
                "BillingCity": "Austin",
                "BillingState": "Texas",
                "BillingPostalCode": "78767",
                "BillingCountry": "United States",
            },
        )
        complete = {
            "Name": f"Deal {number}",
            "AccountId": account,
            "StageName": "Qualification",
            "CloseDate": (date.today() + timedelta(days=90)).isoformat(),  # noqa: DTZ011 (a seller's calendar)
            "Amount": 120000,
            "Type": "New Customer",
            "Share_With_AWS__c": True,
            "AWS_Business_Problem__c": "Their data centre closes next year and all of it has to move.",
            "AWS_Customer_Use_Case__c": "Migration / Database Migration",
            "AWS_Delivery_Models__c": "Managed Services",
            "AWS_Sales_Activities__c": "Initialized discussions with customer",
            "AWS_Primary_Needs__c": "Co-Sell - Technical Consultation",
            "AWS_Solution_Ids__c": "S-0001111",
        }
        return org.insert("Opportunity", {**complete, **fields})

    def record(self, salesforce_id: str) -> dict[str, Any]:
        """The row as Salesforce holds it."""
        return defaultdict(lambda: None, self.sandbox.org.get("Opportunity", salesforce_id))

    def edit(self, salesforce_id: str, **fields: Any) -> None:
        self.sandbox.org.update("Opportunity", salesforce_id, fields)

    def at_aws(self, salesforce_id: str) -> list[dict[str, Any]]:
        """Every opportunity at AWS that carries this record's id: never more than one."""
        found = self.sandbox.service.opportunities()
        return [entry for entry in found if entry.get("PartnerOpportunityIdentifier") == salesforce_id]

    def effects(self, salesforce_id: str) -> Counter[str]:
        """What really happened at AWS for one record, replays not counted."""
        ids = {entry["Id"] for entry in self.at_aws(salesforce_id)}
        counted: Counter[str] = Counter()
        for entry in self.sandbox.service.journal:
            about = entry.body.get("Identifier") or entry.body.get("OpportunityIdentifier")
            is_ours = (isinstance(about, str) and about in ids) or entry.body.get(
                "PartnerOpportunityIdentifier"
            ) == salesforce_id
            if (
                entry.outcome == "ok"
                and not entry.is_replay
                and is_ours
                and not entry.operation.startswith(("Get", "List"))
            ):
                counted[entry.operation] += 1
        return counted

    @property
    def calls(self) -> tuple[int, int, int]:
        """(writes at AWS, writes at Salesforce, rows of the journal)."""
        collections = sum(1 for label, _ in self.sandbox.org.calls if label.startswith("PATCH"))
        return self.sandbox.service.writes, collections, len(self.sandbox.service.journal)


@contextmanager
def world(folder: Path, settings: Settings = FAST, *, seed: bool = False) -> Iterator[World]:
    """A world in ``folder``; tasks are confirmed at once, so that nobody waits."""
    before = learn.CONFIRM_AFTER
    learn.CONFIRM_AFTER = timedelta(seconds=0.05)
    try:
        with Sandbox(directory=folder, settings=settings, seed=seed) as sandbox:
            made = World(sandbox, folder)
            made.write_config()
            yield made
    finally:
        learn.CONFIRM_AFTER = before


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Fail unless the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)
