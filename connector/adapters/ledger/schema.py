"""Brings a database to the schema this version needs, by the Alembic migrations that ship with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from connector.adapters.ledger.engine import telling_outages
from connector.adapters.ledger.postgres import OWN_SCHEMA
from connector.errors import UserError

if TYPE_CHECKING:
    from alembic.config import Config


def _config(engine: Engine, migrations: Path) -> Config:
    from alembic.config import Config

    # Its default is whatever standard output was when Alembic was imported.
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def current(engine: Engine) -> str:
    """The revision the database is at, "" when it is empty.

    Raises LedgerUnavailable, and UserError where the schema is another application's that Alembic looks after too.
    """
    with telling_outages(), engine.connect() as connection:
        tables = inspect(connection)
        if not tables.has_table("alembic_version"):
            return ""
        revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")
        if revision and not tables.has_table("link"):
            raise UserError(
                f"The schema is another application's: its alembic_version says {revision}, and it has no ledger.",
                f"Let us not mix them: {OWN_SCHEMA}",
            )
        return revision


def newest(engine: Engine, migrations: Path) -> str:
    """The revision this version of the connector needs."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(engine, migrations)).get_current_head() or ""


def upgrade(engine: Engine, migrations: Path) -> bool:
    """Create or upgrade the schema, all of it or nothing. Gives whether anything was done.

    Raises UserError for a database that is newer than we are, LedgerUnavailable for one that cannot be used.
    """
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    script = ScriptDirectory.from_config(_config(engine, migrations))
    now = current(engine)
    if now == script.get_current_head():
        return False
    try:
        if now:
            script.get_revision(now)
    except CommandError as error:
        raise UserError(
            f"The database is at revision {now}, which this version does not know.",
            "It was upgraded by a newer connector: install that version, or restore a backup.",
        ) from error
    with telling_outages():
        command.upgrade(_config(engine, migrations), "head")
    return True
