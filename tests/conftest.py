"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from hypothesis import settings

from tests import databases
from tests.world import ENVIRONMENT, World, world

# What fails must fail again, so the examples are the same in each run; `make prove` takes others, and many.
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.register_profile("at length", max_examples=2000, database=None, deadline=None, print_blob=True)
settings.load_profile("at length" if os.environ.get("CONNECTOR_PROVE") else "repeatable")


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty org, Partner Central, and a connector configured for them."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with world(tmp_path) as made:
        yield made


LONG = {
    "test_browser.py",
    "test_circle.py",
    "test_commands.py",
    "test_database_restart.py",
    "test_faults.py",
    "test_guards.py",
    "test_isolation.py",
    "test_kill.py",
    "test_life.py",
    "test_machine.py",
    "test_packaging.py",
    "test_proofs.py",
    "test_reload.py",
}
LEDGERS = ("tests.world", "tests.databases", "tests.fleet_world", "connector.adapters.ledger")
"""Whatever comes from these modules opens a ledger, or is about one."""
OPENING = {"world", "empty_url", "engine", "ledger"}
ELSEWHERE = "CONNECTOR_TEST_POSTGRES"
"""A test that needs a server names this variable in the reason for which it is skipped without one."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a ledger; leave tests of SQLite's own files to the round on SQLite; put long ones first."""
    for item in items:
        if uses_ledger(item):
            item.add_marker("ledger")
    if databases.POSTGRES:
        only_files = [item for item in items if item.get_closest_marker("sqlite_only")]
        config.hook.pytest_deselected(items=only_files)
        items[:] = [item for item in items if item not in set(only_files)]
    # So that no worker is left with them at the end.
    items.sort(key=lambda item: item.path.name not in LONG)


def uses_ledger(item: pytest.Item) -> bool:
    """By its fixtures, by what its module imports, or since it can only run where there is a server."""
    if OPENING & set(getattr(item, "fixturenames", ())):
        return True
    if any(ELSEWHERE in str(mark.kwargs.get("reason", "")) for mark in item.iter_markers("skipif")):
        return True
    return isinstance(item, pytest.Function) and any(map(opens_ledger, vars(item.module).values()))


def opens_ledger(imported: object) -> bool:
    """Whether what a module has by this name comes from one of those modules, or is one."""
    home = imported.__name__ if isinstance(imported, ModuleType) else getattr(imported, "__module__", None)
    return isinstance(imported, type | FunctionType | ModuleType) and str(home).startswith(LEDGERS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything must run (CONNECTOR_TEST_COMPLETE), a test that is skipped has failed.

    In the round on SQLite those that need a server may be: the round on PostgreSQL has them.
    """
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CONNECTOR_TEST_COMPLETE"):
        reason = str(report.longrepr)
        if databases.POSTGRES or ELSEWHERE not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped, where everything must run: {reason}"
    return report
