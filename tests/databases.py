"""Databases for tests: a SQLite file each, or, where CONNECTOR_TEST_POSTGRES names a server, a database each there.

The URL's role must be allowed to create databases, without a password in the URL (trust, or PGPASSWORD). One database
of each process is upgraded by the migrations, all others are copies of it, which takes milliseconds.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from psycopg import sql
from sqlalchemy import Engine, make_url

from connector.adapters.ledger import open_engine, schema
from connector.resources import packaged

POSTGRES = os.environ.get("CONNECTOR_TEST_POSTGRES", "")
KIND = "postgresql" if POSTGRES else "sqlite"


@contextmanager
def database(folder: Path, *, upgraded: bool = True) -> Iterator[str]:
    """The URL of a database of its own: a path in ``folder`` where nothing is yet, or one on the server.

    ``upgraded``: on the server it has our schema, as after ``connector db upgrade``; a file is upgraded by whoever
    opens it first.
    """
    if not POSTGRES:
        yield f"sqlite:///{folder / 'ledger.db'}"
        return
    with server_database(upgraded=upgraded) as url:
        yield url


@contextmanager
def server_database(*, upgraded: bool = True) -> Iterator[str]:
    """The URL of a database on the server, dropped in the end."""
    name = _create(_template() if upgraded else "template0")
    try:
        yield _url_of(name)
    finally:
        _drop(name)


@contextmanager
def one_pool(module: Any) -> Iterator[None]:
    """All engines that ``module`` opens on one server database share their connections, which are closed in the end.

    A test makes many applications, each as after a restart; with a pool each they would use up the server's.
    """
    first: dict[str, Engine] = {}

    def opened(url: str) -> Engine:
        if not url.startswith("postgresql"):
            return open_engine(url)
        if url not in first:
            first[url] = open_engine(url)
        return first[url].execution_options()

    with mock.patch.object(module, "open_engine", opened):
        yield
    for engine in first.values():
        engine.dispose()


def empty(url: str) -> None:
    """Let the ledger be gone, as if nobody had ever made one."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        path = Path(str(parsed.database))
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        return
    name = str(parsed.database)
    _drop(name)
    _run("CREATE DATABASE {} TEMPLATE template0", name)


def has_ledger(url: str) -> bool:
    """Whether anybody made a ledger there."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        return Path(str(parsed.database)).exists()
    engine = open_engine(url)
    try:
        return bool(schema.current(engine))
    finally:
        engine.dispose()


def content(url: str) -> object:
    """All that stands in the ledger, None where there is none; the same until somebody writes to it."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        return _dump(Path(str(parsed.database)))
    with psycopg.connect(_conninfo(str(parsed.database)), autocommit=True) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return {
            table: connection.execute(
                sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
            ).fetchall()
            for (table,) in tables
        }


def _dump(path: Path) -> list[str] | None:
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as ledger:
        return list(ledger.iterdump())


def _create(template: str) -> str:
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}"
    _run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
    return name


def _drop(name: str) -> None:
    _run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


@cache
def _template() -> str:
    name = _create("template0")
    atexit.register(_drop, name)
    engine = open_engine(_url_of(name))
    schema.upgrade(engine, packaged("migrations"))
    engine.dispose()
    return name


def _run(statement: str, *names: str) -> None:
    with _server() as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def _server() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(_conninfo(None), autocommit=True) as connection:
        yield connection


def _conninfo(database: str | None) -> str:
    url = make_url(POSTGRES).set(drivername="postgresql")
    return (url if database is None else url.set(database=database)).render_as_string(hide_password=False)


def _url_of(name: str) -> str:
    return make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
