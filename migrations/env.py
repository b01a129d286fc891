"""Alembic's environment: runs the migrations on the engine the connector hands over."""

from alembic import context
from sqlalchemy import Engine

from connector.adapters.ledger.engine import begin_migrating
from connector.adapters.ledger.rows import LinkRow

target_metadata = LinkRow.metadata


def include_name(name: str | None, type_: str, parent_names: dict[str, str | None]) -> bool:
    """Only our own tables; the database may hold others."""
    return type_ != "table" or name in target_metadata.tables


def run() -> None:
    engine: Engine = context.config.attributes["engine"]
    with engine.connect() as connection, connection.begin():
        begin_migrating(connection)
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            render_as_batch=engine.dialect.name == "sqlite",
            include_name=include_name,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
