"""What others wrote is only shown: no name of a record steers the terminal, is taken for markup or stops a command."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import main
from connector.commands.blocks import print_connection
from connector.commands.plain import to_plain
from connector.commands.tables import console, table
from tests.world import ENVIRONMENT, INVITING, World, quick_starts

ROOT = Path(__file__).parents[1]
HOSTILE = "E\x1b[31mvil \x9b31m\u202e [/red] [link=http://evil.example]here[/link]"
SHOWN = r"E\u001b[31mvil \u009b31m\u202e [/red]"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Zoë & Søn 株式会社 [red]", "Zoë & Søn 株式会社 [red]"),
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("back\rto the start\x08", r"back\u000dto the start\u0008"),
        ("\x1b]0;title\x07", r"\u001b]0;title\u0007"),
        ("\x9b31m\x7f", r"\u009b31m\u007f"),
        ("\u202etxt.exe\u2066", r"\u202etxt.exe\u2066"),
    ],
)
def test_what_would_steer_a_terminal_is_shown(text: str, plain: str) -> None:
    assert to_plain(text) == plain


def test_json_stays_the_same_value() -> None:
    value = {"name": HOSTILE}
    assert json.loads(to_plain(json.dumps(value, ensure_ascii=False))) == value


def test_titles_heads_and_cells_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(table((HOSTILE,), [(HOSTILE,), ([HOSTILE],)], title=HOSTILE))
    console().print(HOSTILE, markup=False)
    out = capsys.readouterr().out
    assert out.count(SHOWN) == 5
    assert not {"\x1b", "\x9b", "\u202e"} & set(out)


def run(world: World, *arguments: str) -> str:
    with chdir(world.folder):
        runner = CliRunner(env={**ENVIRONMENT, "CONNECTOR_CONFIG": str(world.config)})
        done = runner.invoke(main, list(arguments))
    assert done.exit_code in {0, 1}, done.output
    return done.output


def test_every_command_shows_a_hostile_record(world: World) -> None:
    world.mapping = tuple(str(ROOT / name) for name in INVITING)
    world.write_config()
    with quick_starts():
        deal = world.opportunity(Name=HOSTILE, NextStep=HOSTILE)
        world.invite(deal, "222233334444", Partner_Name__c=HOSTILE)
        held = world.opportunity(Name=HOSTILE, AWS_Customer_Use_Case__c=None)
        told = run(world, "plan", "--fields")
        world.settle(deal, held)
    told += "".join(run(world, *line) for line in (("show", deal), ("status",), ("plan",), ("retry", deal)))
    told += run(world, "plan", "--json") + run(world, "show", deal, "--json")
    assert told.count(SHOWN.partition("[/red]")[0]) > 10
    assert not {"\x1b", "\x9b", "\u202e"} & set(told)


def waiting(count: int) -> dict[str, Any]:
    """One connection with a record of which ``count`` values wait for the same write."""
    values = [
        {"path": f"Project.Path{number}", "value": "new", "before": None, "becomes": "wait", "why": "It is under way."}
        for number in range(count)
    ]
    record = {
        "salesforce_id": "006000000000001AAA",
        "name": "Deal",
        "opportunity_id": "O1",
        "actions": [{"action": "resume", "operation": "AssociateOpportunity"}],
        "values": values,
        "problems": [],
        "invitations": [],
    }
    totals = {
        **dict.fromkeys(("records", "to_send", "held", "waiting", "unchanged", "stopped", "writes"), 0),
        "actions": {},
        "invitations_later": 0,
        "eta": "~0 s",
    }
    return {"records": [record], "totals": totals, "unknown": None, "guards": []}


def test_few_edits_are_told_one_by_one_and_many_of_one_cause_together(capsys: pytest.CaptureFixture[str]) -> None:
    print_connection("acme", waiting(2), fields=False)
    assert capsys.readouterr().out.count(': nothing → "new" waits: It is under way.') == 2
    print_connection("acme", waiting(50), fields=False)
    out = capsys.readouterr().out
    assert "50 values wait: It is under way." in out
    assert "Project.Path" not in out
