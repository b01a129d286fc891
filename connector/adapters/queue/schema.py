"""The queue's tables: Procrastinate's own SQL, put beside the ledger's in one database and kept up to date.

A comment on its main table says how far its migrations were applied, since Procrastinate itself keeps no note of that:
it is written in the transaction that applies them, and goes with the table wherever that goes. Reads the SQL of the
installed package without importing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from connector.errors import LedgerUnavailable, UserError

TABLE = "procrastinate_jobs"
_MARK = "partner-central-connector: migrated to "
_LOCK = 7_361_844_201_534
"""Two upgrades at once follow each other."""
_NOTED = text("SELECT to_regclass(:name) IS NOT NULL, obj_description(to_regclass(:name), 'pg_class')")


def is_installed() -> bool:
    """Whether the extra is there."""
    return find_spec("procrastinate") is not None and find_spec("psycopg_pool") is not None


def require_installed() -> None:
    """Raises UserError without the extra."""
    if not is_installed():
        raise UserError(
            "Workers need Procrastinate, which is not installed.",
            "Install the extra: `pip install '.[fleet]'` in the connector's folder.",
        )


def upgrade(engine: Engine) -> bool:
    """Put the tables there, or apply the installed package's newer migrations. Gives whether anything was done.

    Raises UserError for tables that are not ours or that a newer package made, LedgerUnavailable.
    """
    is_done = False
    with _telling():
        while _step(engine):
            is_done = True
    return is_done


def require(engine: Engine) -> None:
    """Raises UserError, with the cure, unless the tables are as the installed package wants them."""
    with _telling(), engine.connect() as connection:
        applied = _applied(connection)
    newest = max(_migrations())
    _refuse_newer(applied, newest)
    if applied != newest:
        what = "has no queue yet" if not applied else f"has the queue of {applied}, and this one needs {newest}"
        raise UserError(f"The database {what}.", "Run `connector db upgrade` where the extra `fleet` is installed.")


def _step(engine: Engine) -> bool:
    """One transaction: all tables, or the next migration. Gives whether there was anything to do."""
    migrations = _migrations()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        applied = _applied(connection)
        _refuse_newer(applied, max(migrations))
        pending = [max(migrations)] if not applied else [name for name in sorted(migrations) if name > applied]
        if not pending:
            return False
        sql = migrations[pending[0]] if applied else _folder() / "schema.sql"
        # Without parameters the server takes the whole file as it is, percent signs included.
        raw = connection.execution_options(no_parameters=True)
        raw.exec_driver_sql(sql.read_text(encoding="utf-8"))
        raw.exec_driver_sql(f"COMMENT ON TABLE {TABLE} IS '{_MARK}{pending[0]}'")
        return True


def _applied(connection: Connection) -> str:
    """The newest migration that was applied, "" where there are no tables. Raises UserError for somebody else's."""
    is_there, note = connection.execute(_NOTED, {"name": TABLE}).one()
    if not is_there:
        return ""
    if not str(note or "").startswith(_MARK):
        raise UserError(
            "The database has tables of Procrastinate that the connector did not make.",
            "Give the connector a schema of its own: add ?options=-csearch_path%3DNAME to `database`.",
        )
    return str(note).removeprefix(_MARK)


def _refuse_newer(applied: str, newest: str) -> None:
    if applied > newest:
        raise UserError(
            f"The queue in the database was migrated to {applied}; the installed Procrastinate knows {newest} only.",
            "Install the version that the other machines have: `pip show procrastinate` tells it there.",
        )


def _folder() -> Path:
    spec = find_spec("procrastinate")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "sql"


def _migrations() -> dict[str, Path]:
    """The migrations by what they are sorted by: ``03.04.00_50``, its version and number."""
    found = (_folder() / "migrations").glob("*.sql")
    named = ((re.match(r"\d\d\.\d\d\.\d\d_\d\d", path.name), path) for path in found)
    return {match[0]: path for match, path in named if match is not None}


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(". ")
        raise LedgerUnavailable(f"The queue's tables cannot be used: {reason}.") from error
