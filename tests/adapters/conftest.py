"""Fixtures of the adapters' tests: ledgers (as ``tests.databases`` has them) and Partner Central."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_front import Front
from sqlalchemy import Engine

from connector.adapters.clock import Stopping, SystemClock
from connector.adapters.ledger import Ledger, open_engine, schema
from connector.adapters.partner_central import Paces, PartnerCentralClient, PartnerCentralSettings, Spent
from connector.resources import packaged
from connector.sandbox.server import HttpsServer
from tests import databases

KINDS = [databases.KIND]
"""The one of this run; named in the tests' ids."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded, empty SQLite database to copy."""
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    engine = open_engine(f"sqlite:///{path}")
    schema.upgrade(engine, packaged("migrations"))
    engine.dispose()
    return path


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    with databases.database(tmp_path, upgraded=False) as url:
        yield url


@pytest.fixture
def empty_engine(empty_url: str) -> Iterator[Engine]:
    """An engine on an empty database."""
    engine = open_engine(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, tmp_path: Path, template: Path) -> Iterator[Engine]:
    """An engine on a database with our schema."""
    with databases.database(tmp_path) as url:
        made = open_engine(url)
        if made.dialect.name == "sqlite":
            shutil.copy(template, str(made.url.database))
        yield made
        made.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """An empty ledger."""
    return Ledger(engine)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, HttpsServer]]:
    front = Front()
    with HttpsServer(front, tmp_path_factory.mktemp("ca") / "ca.pem") as server:
        yield front, server


@pytest.fixture
def front(served: tuple[Front, HttpsServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Front:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OURKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    served[0].reset()
    return served[0]


@pytest.fixture
def make(served: tuple[Front, HttpsServer], front: Front) -> Iterator[Callable[..., PartnerCentralClient]]:
    """Makes clients of the server; they are closed in the end."""
    made: list[PartnerCentralClient] = []
    stopping = Stopping()

    def client(
        spent: Spent | None = None,
        stop: Stopping = stopping,
        clock: SystemClock | None = None,
        paces: Paces | None = None,
        **settings: Any,
    ) -> PartnerCentralClient:
        server = served[1]
        clock = clock or SystemClock(stop)
        plain: dict[str, Any] = {
            "catalog": "Sandbox",
            "endpoint_url": server.url,
            "ca_bundle": server.ca_bundle,
            "writes_per_second": 1000,
            "reads_per_second": 1000,
            "read_timeout": timedelta(seconds=5),
            "user_agent": "partner|connector|Salesforce|v1",
        }
        made.append(
            PartnerCentralClient(
                PartnerCentralSettings(**{**plain, **settings}),
                spent or Spent(lambda _: 0, lambda _: 0),
                clock,
                paces or Paces(clock),
                stop,
            )
        )
        return made[-1]

    yield client
    for one in made:
        for opened in one._clients.values():
            opened.close()
