"""From one configuration to the next while a process runs: what may take its place, and what that changes.

Reads, compares and tells; no connection is started or stopped here.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from connector import config as configuration
from connector import log
from connector.app import App
from connector.config import Config, Connection, Schedule
from connector.errors import ConnectorError, UserError
from connector.mapping_files import Compiled, compile_mappings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """Everything that a connection is made from; ``certificates`` tell one version of their files from another."""

    connection: Connection
    schedule: Schedule
    mapping: str
    certificates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Successor:
    """A configuration that may take the place of another. ``kept_back`` are sentences on what needs a restart."""

    config: Config
    compiled: Mapping[str, Compiled]
    versions: Mapping[str, Version]
    kept_back: tuple[str, ...]


FROM_THE_START = ("concurrency", "heartbeat", "dead_after")
"""Of ``fleet``: what a worker's queue is made with, once."""


def succeed(app: App, log_level: str | None, *, is_worker: bool = False) -> Successor | None:
    """What a process that runs goes on with after SIGHUP, told in the log, whose own changes count at once.

    ``log_level`` was given by hand and outlives a reload; only a worker (``is_worker``) minds ``fleet``. None where the
    files cannot be used, with a line for each mistake; then all stays as it is.
    """
    try:
        successor = read_again(app, is_worker=is_worker)
    except ConnectorError as error:
        problems = error.problems if isinstance(error, UserError) else ()
        for problem in problems or (error,):
            logger.error("Not read again: %s", problem, extra={"event": "reload_refused"})  # noqa: TRY400
        return None
    except Exception:
        logger.exception("The files were not read again: this was not expected.", extra={"event": "reload_refused"})
        return None
    for secret in successor.config.secrets():
        log.redact(secret)
    if successor.config.log != app.config.log:
        log.configure((log_level or successor.config.log.level).upper(), successor.config.log.format)
    for sentence in successor.kept_back:
        logger.warning("%s", sentence, extra={"event": "restart_needed"})
    return successor


def read_again(app: App, *, is_worker: bool = False) -> Successor:
    """Read config.yaml and all that it names. Raises ConnectorError, and changes nothing, where it cannot be used."""
    new = configuration.load(app.config.path, os.environ)
    if app.only is not None and app.only not in new.connections:
        raise UserError(f"There is no connection {app.only!r} in {new.path} any more.", "This daemon runs that one.")
    chosen = {name: one for name, one in new.connections.items() if app.only in {None, name}}
    compiled = compile_mappings({name: one.mapping for name, one in chosen.items()})
    for name, connection in chosen.items():
        app.refuse_catalog(name, connection.partner_central.catalog)
    new, kept = _keep_back(app.config, new)
    if is_worker:
        new, more = _keep_fleet(app.config, new)
        kept += more
    return Successor(new, compiled, versions_of(new, compiled), tuple(kept))


def _keep_back(old: Config, new: Config) -> tuple[Config, list[str]]:
    """The new one with what stays of the old one, and a sentence for each."""
    kept = []
    if new.database != old.database:
        new = replace(new, database=old.database)
        kept.append("database has changed, which needs a restart: the ledger stays the one it was.")
    if new.web.listen != old.web.listen:
        # A file that needs no token says so of the new address: strangers may reach the one that stays.
        stays = {"listen": old.web.listen, "token": new.web.token or old.web.token}
        new = replace(new, web=new.web.model_copy(update=stays))
        kept.append("web.listen has changed, which needs a restart: the page stays where it was.")
    return new, kept


def _keep_fleet(old: Config, new: Config) -> tuple[Config, list[str]]:
    changed = [name for name in FROM_THE_START if getattr(new.fleet, name) != getattr(old.fleet, name)]
    stays = {name: getattr(old.fleet, name) for name in changed}
    kept = [f"fleet.{name} has changed, which needs a restart: it stays what it was." for name in changed]
    return replace(new, fleet=new.fleet.model_copy(update=stays)), kept


def versions_of(config: Config, compiled: Mapping[str, Compiled]) -> dict[str, Version]:
    """What each connection is made from, to see which ones change."""
    return {name: _version(config.connections[name], config.schedule, one.digest) for name, one in compiled.items()}


def _version(connection: Connection, schedule: Schedule, mapping: str) -> Version:
    bundles = (connection.salesforce.ca_bundle, connection.partner_central.ca_bundle)
    return Version(connection, schedule, mapping, tuple(_digest(path) for path in bundles if path is not None))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of connections."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]

    @classmethod
    def of(cls, old: Mapping[str, Version], new: Mapping[str, Version]) -> Difference:
        both = [name for name in old if name in new]
        return cls(
            tuple(name for name in new if name not in old),
            tuple(name for name in old if name not in new),
            tuple(name for name in both if old[name] != new[name]),
            tuple(name for name in both if old[name] == new[name]),
        )

    def __str__(self) -> str:
        parts = [
            f"{word} {', '.join(names)}"
            for word, names in (("added", self.added), ("removed", self.removed), ("changed", self.changed))
            if names
        ]
        same = f"{len(self.same)} as before" if self.same else ""
        return "; ".join(part for part in (*parts, same) if part)
