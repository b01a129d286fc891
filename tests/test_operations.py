"""The page for whoever is paged: what it has people type, install and alert on is what there is."""

from __future__ import annotations

import ast
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from configparser import RawConfigParser
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from connector.adapters import scheduler
from connector.cli import main
from connector.commands.session import EDIT, HALTED
from connector.config.models import ConfigFile, Connection, Web
from connector.core.guard import Limits
from connector.core.health import Cause, State
from connector.tracing import is_wanted
from connector.web import metrics
from connector.web.access import OPEN
from tests.daemons import ROOT
from tests.events import assigned, function_around
from tests.world import ENVIRONMENT, World

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BIN = str(Path(sys.executable).parent)


def blocks(language: str) -> list[str]:
    """What stands in the fences of a language, "" for those without."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in fences if name == language]


def yaml_block(mark: str) -> Any:
    """The one block of YAML with these words in it."""
    (text,) = [text for text in blocks("yaml") if mark in text]
    return YAML(typ="safe").load(text)


# commands


def commands() -> list[str]:
    """Every command line of ours: in fences one a line, in the text between backticks."""
    lines = [line.partition("#")[0].strip() for text in blocks("") for line in text.splitlines()]
    spans = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE))
    prose = [" ".join(span.split()) for span in spans]
    return sorted({line for line in (*lines, *prose) if re.match(r"connector [a-z]", line)})


@pytest.mark.parametrize("line", commands())
def test_every_command_is_one_that_there_is(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.json").write_text("{}", encoding="utf-8")
    words = line.split()[1:]
    command: click.Command = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    if words != ["--help"]:
        command.make_context(line, words)


def test_the_commands_of_a_runbook_are_there() -> None:
    assert {"connector status", "connector check", "connector db upgrade", "connector worker"} <= set(commands())


# systemd


def units() -> dict[str, RawConfigParser]:
    names = re.findall(r"`/etc/systemd/system/([\w@-]+\.service)`", PAGE)
    parsed = {}
    for name, text in zip(names, blocks("ini"), strict=True):
        parsed[name] = RawConfigParser(strict=False, comment_prefixes=("#",))
        parsed[name].optionxform = str  # type: ignore[assignment, method-assign]
        parsed[name].read_string(text)
    return parsed


@pytest.mark.parametrize(("name", "command"), [("connector.service", "run"), ("connector-worker@.service", "worker")])
def test_a_unit_starts_stops_and_reloads_what_there_is(name: str, command: str) -> None:
    service = units()[name]["Service"]
    assert service["ExecStart"] == f"/opt/connector/bin/connector {command}"
    assert command in main.commands
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert float(service["TimeoutStopSec"]) > scheduler.GRACE + 2
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", str(EDIT))
    assert HALTED == 3
    assert "exit 3 |" in PAGE


def wrapper() -> str:
    (text,) = [text for text in blocks("sh") if text.startswith("#!/bin/sh")]
    return text


def test_commands_for_people_run_where_their_user_may_write(world: World, tmp_path: Path) -> None:
    """``connector plan --out plan.json``, as the runbook has it, needs a folder of the connector's own user."""
    (folder,) = re.findall(r"^cd (\S+)", wrapper(), re.MULTILINE)
    assert f"--home-dir {folder} " in PAGE
    assert f"install -d -o connector -g connector -m 0700 {folder}\n" in PAGE
    for unit in units().values():
        service = unit["Service"]
        assert (f"/var/lib/{service['StateDirectory']}", service["StateDirectoryMode"]) == (folder, "0700")
    state, env = tmp_path / "state", tmp_path / "connector.env"
    state.mkdir()
    env.write_text("".join(f"{name}='{value}'\n" for name, value in ENVIRONMENT.items()), encoding="utf-8")
    script = tmp_path / "wrapper"
    text = wrapper().replace("/etc/connector/config.yaml", str(world.config)).replace("/etc/connector", str(tmp_path))
    text, count = re.subn(r"setpriv --reuid connector --regid connector --init-groups \S+", f"{BIN}/connector", text)
    assert count == 1
    script.write_text(text.replace(folder, str(state)), encoding="utf-8")
    deal = world.opportunity()
    for arguments in (["plan", "--out", "plan.json"], ["resync", "--plan", "plan.json"]):
        ran = subprocess.run(
            ["sh", str(script), *arguments], cwd="/", capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr
    assert (state / "plan.json").stat().st_mode & 0o777 == 0o600
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
    state.rename(tmp_path / "gone")
    ran = subprocess.run(
        ["sh", str(script), "status"], cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, ""), "where the folder is missing nothing is begun elsewhere"


def test_systemd_understands_the_units_where_there_is_one(tmp_path: Path) -> None:
    assert list(units()) == ["connector.service", "connector-worker@.service"]
    analyze = shutil.which("systemd-analyze")
    texts = [text.replace("/opt/connector/bin/connector", sys.executable) for text in blocks("ini")]
    for name, text in zip(("connector.service", "connector-worker@1.service"), texts, strict=True):
        assert sys.executable in text
        (tmp_path / name).write_text(text, encoding="utf-8")
        if analyze is not None:
            verify = [analyze, "verify", "--man=no", f"./{name}"]
            done = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode, done.stderr) == (0, "")


