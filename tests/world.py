"""A small world for tests: the sandbox over HTTPS, a ledger of its own, and the connector between them."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from botocore.loaders import JSONFileLoader

from connector import app as building
from connector import config as configuration
from connector import mapping_files, report
from connector.adapters.clock import SystemClock
from connector.app import App
from connector.core.mapping import CompiledMapping
from connector.mapping_files import Files, load_mapping
from connector.sandbox.partner_central import service as serving
from connector.sandbox.partner_central.calls import Call
from connector.sandbox.partner_central.errors import ServiceError
from connector.sandbox.partner_central.service import Entry
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox
from connector.sync import Context, learn, lookup
from connector.sync.settle import settle
from tests import databases

FAST = Settings(quotas=False)
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}
QUOTA = "      quota: {writes_per_second: 500, reads_per_second: 500}\n"
NO_PAGE = "web: {listen: off}\n"
"""Several daemons run at once on the machine of the tests."""
SHORTENED = (
    (learn, "CONFIRM_AFTER", 0.05),
    (learn, "PENDING_AFTER", 0.3),
    (lookup, "LISTED_WITHIN", 0.05),
)
"""Pauses that wait for AWS, which is not slow here: module, constant, seconds."""
UPDATABLE = (
    "Customer",
    "LastModifiedDate",
    "LifeCycle",
    "Marketing",
    "NationalSecurity",
    "OpportunityType",
    "PartnerOpportunityIdentifier",
    "PrimaryNeedsFromAws",
    "Project",
    "SoftwareRevenue",
)
"""What UpdateOpportunity takes of an opportunity, beside its id."""
INVITING = ("mappings/opportunity.yaml", "mappings/invitations.yaml")
"""The shipped mapping with its invitations."""
ROW = "AWS_Partner_Invitation__c"


@dataclass
class World:
    """One sandbox, one configuration file, one ledger at the URL ``database``.

    ``mapping`` are the configuration's mapping files; none stand for the default one.
    """

    sandbox: Sandbox
    folder: Path
    database: str = "sqlite:///ledger.db"
    hands: list[int] = field(default_factory=list)
    mapping: tuple[str, ...] = ()
    said_at_aws: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def write_config(self, extra: str = "") -> Path:
        mapping = f"    mapping: {json.dumps(self.mapping)}\n" if self.mapping else ""
        text = NO_PAGE + self.sandbox.config_text(self.database) + QUOTA + mapping + extra
        self.config.write_text(text, encoding="utf-8")
        return self.config

    @property
    def has_ledger(self) -> bool:
        return databases.has_ledger(self.database)

    @property
    def ledger_content(self) -> object:
        """All that stands in the ledger, to be compared."""
        return databases.content(self.database)

    def without_ledger(self) -> None:
        """Let there be no ledger, as before the first command."""
        databases.empty(self.database)

    def command_app(self) -> App:
        """An application as a command opens it: it makes no ledger."""
        return App(configuration.load(self.config, ENVIRONMENT))

    def app(self) -> App:
        """A new application on the same configuration and ledger, as after a restart."""
        app = self.command_app()
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

    def invite(self, salesforce_id: str, account: str, **fields: Any) -> str:
        """A complete invitation row of a record; gives its id."""
        complete = {
            "Opportunity__c": salesforce_id,
            "Partner_Name__c": f"Partner {account}",
            "Partner_AWS_Account__c": account,
            "Message__c": "We would like to do this with you.",
            "Responsibilities__c": "Reseller",
            "Sender_First_Name__c": "Ina",
            "Sender_Last_Name__c": "Invites",
            "Sender_Title__c": "Alliance Lead",
            "Sender_Email__c": "ina@partner.example",
        }
        return self.sandbox.org.insert(ROW, {**complete, **fields})

    def row(self, row_id: str) -> dict[str, Any]:
        """An invitation row as Salesforce holds it."""
        return defaultdict(lambda: None, self.sandbox.org.get(ROW, row_id))

    def edit_row(self, row_id: str, **fields: Any) -> None:
        self.sandbox.org.update(ROW, row_id, fields)

    def invitations_of(self, account: str) -> list[dict[str, Any]]:
        """Every invitation that this account ever got, oldest first."""
        found = self.sandbox.service.invitations()
        return [one for one in found if one["Receiver"]["Account"]["AwsAccountId"] == account]

    def change_at_aws(self, opportunity_id: str, **changes: Any) -> None:
        """AWS itself changes members of an opportunity, by dotted path; what it says may not vanish later."""
        self.sandbox.service.edit_at_aws(opportunity_id, **changes)
        self.said_at_aws.append((len(self.sandbox.service.journal), opportunity_id, changes))

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

    def by_hand(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """What a person, or another tool of the same partner, does at AWS: one request past the network."""
        service = self.sandbox.service
        sent = {"Catalog": "Sandbox", **body}
        answer = service.perform(operation, service.account_of("by-hand"), sent).render()
        self.hands += [id(entry) for entry in service.journal if entry.body == sent and id(entry) not in self.hands]
        return answer

    def edit_at_aws(self, opportunity_id: str, changes: dict[str, Any]) -> None:
        """A person edits fields in Partner Central, by dotted path; everything else is sent back as it was."""
        (found,) = [entry for entry in self.sandbox.service.opportunities() if entry["Id"] == opportunity_id]
        body = {name: found[name] for name in UPDATABLE if name in found}
        for path, value in changes.items():
            *steps, last = path.split(".")
            inner = body
            for step in steps:
                inner = inner.setdefault(step, {})
            inner[last] = value
        self.by_hand("UpdateOpportunity", {**body, "Identifier": opportunity_id})

    def associate_at_aws(self, opportunity_id: str, kind: str, identifier: str) -> None:
        """A person associates something in Partner Central."""
        body = {"RelatedEntityType": kind, "RelatedEntityIdentifier": identifier}
        self.by_hand("AssociateOpportunity", {"OpportunityIdentifier": opportunity_id, **body})

    @property
    def ours(self) -> list[Entry]:
        """The journal of Partner Central without what people did there by hand."""
        return [entry for entry in list(self.sandbox.service.journal) if id(entry) not in self.hands]

    @property
    def calls(self) -> tuple[int, int, int]:
        """(writes at AWS, writes at Salesforce, rows of the journal)."""
        collections = sum(1 for label, _ in self.sandbox.org.calls if label.startswith("PATCH"))
        return self.sandbox.service.writes, collections, len(self.sandbox.service.journal)


_loaded: dict[tuple[object, ...], CompiledMapping] = {}


def load_once(files: Files, shown_as: str | None = None) -> CompiledMapping:
    """As ``load_mapping``; the same content is compiled once in a process, which is half of what a start costs."""
    try:
        key = (files, shown_as, Path.cwd(), mapping_files.digest_of((files,) if isinstance(files, Path) else files))
    except (OSError, ValueError):  # what is wrong with it
        return load_mapping(files, shown_as)
    if key not in _loaded:
        _loaded[key] = load_mapping(files, shown_as)
    return _loaded[key]


@contextmanager
def world(
    folder: Path, settings: Settings = FAST, *, seed: bool = False, mapping: tuple[str, ...] = ()
) -> Iterator[World]:
    """A world in ``folder``, in which nobody waits long for AWS. ``mapping``: see World."""
    with ExitStack() as stack:
        for module, name, seconds in SHORTENED:
            stack.enter_context(mock.patch.object(module, name, timedelta(seconds=seconds)))
        stack.enter_context(mock.patch.object(mapping_files, "load_mapping", load_once))
        database = stack.enter_context(databases.database(folder))
        stack.enter_context(databases.one_pool(building))
        sandbox = stack.enter_context(Sandbox(directory=folder, settings=settings, seed=seed))
        made = World(sandbox, folder, database, mapping=mapping)
        made.write_config()
        yield made


@contextmanager
def quick_starts() -> Iterator[None]:
    """Every start of a connector reads a mapping and AWS's model only if none did before, and nobody sleeps long."""
    sleep = SystemClock.sleep
    with ExitStack() as stack:
        for owner, name, value in (
            (mapping_files, "load_mapping", cache(mapping_files.load_mapping)),
            (JSONFileLoader, "load_file", cache(JSONFileLoader.load_file)),
            (SystemClock, "sleep", lambda clock, seconds: sleep(clock, min(seconds, 0.05))),
        ):
            stack.enter_context(mock.patch.object(owner, name, value))
        yield


@contextmanager
def denied(operation: str) -> Iterator[None]:
    """AWS does not let us do this for a while."""

    def deny(_call: Call, _body: Any) -> Any:
        raise ServiceError("AccessDeniedException", "User is not authorized to perform this.")

    with mock.patch.dict(serving.OPERATIONS, {operation: deny}):
        yield


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Fail unless the condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)
