"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import ENVIRONMENT, World, world


@pytest.fixture(name="world")
def world_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty org, Partner Central, and a connector configured for them."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with world(tmp_path) as made:
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, so that no worker is left with them at the end."""
    long = ("test_kill.py", "test_commands.py", "test_packaging.py", "test_faults.py", "test_circle.py")
    items.sort(key=lambda item: item.path.name not in long)