# YAML


def test_every_yaml_is_yaml() -> None:
    assert len(blocks("yaml")) == 6
    for text in blocks("yaml"):
        assert YAML(typ="safe").load(text)


def test_what_belongs_into_config_yaml_is_known_there() -> None:
    parts = [yaml_block(mark) for mark in ("database: postgresql", "connections_dir:", "listen: ${")]
    assert {name for part in parts for name in part} <= set(ConfigFile.model_fields)
    assert set(parts[-1]["web"]) <= set(Web.model_fields)
    assert {"salesforce", "partner_central", "mapping", "limits"} <= set(Connection.model_fields)


def test_the_deployment_asks_for_what_is_answered_without_a_token() -> None:
    template = yaml_block("kind: Deployment")["spec"]["template"]["spec"]
    (container,) = template["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["path"] for probe in probes.values()} == OPEN
    assert probes["liveness"]["path"] == "/healthz"
    (port,) = container["ports"]
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert f'listen: "0.0.0.0:{port["containerPort"]}"' in PAGE
    assert template["terminationGracePeriodSeconds"] > scheduler.GRACE + 2
    for one in (container, *template["initContainers"]):
        command: Any = main
        for word in one["args"]:
            command = command.commands[word]
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert {mount["name"] for mount in one["volumeMounts"]} <= {volume["name"] for volume in template["volumes"]}


# metrics and alerts


def families() -> dict[str, set[str]]:
    """The metrics of the source with their labels, by the names that Prometheus sees."""
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    module = ast.parse(Path(metrics.__file__).read_text(encoding="utf-8"))
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        labels = {*words[2:]}
        for starred in (one.value for one in node.args if isinstance(one, ast.Starred)):
            assert isinstance(starred, ast.Name)
            (given,) = assigned(function_around(module, node), starred.id)
            labels |= set(ast.literal_eval(given))
        if node.func.id == "gauge":
            found[f"connector_{words[0]}"] = labels
        elif node.func.id == "counter":
            found[f"connector_{words[0]}_total"] = labels
        elif node.func.id == "_waited":
            found[f"connector_{words[0]}_bucket"] = {"connection", "le"}
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml_block("groups:")["groups"]
    return list(group["rules"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_there_are_and_stands_in_the_runbook(rule: dict[str, Any]) -> None:
    known, expression = families(), rule["expr"]
    names = set(re.findall(r"\b(up|connector_\w+)\b", re.sub(r'"[^"]*"', "", expression)))
    assert names
    assert names <= set(known)
    labels = {"job", *(label for name in names for label in known[name])}
    asked = {word.strip() for inner in re.findall(r"by \(([^)]*)\)", expression) for word in inner.split(",")}
    asked |= set(re.findall(r"[{,]\s*(\w+)\s*[!=]", expression))
    asked |= set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) - {"instance"}
    assert asked <= labels
    assert expression.count("(") == expression.count(")")
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert f"\n### {rule['alert']}\n" in PAGE


def test_the_runbook_has_no_other_alerts() -> None:
    assert len(rules()) == 9
    assert re.findall(r"^### (Connector\w+)$", PAGE, re.MULTILINE) == [rule["alert"] for rule in rules()]


def test_states_causes_and_metrics_that_are_named_are_there() -> None:
    for rule in rules():
        for state in re.findall(r'connection_state\{state="(\w+)"', rule["expr"]):
            assert state in set(State)
    told = re.findall(r"^\| `(\w+)` \|", PAGE.partition("### ConnectorHalted")[2].partition("###")[0], re.MULTILINE)
    brakes = {limit.name for limit in fields(Limits)} - {"mapping_change_min_links"}
    assert set(told) == {str(cause) for cause in Cause} - {Cause.OUTAGE, Cause.SILENCE} | brakes
    named = set(re.findall(r"`(connector_\w+)`", PAGE))
    assert named
    assert named <= set(families())


# logs, traces, audit


def test_the_variables_of_the_page_ask_for_traces() -> None:
    (text,) = [text for text in blocks("sh") if "OTEL" in text]
    assert is_wanted(dict(line.split("=", 1) for line in text.splitlines()))


NIGHTLY = [("date -u +", "date -ud tomorrow +"), ("-ud yesterday", "-u")]
HOURLY = [("date -u +", "date -ud tomorrow +"), ("/audit-$(", "/audit-z$(")]


@pytest.mark.parametrize(("name", "later"), [("operations.md", NIGHTLY), ("privacy.md", HOURLY)])
def test_the_export_works_as_it_stands_in_the_crontab(world: World, name: str, later: list[tuple[str, str]]) -> None:
    world.opportunity()
    world.settle()
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    found = re.search(r"^```\nPATH=(.*)\n[\d*]+ [\d*]+ \* \* \* root (connector audit .*)\n```$", page, re.MULTILINE)
    assert found is not None
    assert "/usr/local/bin" in found[1].split(":"), "where the wrapper is"
    # The clock of the test is today's, and the export is of what was before.
    command = found[2].replace("\\%", "%").replace("/var/lib/connector", str(world.folder))
    shifted = command
    for old, new in later:
        assert old in shifted
        shifted = shifted.replace(old, new)
    for line in (command, shifted):
        environment = {"PATH": f"{BIN}:/usr/bin:/bin", "CONNECTOR_CONFIG": str(world.config), **ENVIRONMENT}
        given = {name: value for name, value in os.environ.items() if name.startswith(("PG", "CONNECTOR_TEST"))}
        done = subprocess.run(
            ["sh", "-c", line], env={**given, **environment}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
    first, second = sorted(world.folder.glob("audit-*.jsonl"))
    assert first.read_text(encoding="utf-8") == ""
    assert "CreateOpportunity" in second.read_text(encoding="utf-8")
    assert second.stat().st_mode & 0o777 == 0o600


# a restore


@pytest.mark.sqlite_only
@pytest.mark.parametrize("kind", ["an older copy", "an empty ledger"])
def test_after_a_restore_what_aws_has_is_adopted_and_nothing_is_made_twice(world: World, kind: str) -> None:
    first = world.opportunity()
    world.settle()
    ledger = world.folder / "ledger.db"
    copy = world.folder / "copy.db"
    with sqlite3.connect(ledger) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    later = world.opportunity()
    world.settle()
    created = [entry for entry in world.sandbox.service.journal if entry.operation == "CreateOpportunity"]
    assert len(created) == 2
    for path in world.folder.glob("ledger.db*"):
        path.unlink()
    if kind == "an older copy":
        shutil.copy(copy, ledger)

    world.settle()
    for deal in (first, later):
        (opportunity,) = world.at_aws(deal)
        assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
        assert world.show(deal)["opportunity_id"] == opportunity["Id"]
        assert world.effects(deal)["StartEngagementFromOpportunityTask"] == 1
