"""The migrations: from nothing to the models, back again, and never over what somebody newer made."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from connector.adapters.ledger import open_engine, schema
from connector.adapters.ledger.rows import LinkRow
from connector.errors import LedgerUnavailable, UserError
from connector.resources import packaged

MIGRATIONS = packaged("migrations")
OURS = {"link", "mention", "operation", "sighting", "watermark", "usage", "request", "audit", "fence", "alert"}


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    # Alembic misreads an empty text as a default on SQLite.
    defaults = engine.dialect.name != "sqlite"
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": defaults}
        )
        assert compare_metadata(context, LinkRow.metadata) == []
    assert tables(engine) == {*OURS, "alembic_version"}


def test_an_upgrade_is_done_once(empty_engine: Engine) -> None:
    assert schema.current(empty_engine) == ""
    assert schema.upgrade(empty_engine, MIGRATIONS) is True
    assert schema.current(empty_engine) == schema.newest(empty_engine, MIGRATIONS) != ""
    with empty_engine.begin() as connection:
        connection.execute(text("INSERT INTO watermark (connection, name, value) VALUES ('acme', 'pull', 'kept')"))
    assert schema.upgrade(empty_engine, MIGRATIONS) is False
    with empty_engine.connect() as connection:
        assert connection.execute(text("SELECT value FROM watermark")).scalar_one() == "kept"


def test_the_way_back_leaves_nothing(engine: Engine) -> None:
    command.downgrade(schema._config(engine, MIGRATIONS), "base")
    assert (tables(engine), schema.current(engine)) == ({"alembic_version"}, "")
    assert schema.upgrade(engine, MIGRATIONS) is True
    assert tables(engine) == {*OURS, "alembic_version"}


def test_a_database_of_a_newer_connector_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match="revision 9999, which this version does not know") as caught:
        schema.upgrade(engine, MIGRATIONS)
    assert "install that version" in caught.value.cure
    assert schema.current(engine) == "9999"


def test_other_tables_are_left_alone(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
        connection.execute(text("INSERT INTO theirs VALUES (7)"))
    schema.upgrade(empty_engine, MIGRATIONS)
    command.check(schema._config(empty_engine, MIGRATIONS))
    command.downgrade(schema._config(empty_engine, MIGRATIONS), "base")
    with empty_engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM theirs")).scalar_one() == 7


def test_an_upgrade_that_breaks_off_leaves_nothing(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        # The last table the migration makes is in its way.
        connection.execute(text("CREATE TABLE operation (id INTEGER)"))
    with pytest.raises(LedgerUnavailable, match="already exists"):
        schema.upgrade(empty_engine, MIGRATIONS)
    assert tables(empty_engine) <= {"operation", "alembic_version"}
    assert schema.current(empty_engine) == ""
    with empty_engine.begin() as connection:
        connection.execute(text("DROP TABLE operation"))
    assert schema.upgrade(empty_engine, MIGRATIONS) is True


def test_migrations_run_in_any_thread(empty_engine: Engine) -> None:
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(schema.upgrade(empty_engine, MIGRATIONS)))
    thread.start()
    thread.join(30)
    assert done == [True]


@pytest.mark.sqlite_only
def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}")
    for use in (schema.current, lambda engine: schema.upgrade(engine, MIGRATIONS)):
        with pytest.raises(LedgerUnavailable, match="unable to open database file"):
            use(engine)
    engine.dispose()


def test_migrations_name_no_types_of_ours() -> None:
    """A migration must mean the same for ever, whatever becomes of the models."""
    for path in sorted((MIGRATIONS / "versions").glob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        imports = {line for line in lines if line.startswith(("import ", "from "))}
        modules = {line.split()[1].partition(".")[0] for line in imports}
        assert modules <= {"sqlalchemy", "alembic", *sys.stdlib_module_names}, path
        assert not any("connector." in line or "sqlmodel." in line for line in lines), path
