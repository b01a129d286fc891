"""The one place that builds things: config → ledger and adapters → the contexts that the verbs work on."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from connector import __version__, yamlfile
from connector.adapters.clock import SystemClock
from connector.adapters.ledger import Ledger, LedgerLock, open_engine
from connector.adapters.ledger import schema as ledger_schema
from connector.adapters.partner_central import (
    WRITES,
    PartnerCentralClient,
    PartnerCentralSettings,
    Spent,
    mapping_shapes,
)
from connector.adapters.salesforce import SalesforceClient
from connector.adapters.salesforce_auth import SalesforceSettings
from connector.config import Config, Connection
from connector.core.mapping import CompiledMapping, compile_mapping, run_cases
from connector.core.model import fingerprint
from connector.core.selection import to_id18
from connector.core.transforms import TRANSFORMS, Transform
from connector.errors import FileProblem, MappingError, UserError, WrongAccount
from connector.resources import packaged
from connector.sync import Context

if TYPE_CHECKING:
    from sqlalchemy import Engine

SALESFORCE_CALLS = "salesforce_calls"
AWS_READS = "aws_reads"


def transforms() -> Mapping[str, Transform]:
    """Our own transforms and those of installed packages (entry-point group ``connector.transforms``)."""
    found = dict(TRANSFORMS)
    for entry in entry_points(group="connector.transforms"):
        added = entry.load()
        for transform in added if isinstance(added, list | tuple) else [added]:
            if not isinstance(transform, Transform):
                raise UserError(f"The entry point {entry.name} of connector.transforms gives no Transform.")
            found[transform.name] = transform
    return found


def read_mapping(path: Path, shown_as: str | None = None) -> tuple[CompiledMapping | None, tuple[FileProblem, ...]]:
    """Compile a mapping file and run its cases. Gives it (None when unusable) and every problem."""
    document = yamlfile.read(path, shown_as)
    mapping, problems = compile_mapping(document, mapping_shapes(), transforms())
    return mapping, problems if mapping is None else run_cases(mapping)


def load_mapping(path: Path, shown_as: str | None = None) -> CompiledMapping:
    """Compile a mapping file. Raises MappingError with every problem; cases are left to ``check``."""
    document = yamlfile.read(path, shown_as)
    mapping, problems = compile_mapping(document, mapping_shapes(), transforms())
    if mapping is None:
        raise MappingError(f"The mapping has {len(problems)} problem{'s' * (len(problems) != 1)}.", problems=problems)
    return mapping


def shown_path(path: Path) -> str:
    """A path as people write it: relative to the working directory where it lies below it, else shipped ones short."""
    for root in (Path.cwd(), packaged("mappings").parent):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return str(path)


@dataclass
class App:
    """A configuration with everything built from it, each part when it is first needed."""

    config: Config
    stopping: threading.Event = field(default_factory=threading.Event)
    only: str | None = None
    _clients: dict[str, SalesforceClient] = field(default_factory=dict)
    _recorded: dict[str, int] = field(default_factory=dict)
    _has_ledger: bool = False

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
        return open_engine(self.config.database)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.engine)

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
    def owning_ledger(self) -> Iterator[None]:
        """Own the ledger while the block runs. Raises LedgerBusy when another process does."""
        with LedgerLock(self.engine):
            self.require_ledger()
            yield

    @cached_property
    def mappings(self) -> dict[str, CompiledMapping]:
        """The compiled mapping of each connection; all problems of all files at once."""
        compiled: dict[str, CompiledMapping] = {}
        problems: list[FileProblem] = []
        for name, connection in self.connections.items():
            try:
                compiled[name] = load_mapping(connection.mapping, shown_path(connection.mapping))
            except MappingError as error:
                problems += error.problems
        if problems:
            found = tuple(sorted(set(problems)))
            raise MappingError(f"The mapping has {len(found)} problem{'s' * (len(found) != 1)}.", problems=found)
        return compiled

    @cached_property
    def contexts(self) -> dict[str, Context]:
        """What the verbs work on, by connection."""
        return {name: self._context(name, connection) for name, connection in self.connections.items()}

    def _context(self, name: str, connection: Connection) -> Context:
        return Context(
            name=name,
            mapping=self.mappings[name],
            salesforce=self.salesforce(name),
            partner_central=PartnerCentralClient(partner_central_settings(connection), self._spent(name), self.clock),
            ledger=self.ledger,
            clock=self.clock,
            mapping_digest=fingerprint(connection.mapping.read_text(encoding="utf-8")),
            creates_per_day=connection.limits.creates_per_day,
            in_flight=connection.partner_central.in_flight,
            stopping=self.stopping,
        )

    def salesforce(self, name: str) -> SalesforceClient:
        """A Salesforce client that knows what was spent of the day's allowance."""
        client = SalesforceClient(salesforce_settings(self.connections[name]), clock=self.clock)
        if self.has_ledger:
            client.spent_before = self.ledger.usage(name, SALESFORCE_CALLS, self.clock.now())
        self._clients[name] = client
        return client

    def _spent(self, name: str) -> Spent:
        day = timedelta(hours=24)
        return Spent(
            writes=lambda: self.ledger.operations_since(name, self.clock.now() - day) if self.has_ledger else 0,
            reads=lambda: self.ledger.usage(name, AWS_READS, self.clock.now()) if self.has_ledger else 0,
        )

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

    def verify_org(self, context: Context) -> None:
        """Refuse to start against another org than the configured one, or than the one the ledger was filled from."""
        org = context.salesforce.identify()
        wanted = self.connections[context.name].salesforce.organization_id
        before = self.ledger.watermark(context.name, "organization")
        for expected, where in ((wanted, "config.yaml names"), (before, "the ledger was filled from")):
            if expected and to_id18(expected) != to_id18(org.organization_id):
                raise WrongAccount(
                    f"Connection {context.name}: Salesforce is org {org.organization_id} ({org.name}), "
                    f"but {where} {expected}.",
                    "Correct login_url or organization_id, or give this org a connection of its own.",
                )
        if not before:
            self.ledger.set_watermark(context.name, "organization", to_id18(org.organization_id))


