"""The one place that builds things: config → ledger and adapters → the contexts that the verbs work on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from connector.adapters.clock import Stopping, SystemClock
from connector.adapters.ledger import Ledger, LedgerLock, open_engine
from connector.adapters.ledger import schema as ledger_schema
from connector.adapters.partner_central import (
    WRITES,
    Paces,
    PartnerCentralClient,
    Spent,
    input_shape,
)
from connector.adapters.salesforce import SalesforceClient
from connector.config import Config, Connection
from connector.core.edits import Policy
from connector.core.eta import DAY, Quota
from connector.core.mapping import CompiledMapping
from connector.core.selection import to_id18
from connector.errors import LedgerUnavailable, UserError, WrongAccount
from connector.mapping_files import Compiled, compile_mappings
from connector.ports import Organization
from connector.resources import packaged
from connector.settings import guard_limits, partner_central_settings, salesforce_settings
from connector.sync import Context

if TYPE_CHECKING:
    from sqlalchemy import Engine

CATALOG = "catalog"
"""The watermark of the catalog that the ledger of a connection was filled from."""
AWS_ACCOUNT = "aws_account"
"""The watermark of the AWS account, and so the quota, that a connection reaches.

Its id once ``verify`` has seen it, and never another one from then on. Until then the key that its calls were
counted under, which tells accounts apart but refuses nothing.
"""
ORGANIZATION = "organization"
"""The watermark of the Salesforce org that the ledger of a connection was filled from, with 18 characters."""
SALESFORCE_CALLS = "salesforce_calls"
AWS_READS = "aws_reads"

GARBAGE = (50_000, 20, 50)
"""Records come and go by the thousand, hardly ever in circles: to look for these as usual costs a tenth more."""


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass
class App:
    """A configuration with everything built from it, each part when it is first needed.

    ``notes``: what the services tell of themselves is kept in the ledger; not for a command that only looks.
    ``actor``: who this process acts as, for the audit trail. Each connection has a stop, a clock and clients of its
    own; what AWS allows an account is shared.
    """

    config: Config
    stopping: Stopping = field(default_factory=Stopping)
    only: str | None = None
    notes: bool = True
    actor: str = ""
    _clients: dict[str, SalesforceClient] = field(default_factory=dict)
    _callers: dict[str, PartnerCentralClient] = field(default_factory=dict)
    _recorded: dict[str, int] = field(default_factory=dict)
    _has_ledger: bool = False
    _lock: LedgerLock | None = None

    def __post_init__(self) -> None:
        if self.only is not None and self.only not in self.config.connections:
            known = ", ".join(self.config.connections)
            raise UserError(f"There is no connection {self.only!r} in {self.config.path}.", f"Known: {known}.")

    @property
    def connections(self) -> dict[str, Connection]:
        """The chosen connections, by name."""
        chosen = self.config.connections
        return dict(chosen) if self.only is None else {self.only: chosen[self.only]}

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock(self.stopping)

    @cached_property
    def engine(self) -> Engine:
        self.config.require_set()
        return open_engine(self.config.database)

    @cached_property
    def ledger(self) -> Ledger:
        ledger = Ledger(self.engine)
        ledger.actor = self.actor
        return ledger

    def close(self) -> None:
        """Part from the database, as one says goodbye to a server; whoever asks for more is connected anew."""
        if "ledger" in self.__dict__:
            self.ledger.close()
        if "engine" in self.__dict__:
            self.engine.dispose()

    @property
    def is_embedded(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def has_ledger(self) -> bool:
        """Whether the database is there and has our schema (of whatever revision)."""
        self._has_ledger = self._has_ledger or self._find_ledger()
        return self._has_ledger

    def _find_ledger(self) -> bool:
        database = self.engine.url.database
        if self.is_embedded and database not in (None, "", ":memory:") and not Path(str(database)).exists():
            return False
        return bool(ledger_schema.current(self.engine))

    def upgrade(self) -> bool:
        """Bring the database to this version's schema. Gives whether anything was done."""
        return ledger_schema.upgrade(self.engine, packaged("migrations"))

    def require_ledger(self) -> None:
        """Make sure the schema fits: an embedded database is upgraded, a server's is left to ``db upgrade``."""
        if self.is_embedded:
            self.upgrade()
            return
        now, newest = ledger_schema.current(self.engine), ledger_schema.newest(self.engine, packaged("migrations"))
        if now != newest:
            raise UserError(
                f"The database is at revision {now or 'none'}, this version needs {newest}.",
                "Run `connector db upgrade`.",
            )

    @contextmanager
    def owning_ledger(self, *, shared: bool = False) -> Iterator[None]:
        """Own the ledger while the block runs, ``shared`` together with other workers.

        Raises LedgerBusy when another process does, or took it over.
        """
        self._lock = LedgerLock(self.engine, shared=shared, lost=self.stopping.set)
        with self._lock, _collecting_seldom():
            self.require_ledger()
            yield

    @property
    def lost(self) -> LedgerUnavailable | None:
        """Why this process owns its ledger no longer, which ends it."""
        return self._lock.lost if self._lock is not None else None

    @cached_property
    def mappings(self) -> dict[str, CompiledMapping]:
        """The compiled mapping of each connection; all problems of all files at once."""
        return {name: one.mapping for name, one in self.compiled.items()}

    @cached_property
    def compiled(self) -> Mapping[str, Compiled]:
        """As ``mappings``, each with its version."""
        return compile_mappings({name: one.mapping for name, one in self.connections.items()})

    @cached_property
    def contexts(self) -> dict[str, Context]:
        """What the verbs work on, by connection."""
        return {name: self._context(name, connection) for name, connection in self.connections.items()}

    def _context(self, name: str, connection: Connection) -> Context:
        stopping = self.stopping.child()
        clock = SystemClock(stopping)
        return Context(
            name=name,
            mapping=self.mappings[name],
            salesforce=self.salesforce(name, clock),
            partner_central=self._partner_central(name, connection, clock, stopping),
            ledger=self.ledger,
            clock=clock,
            actor=self.actor,
            mapping_digest=self.compiled[name].digest,
            limits=guard_limits(connection),
            policy=self.policy(name),
            refresh_every=self.config.schedule.refresh,
            reads_per_day=connection.partner_central.quota.reads_per_day,
            in_flight=connection.partner_central.in_flight,
            stopping=stopping,
        )

    @property
    def opened(self) -> dict[str, Context]:
        """The contexts that were made so far, for whoever only looks: none is made for that."""
        return dict(self.__dict__.get("contexts", {}))

    def adopt(self, config: Config, compiled: Mapping[str, Compiled]) -> None:
        """Go on with another configuration of the same ledger; what is built stays until ``renew`` or ``forget``."""
        self.config, self.compiled = config, compiled
        self.mappings = {name: one.mapping for name, one in compiled.items()}

    def renew(self, name: str) -> Context:
        """Build all of one connection anew, as the configuration now has it. The others keep what they have."""
        context = self._context(name, self.connections[name])
        self.contexts = {**self.contexts, name: context}
        return context

    def release(self, context: Context) -> None:
        """A connection's work has ended: count its last calls and close what it used. It may be renewed."""
        try:
            self.record_usage(context)
        finally:
            self._clients[context.name].close()
            if (client := self._callers.pop(context.name, None)) is not None:
                client.close()

    def forget(self, name: str) -> None:
        """A connection was released for good."""
        self.contexts = {other: context for other, context in self.contexts.items() if other != name}
        self._clients.pop(name, None)

    def policy(self, name: str) -> Policy:
        """What a connection's mapping and configuration say about edits; asks no service."""
        mapping = self.mappings[name]
        shape = input_shape("UpdateOpportunity")
        needs_account = self.connections[name].partner_central.launch_needs_account
        return Policy(mapping.owned_paths, mapping.owned_by_aws, shape, needs_account)

    def salesforce(self, name: str, clock: SystemClock | None = None) -> SalesforceClient:
        """A Salesforce client that knows what was spent of the day's allowance."""
        self.config.require_set()
        client = SalesforceClient(salesforce_settings(self.connections[name]), clock=clock or self.clock)
        if self.has_ledger:
            client.spent_before = self.ledger.usage(name, SALESFORCE_CALLS, self.clock.now())
        self._clients[name] = client
        self._recorded.pop(name, None)
        return client

    @cached_property
    def paces(self) -> Paces:
        """The AWS quotas' buckets, which connections to the same account share."""
        return Paces(self.clock)

    def _partner_central(
        self, name: str, connection: Connection, clock: SystemClock, stopping: Stopping
    ) -> PartnerCentralClient:
        self.config.require_set()
        spent, settings = self._spent(name), partner_central_settings(connection)
        client = PartnerCentralClient(settings, spent, clock, self.paces, stopping)
        self._callers[name] = client
        return client

    def _spent(self, name: str) -> Spent:
        return Spent(
            writes=lambda account: self._sum(name, account, self.writes_today),
            reads=lambda account: self._sum(name, account, self.reads_today),
            learn=lambda account: self._remember_account(name, account),
        )

    def writes_today(self, name: str) -> int:
        """Writes of one connection in the last 24 hours."""
        return self.ledger.operations_since(name, self.clock.now() - DAY)

    def reads_today(self, name: str) -> int:
        """Recorded reads of one connection in the last 24 hours."""
        return self.ledger.usage(name, AWS_READS, self.clock.now())

    def _sum(self, name: str, account: str, count: Callable[[str], int]) -> int:
        """A count over all connections of the file that share the account."""
        return sum(count(other) for other in self._sharing(name, account)) if self.has_ledger else 0

    def _sharing(self, name: str, account: str = "") -> list[str]:
        """The connections of the file that count against the same quota as this one, as far as is known."""
        if not self.has_ledger:
            return [name]
        # One query however many there are: a worker asks at each turn.
        accounts = self.ledger.watermarks(list(self.config.connections), AWS_ACCOUNT)
        # What the ledger knew before counts as well: this time the account may not have been told.
        ours = {account, accounts.get(name, "")} - {""}
        return [other for other in self.config.connections if other == name or accounts.get(other) in ours]

    def _remember_account(self, name: str, bucket: str) -> None:
        """Note what a connection's calls are counted under while its account was never verified.

        An account's id is left to ``verify``: what was noted once cannot be changed.
        """
        if not self.notes or not self.has_ledger or bucket.isdigit():
            return
        known = self.ledger.watermark(name, AWS_ACCOUNT)
        if known != bucket and not known.isdigit():
            self.ledger.set_watermark(name, AWS_ACCOUNT, bucket)

    def quota(self, name: str) -> Quota:
        """What bounds the writes of a connection now, as far as the ledger and config.yaml tell; adds up a day."""
        sharing = self._sharing(name)
        quotas = [self.config.connections[other].partner_central.quota for other in sharing]
        per_day = min(quota.writes_per_day for quota in quotas)
        since = self.clock.now() - DAY
        spent = sum(map(self.writes_today, sharing)) if self.has_ledger else 0
        first = [self.ledger.first_write(other, since) for other in sharing] if spent else []
        return Quota(
            rate=min(quota.writes_per_second for quota in quotas),
            in_flight=self.config.connections[name].partner_central.in_flight,
            free_today=max(per_day - spent, 0),
            per_day=per_day,
            until_free=min((sent_at for sent_at in first if sent_at is not None), default=since + DAY) - since,
        )

    def resume(self, context: Context, free_in: float | None, *, after_others: bool) -> None:
        """Go on with a connection and its AWS account, which other processes may have had meanwhile.

        ``free_in``: in how many seconds the next write may leave, None where nobody knows.
        """
        self._callers[context.name].resume(free_in, after_others=after_others)
        if after_others:
            in_all = self.ledger.usage(context.name, SALESFORCE_CALLS, self.clock.now())
            self._clients[context.name].recount(in_all)

    def free_in(self, context: Context) -> float:
        """In how many seconds the next write of the account may leave."""
        return self._callers[context.name].free_in

    def record_usage(self, context: Context) -> None:
        """Add the calls made since this was last done to the ledger."""
        client = self._clients[context.name]
        calls = client.usage().calls
        new, self._recorded[context.name] = calls - self._recorded.get(context.name, 0), calls
        if new:
            self.ledger.add_usage(context.name, SALESFORCE_CALLS, new, self.clock.now())
        reads = sum(n for operation, n in context.partner_central.take_calls().items() if operation not in WRITES)
        if reads:
            self.ledger.add_usage(context.name, AWS_READS, reads, self.clock.now())

    def verify(self, context: Context, account_of: Callable[[], str] = str) -> None:
        """Refuse to start against another catalog, AWS account or org than the ledger was filled from.

        What is new to the ledger is noted there, so that it is refused from now on to start against another.
        ``account_of`` finds the AWS account's id, "" where it cannot be known. Raises WrongAccount, and TemporaryError
        or another Halt where a service does not let us look.
        """
        self.verify_catalog(context)
        org = context.salesforce.identify()
        self.verify_org(context, org)
        self._note(context, ORGANIZATION, to_id18(org.organization_id))
        account_id = account_of()
        self.verify_account(context, account_id)
        self._note(context, AWS_ACCOUNT, account_id)
        self._note(context, CATALOG, context.catalog)

    def _note(self, context: Context, name: str, value: str) -> None:
        if value and self.ledger.watermark(context.name, name) != value:
            self.ledger.set_watermark(context.name, name, value)

    def _noted(self, context: Context, name: str) -> str:
        return self.ledger.watermark(context.name, name) if self.has_ledger else ""

    def verify_catalog(self, context: Context) -> None:
        """Refuse another catalog than the one this connection began with: its ids stand in the records.

        Asks no service and notes nothing. Raises WrongAccount.
        """
        self.refuse_catalog(*context.key)

    def refuse_catalog(self, name: str, catalog: str) -> None:
        """As ``verify_catalog``, of a connection that is only configured."""
        before = self.ledger.watermark(name, CATALOG) if self.has_ledger else ""
        if not before and self.has_ledger:
            # A ledger that an older version filled says it by its links.
            found = self.ledger.catalogs(name)
            before = catalog if catalog in found else "".join(found[:1])
        if before and before != catalog:
            raise WrongAccount(
                f"config.yaml says catalog {catalog} for connection {name}, but the ledger was filled "
                f"from {before}, whose ids stand in the records.",
                f"Set it back to {before}, or give {catalog} a connection of its own name.",
            )

    def verify_account(self, context: Context, account_id: str) -> None:
        """Refuse another AWS account than before; "" is unknown and refuses nothing. Notes nothing."""
        before = self._noted(context, AWS_ACCOUNT)
        if account_id and before.isdigit() and before != account_id:
            raise WrongAccount(
                f"The AWS credentials of connection {context.name} are those of account {account_id}, but the ledger "
                f"was filled from account {before}.",
                "Correct profile, role_arn or the credentials, or give this account a connection of its own name.",
            )

    def verify_org(self, context: Context, org: Organization) -> None:
        """Refuse another org than the configured one, or than the one the ledger was filled from. Notes nothing."""
        wanted = self.connections[context.name].salesforce.organization_id
        before = self._noted(context, ORGANIZATION)
        for expected, where in ((wanted, "config.yaml names"), (before, "the ledger was filled from")):
            if expected and to_id18(expected) != to_id18(org.organization_id):
                raise WrongAccount(
                    f"Salesforce is the org {org.organization_id} ({org.name}) for connection {context.name}, "
                    f"but {where} {expected}.",
                    "Correct login_url or organization_id, or give this org a connection of its own.",
                )
