"""Fixtures of the fleet's tests: databases on a real server, with the ledger's tables and the queue's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from connector.adapters.ledger import open_engine
from connector.adapters.queue import schema
from tests.databases import server_database


@pytest.fixture
def server_url() -> Iterator[str]:
    """A database of its own, with the ledger's tables."""
    with server_database() as url:
        yield url


@pytest.fixture
def server(server_url: str) -> Iterator[Engine]:
    """The same as an engine, with the queue's tables."""
    engine = open_engine(server_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()
