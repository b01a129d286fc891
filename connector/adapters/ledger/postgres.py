"""What PostgreSQL needs beyond SQLAlchemy: a vanished server noticed in seconds, and its refusals in sentences.

Whatever a URL says wins over the defaults here. Nothing here may show a password: a server's own words hold none,
and a URL is never quoted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import ConfigError, ConnectorError, LedgerUnavailable, TemporaryError

DRIVER = "postgresql+psycopg"
KEPT = 20
EXTRA = 20
"""Connections of one process: kept open, and opened beyond them for a rush. A call needs one for milliseconds, so a
thread that finds none free waits its turn."""
PATIENCE = 30.0
"""Seconds that a thread waits for a connection of the pool."""
RECYCLE = 1800
"""Seconds after which a connection is opened anew: firewalls forget the quiet ones."""

_CONNECTING: Mapping[str, tuple[Any, str]] = {
    "connect_timeout": (10, "PGCONNECT_TIMEOUT"),
    "application_name": ("connector", "PGAPPNAME"),
    "keepalives": (1, ""),
    "keepalives_idle": (10, ""),
    "keepalives_interval": (5, ""),
    "keepalives_count": (3, ""),
    "tcp_user_timeout": (20_000, ""),
}
"""Each option with its default, and the variable of the environment that sets it as well."""

SESSION: Mapping[str, str] = {
    # A process that was paused in a transaction must not keep others from its rows for ever …
    "idle_in_transaction_session_timeout": "30s",
    # … and who waits for them outlives that, but does not hang.
    "lock_timeout": "40s",
    # The server's side of the keepalives: a host that died gives its locks back in half a minute, not in two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    # A plan for whatever may be asked takes "before now" for a third of all links and reads them all: a second for each
    # look, where planning anew takes a quarter of a millisecond.
    "plan_cache_mode": "force_custom_plan",
}
"""Set where the server, the role or the URL have not set them."""
_SETTING = (
    "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted (name, value) "
    "JOIN pg_settings USING (name) WHERE source = 'default'"
)


def open_server(url: URL, *, pooled: bool = True) -> Engine:
    """An engine on a PostgreSQL server; nothing is connected yet. Raises ImportError without psycopg, ConfigError for
    another driver."""
    if url.drivername not in {"postgresql", DRIVER}:
        raise ConfigError(
            f"The database cannot be opened: the connector does not use {url.drivername}.",
            f"Write {DRIVER}://user@host/database.",
        )
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pooled:
        pool = {
            "pool_size": KEPT,
            "max_overflow": EXTRA,
            "pool_timeout": PATIENCE,
            "pool_recycle": RECYCLE,
            "pool_use_lifo": True,
            "pool_pre_ping": True,
        }
    engine = create_engine(url.set(drivername=DRIVER), connect_args=_connecting(url), hide_parameters=True, **pool)
    event.listen(engine, "connect", _prepare)
    return engine


def _connecting(url: URL) -> dict[str, Any]:
    """The defaults that neither the URL nor the environment overrules."""
    return {
        name: default
        for name, (default, variable) in _CONNECTING.items()
        if name not in url.query and not os.environ.get(variable)
    }


def _prepare(connection: Any, _record: Any) -> None:
    connection.autocommit = True
    connection.execute(_SETTING, (list(SESSION), list(SESSION.values())))
    connection.autocommit = False


_PASSING = {
    "40001": "two transactions stood in each other's way",
    "40P01": "two transactions waited for each other",
    "55P03": "somebody else holds the rows for too long",
}
"""What the same call gets past a moment later."""

_LATER = "Nothing is written to AWS or Salesforce until it can."
OWN_SCHEMA = (
    "give the ledger one of its own: CREATE SCHEMA connector, and ?options=-csearch_path%3Dconnector in `database`."
)
_UNREACHABLE = (
    "connection refused|timeout expired|connection timeout|could not translate host|failed to resolve host|"
    "name or service not known|no route to host|network is unreachable|does the server|is the server running"
)
_CURES: tuple[tuple[str, str], ...] = (
    ("password authentication failed", "Correct the user and the password in `database` of config.yaml."),
    ("no password supplied", "Put the password into `database` of config.yaml, as a ${VARIABLE}."),
    ("role .* does not exist", "Create the role, or correct the user in `database` of config.yaml."),
    ("database .* does not exist", "Create it (`createdb`), or correct its name in `database` of config.yaml."),
    (
        "no pg_hba.conf entry.*no encryption",
        "It takes encrypted connections only: add ?sslmode=verify-full&sslrootcert=/path/to/ca.pem to `database`.",
    ),
    ("no pg_hba.conf entry", "Let this host, user and database in by the server's pg_hba.conf."),
    (
        "certificate verify failed|unknown ca",
        "Its certificate is not from the authority we trust: let sslrootcert in `database` name that authority's file.",
    ),
    (
        "does not match host name",
        "Connect by a name that stands in the server's certificate, or have it issued for this one.",
    ),
    ("root certificate file", "Let sslrootcert in `database` name the file of the server's certificate authority."),
    ("certificate (is )?required|requires a valid client certificate", "Name sslcert and sslkey in `database`."),
    ("server does not support SSL", "Turn ssl on at the server, or leave sslmode away where the network is yours."),
    ("permission denied for schema", "GRANT USAGE, CREATE ON SCHEMA … to this role, or upgrade as the schema's owner."),
    (
        "no schema has been selected",
        "Create the schema that search_path names, or correct it in `database` of config.yaml.",
    ),
    ("permission denied", "Grant this role what it needs on the ledger's tables; their owner has all of it."),
    (
        "read-only transaction|session is not read-write",
        "This is a replica: name the primary, or all hosts with target_session_attrs=read-write.",
    ),
    (
        "already exists",
        f"The schema holds another application's tables: {OWN_SCHEMA}",
    ),
    (
        "too many (clients|connections)|remaining connection slots",
        "Raise max_connections at the server, or run fewer processes.",
    ),
    ("invalid (connection option|sslmode)", "Correct the options after ? in `database` of config.yaml."),
    (
        _UNREACHABLE,
        "Start the server, or correct host and port in `database` of config.yaml.",
    ),
)
_FATAL = re.compile(r"(?:FATAL|ERROR):\s+(.*)")
_PREFIX = re.compile(r"^connection (?:failed|is bad): (?:connection to server .*? failed: )?")


def told_by_server(error: SQLAlchemyError) -> ConnectorError:
    """What a server, its driver or the pool refused, as an error with its cure: passing, or the ledger is out."""
    if isinstance(error, PoolTimeout):
        many = KEPT + EXTRA
        message = f"All {many} connections to the ledger's database were in use for {PATIENCE:.0f} s."
        return TemporaryError(message, "It is tried again; a database that stays slow needs a look.", delay=2.0)
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    if state in _PASSING:
        return TemporaryError(f"The ledger's database let nobody through: {_PASSING[state]}.", "It is tried again.")
    reason = reason_of(error)
    cure = next((cure for pattern, cure in _CURES if re.search(pattern, reason, re.IGNORECASE)), "")
    return LedgerUnavailable(f"The ledger cannot be used: {reason}.", f"{cure} {_LATER}".strip())


def reason_of(error: BaseException) -> str:
    """The database's own first line, without what the driver puts before it."""
    text = str(getattr(error, "orig", None) or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    fatal = next((found[1] for line in lines if (found := _FATAL.search(line))), None)
    return (fatal or _PREFIX.sub("", lines[0])).rstrip(". ")


def is_lost(error: BaseException) -> bool:
    """Whether a connection broke, rather than a statement."""
    return isinstance(error, DBAPIError) and error.connection_invalidated