def salesforce_settings(connection: Connection) -> SalesforceSettings:
    """The adapter's plain settings."""
    section = connection.salesforce
    auth = section.auth
    secrets = {
        name: getattr(auth, name).get_secret_value()
        for name in ("client_secret", "private_key", "token")
        if getattr(auth, name, None) is not None
    }
    plain = {
        name: getattr(auth, name)
        for name in ("client_id", "username", "audience", "instance_url")
        if getattr(auth, name, None) is not None
    }
    return SalesforceSettings(
        login_url=section.login_url,
        method=auth.method,
        api_version=section.api_version,
        ca_bundle=section.ca_bundle,
        proxy=section.proxy,
        timeout=section.timeout,
        daily_api_share=section.daily_api_share,
        **plain,
        **secrets,
    )


def partner_central_settings(connection: Connection) -> PartnerCentralSettings:
    """The adapter's plain settings."""
    section = connection.partner_central
    return PartnerCentralSettings(
        catalog=section.catalog,
        region=section.region,
        profile=section.profile,
        role_arn=section.role_arn,
        external_id=section.external_id,
        endpoint_url=section.endpoint_url,
        ca_bundle=section.ca_bundle,
        proxy=section.proxy,
        connect_timeout=section.connect_timeout,
        read_timeout=section.read_timeout,
        writes_per_second=section.quota.writes_per_second,
        reads_per_second=section.quota.reads_per_second,
        writes_per_day=section.quota.writes_per_day,
        reads_per_day=section.quota.reads_per_day,
        in_flight=section.in_flight,
        user_agent=section.user_agent or f"partner-central-connector|{__version__}|Salesforce|v1",
        debug_log=section.debug_log,
    )
