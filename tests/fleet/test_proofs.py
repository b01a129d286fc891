"""A fleet's proofs in their short form; ``make prove`` sets CONNECTOR_PROVE and runs them at length.

What each did is told as the property ``figures``, which ``tests/prove.py`` prints. They start a server of their own, as
one of them restarts it; CONNECTOR_TEST_POSTGRES only says that tests of PostgreSQL are meant to run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet_processes import has_postgres
from tests.prove_fleet import PROOFS

PROVE = bool(os.environ.get("CONNECTOR_PROVE"))
pytestmark = pytest.mark.skipif(
    not has_postgres() or not (PROVE or os.environ.get("CONNECTOR_TEST_POSTGRES")),
    reason="a fleet needs PostgreSQL's server programs; `make test-postgres` sets CONNECTOR_TEST_POSTGRES",
)


@pytest.mark.parametrize("name", PROOFS)
def test_a_fleet_does_everything_once_whatever_happens_to_its_workers(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    proof, long, short = PROOFS[name]
    figures = proof(tmp_path, long if PROVE else short)
    record_property("figures", json.dumps({"fleet": name, **figures}))
    assert figures["complaints"] == []
    assert not any(figures["wrong"].values())
    assert figures["throttled at a hand-over"] == 0
