"""Runs a state machine at a chosen length, from a chosen seed, and keeps the figures of what it did."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def run_part(
    machine: type[RuleBasedStateMachine],
    about: dict[str, int],
    counted: Counter[str],
    record_property: Callable[[str, object], None],
    *,
    examples: int,
    steps: int,
) -> None:
    """Run one part; ``about`` names it and has its ``seed``, ``counted`` is what the machine counts in it."""
    print(f"seed {about['seed']}")
    counted.clear()
    try:
        run_state_machine_as_test(
            hypothesis.seed(about["seed"])(type(machine.__name__, (machine,), {})),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                # Each example runs real servers: making a failing one shorter would take an hour.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        record_property("figures", json.dumps({**about, **counted}))
        print(dict(counted))
