"""``connector check`` as a whole: what is looked at, in which form it is told, and what needs no secret."""

from __future__ import annotations

import json
import re
from contextlib import chdir
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from connector.app import AWS_ACCOUNT
from connector.checks.files import check_config
from connector.cli import main
from tests.world import ENVIRONMENT, World

ROOT = Path(__file__).parents[1]
SECRETS = {"SF_CLIENT_ID", "SF_CLIENT_SECRET", "CONNECTOR_CONFIG", *ENVIRONMENT, "GITHUB_WORKSPACE"}
CONFIG = """\
connections:
  acme:
    salesforce:
      login_url: https://acme.my.salesforce.com
      auth: {method: client_credentials, client_id: "${SF_CLIENT_ID}", client_secret: "${SF_CLIENT_SECRET}"}
    partner_central: {catalog: Sandbox}
"""


def run(folder: Path, *arguments: str, **environment: str) -> Result:
    """The command as a person runs it in ``folder``, with no secret but those given; in this process, to be quick."""
    with chdir(folder):
        return CliRunner(env={**dict.fromkeys(SECRETS), **environment}).invoke(main, ["check", *arguments])


def parsed(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == done.exit_code
    return found


def write(folder: Path, config: str = CONFIG, mapping: str | None = None) -> None:
    (folder / "config.yaml").write_text(config, "utf-8")
    if mapping is not None:
        (folder / "mapping.yaml").write_text(mapping, "utf-8")


MISTAKEN = """\
version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  Origin: {value: Partner Referal}
"""


def test_offline_needs_no_secret_and_says_what_a_run_will_need(tmp_path: Path) -> None:
    write(tmp_path)
    done = run(tmp_path, "--offline")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "note    config.yaml:5:42: connections.acme.salesforce.auth.client_id reads" in done.stdout
    assert "SF_CLIENT_SECRET, which is not set. Set SF_CLIENT_SECRET before you start." in done.stdout
    assert done.stdout.rstrip().endswith("Everything is in order.")
    online = run(tmp_path)
    assert online.exit_code == 2
    assert online.stdout.count("error   config.yaml:5:") == 2
    assert "Everything is in order" not in online.stdout


def test_mistakes_of_both_files_come_together_the_worst_first(tmp_path: Path) -> None:
    write(tmp_path, CONFIG.replace("catalog: Sandbox", "catalog: sandbx") + "    mapping: mapping.yaml\n", MISTAKEN)
    done = run(tmp_path, "--offline")
    assert done.exit_code == 2
    severities = [line.split()[0] for line in done.stdout.splitlines()[:-1]]
    assert severities == sorted(severities, key=["halt", "error", "warning", "note"].index)
    assert "config.yaml:6:23: connections.acme.partner_central.catalog" in done.stdout
    assert "mapping.yaml:4:12: Origin: 'Partner Referal' is not a value AWS knows." in done.stdout
    assert f"{severities.count('error')} errors" in done.stdout.splitlines()[-1]


def test_the_only_mapping_looked_at_is_that_of_the_chosen_connection(tmp_path: Path) -> None:
    other = CONFIG.partition("\n")[2].replace("acme:", "other:") + "    mapping: mapping.yaml\n"
    write(tmp_path, CONFIG + other, MISTAKEN)
    assert run(tmp_path, "--offline").exit_code == 2
    assert run(tmp_path, "--offline", "--connection", "acme").exit_code == 0
    unknown = run(tmp_path, "--offline", "--connection", "amce")
    assert (unknown.exit_code, "There is no connection 'amce'" in unknown.stderr) == (2, True)


def test_a_missing_configuration_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path, "--offline")
    assert (done.exit_code, done.stderr) == (2, "")
    assert "The configuration file config.yaml does not exist." in done.stdout


def test_a_secret_in_the_file_itself_is_warned_of(tmp_path: Path) -> None:
    literal = CONFIG.replace('"${SF_CLIENT_SECRET}"', "hunter2hunter2")
    write(tmp_path, f"database: postgresql+psycopg://u:pass1word@db.example/x\n{literal}")
    done = run(tmp_path, "--offline", SF_CLIENT_ID="id")
    assert (done.exit_code, done.stdout.count("warning ")) == (0, 2)
    assert "config.yaml:1:1: database has a secret in the file itself" in done.stdout
    assert "config.yaml:6:72: connections.acme.salesforce.auth.client_secret has a secret" in done.stdout
    assert "hunter2" not in done.stdout
    assert "pass1word" not in done.stdout
    write(tmp_path, literal.replace("https://acme.my.salesforce.com", "https://127.0.0.1:8443"))
    assert "has a secret" not in run(tmp_path, "--offline", SF_CLIENT_ID="id").stdout


def test_json_has_everything_by_name(tmp_path: Path) -> None:
    write(tmp_path, CONFIG + "    mapping: mapping.yaml\n", MISTAKEN)
    found = parsed(run(tmp_path, "--offline", "--json"))
    assert set(found) == {"problems", "notes", "coverage", "exit_code"}
    first = next(problem for problem in found["problems"] if problem["line"] == 4)
    assert first.items() >= {"severity": "error", "kind": "mapping", "file": "mapping.yaml", "column": 12}.items()
    assert first["message"]
    assert first["cure"]
    assert found["coverage"]["mapping.yaml"]
    assert run(tmp_path, "--offline", "--format", "json").stdout == run(tmp_path, "--offline", "--json").stdout


def test_github_annotates_the_lines_of_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "partner central"
    folder.mkdir()
    write(folder, CONFIG + "    mapping: mapping.yaml\n", MISTAKEN)
    done = run(folder, "--offline", "--format", "github", GITHUB_WORKSPACE=str(tmp_path))
    assert done.exit_code == 2
    assert "::error file=partner central/mapping.yaml,line=4,col=12,title=connector check%3A mapping::" in done.stdout
    assert all(line.startswith("::") for line in done.stdout.splitlines())


def test_junit_has_a_test_case_for_each_case_of_the_mapping(tmp_path: Path) -> None:
    write(tmp_path)
    text = (ROOT / "mappings" / "opportunity.yaml").read_text("utf-8").replace('"22500.00"', '"22500.01"')
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "opportunity.yaml").write_text(text, "utf-8")
    done = run(tmp_path, "--offline", "--format", "junit")
    assert done.exit_code == 2
    root = ET.fromstring(done.stdout)
    assert root.attrib.items() >= {"failures": "1", "errors": "0"}.items()
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    failed = cases["case: a complete record for co-selling has no problem"]
    assert "22500.01" in (failed.findtext("failure") or "")
    assert len([name for name in cases if name.startswith("case: ")]) == text.count("\n  - name: ")


def test_the_model_is_recorded_once_a_mapping_is_right(tmp_path: Path) -> None:
    write(tmp_path, CONFIG + "    mapping: mapping.yaml\n", MISTAKEN)
    assert run(tmp_path, "--offline", "--record-model").exit_code == 2
    assert not (tmp_path / "mapping.model.json").exists()
    mapping = (ROOT / "mappings" / "opportunity.yaml").read_text("utf-8")
    write(tmp_path, CONFIG + "    mapping: mapping.yaml\n", mapping)
    assert "connector check --record-model" in run(tmp_path, "--offline").stdout
    assert "is noted in mapping.model.json" in run(tmp_path, "--offline", "--record-model").stdout
    record = json.loads((tmp_path / "mapping.model.json").read_text("utf-8"))
    (tmp_path / "mapping.model.json").write_text(json.dumps(record).replace('"Partner Referral"', '"Partner Lead"'))
    drifted = parsed(run(tmp_path, "--offline", "--json"))
    assert [problem["kind"] for problem in drifted["problems"]] in ([], ["drift"])
    assert any("Partner Referral" in text for text in [*drifted["notes"], *map(str, drifted["problems"])])


def test_both_services_are_looked_at_and_nothing_is_written(world: World) -> None:
    world.opportunity()
    writes, ledger = world.sandbox.service.writes, world.ledger_content
    done = run(world.folder, "--format", "junit", **ENVIRONMENT)
    assert done.exit_code == 0, done.stdout
    names = [case.attrib["name"] for case in ET.fromstring(done.stdout).iter("testcase")]
    assert any(name.startswith("AWS: ") for name in names)
    assert any("permission" in name or "ListOpportunities" in name for name in names)
    assert world.sandbox.service.writes == writes
    assert world.ledger_content == ledger
    labels = {label for label, _ in world.sandbox.org.calls}
    assert not any(label.startswith(("PATCH", "DELETE")) for label in labels)


def test_each_connection_out_of_reach_is_a_halt_of_its_own(world: World) -> None:
    text = world.config.read_text("utf-8")
    section = text.partition("connections:\n")[2]
    broken = section.replace("  sandbox:", "  broken:").replace(world.sandbox.client_secret, "wrong-secret-value")
    world.config.write_text(text + broken, "utf-8")
    done = run(world.folder, "--json", **ENVIRONMENT)
    assert done.exit_code == 3, done.stdout + done.stderr
    found = parsed(done)
    assert {problem["connection"] for problem in found["problems"]} == {"broken"}
    assert "halt" in {problem["severity"] for problem in found["problems"]}
    assert "wrong-secret-value" not in done.stdout + done.stderr
    assert any("Partner Central answers" in note and "sandbox" in note for note in found["notes"])


def test_a_mapping_with_mistakes_keeps_its_connection_from_being_asked(world: World) -> None:
    (world.folder / "mapping.yaml").write_text(MISTAKEN, "utf-8")
    with world.config.open("a", encoding="utf-8") as file:
        file.write("    mapping: mapping.yaml\n")
    before = len(world.sandbox.org.calls)
    done = run(world.folder, "--format", "junit", **ENVIRONMENT)
    assert done.exit_code == 2
    assert (
        "skipped connection sandbox: Salesforce and AWS. Its mapping has mistakes.\n"
        in run(world.folder, **ENVIRONMENT).stdout
    )
    skipped = [case for case in ET.fromstring(done.stdout).iter("testcase") if case.find("skipped") is not None]
    assert [case.attrib["classname"] for case in skipped] == ["connection sandbox"]
    assert len(world.sandbox.org.calls) == before


@pytest.mark.parametrize("mapping", ["[]", "[[]]", "{}", "5", "", "[.]", "gone.yaml", '"\\0"'])
def test_a_faulty_configuration_with_a_strange_mapping_is_told_all_the_same(tmp_path: Path, mapping: str) -> None:
    write(tmp_path, CONFIG.replace("login_url", "login_ur") + f"    mapping: {mapping}\n")
    looked = check_config(tmp_path / "config.yaml", {}, offline=True)
    assert looked.mappings == ()
    assert {finding.kind for finding in looked.checked.findings} == {"configuration"}


HALF_RIGHT = """\
version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  PartnerOpportunityIdentifier: Id
  Project: {Title: Titel__c}
cases:
  - name: wrong
    given: {Titel__c: Deal}
    expect: {opportunity: {Project: {Title: Another}}}
"""


def test_what_is_wrong_in_a_mapping_that_can_be_used_hides_nothing_of_the_org(world: World) -> None:
    (world.folder / "mapping.yaml").write_text(HALF_RIGHT, "utf-8")
    with world.config.open("a", encoding="utf-8") as file:
        file.write("    mapping: mapping.yaml\n")
    done = run(world.folder, "--json", **ENVIRONMENT)
    assert done.exit_code == 2
    kinds = {problem["kind"] for problem in parsed(done)["problems"]}
    assert kinds == {"case", "unfillable", "field-missing"}


def test_a_check_notes_nothing_in_the_ledger(world: World) -> None:
    app = world.app()
    before = world.ledger_content
    assert run(world.folder, **ENVIRONMENT).exit_code == 0
    assert world.ledger_content == before
    assert app.ledger.watermark("sandbox", AWS_ACCOUNT) == "", "the daemon notes what its calls are counted under"


def test_a_database_that_cannot_be_opened_stands_in_the_list(world: World) -> None:
    text = world.config.read_text("utf-8")
    world.config.write_text(text.replace(world.database, "postgresql+psycopg://db.example:port/x"), "utf-8")
    done = run(world.folder, "--json", **ENVIRONMENT)
    assert (done.exit_code, done.stderr) == (2, "")
    (problem,) = parsed(done)["problems"]
    assert problem["severity"] == "error"
    assert "The database cannot be opened: its URL is wrong." in problem["message"]


def test_cases_that_fail_for_one_reason_are_one_line_on_a_terminal_and_all_in_junit(tmp_path: Path) -> None:
    text = (ROOT / "mappings" / "opportunity.yaml").read_text("utf-8").replace("        Qualification: Qualified\n", "")
    write(tmp_path, CONFIG + "    mapping: mapping.yaml\n", text)
    done = run(tmp_path, "--offline")
    lines = [line for line in done.stdout.splitlines() if line.startswith("error")]
    assert len(lines) == 2, lines
    assert re.search(r" \d+ other cases fail for the same reason: lines (\d+, ){5}\d+ and \d+ more\.$", lines[1])
    failures = int(ET.fromstring(run(tmp_path, "--offline", "--format", "junit").stdout).attrib["failures"])
    assert failures > 10
    assert f"{failures} errors" in done.stdout


def test_a_renamed_field_is_named_by_the_case_that_still_gives_it(tmp_path: Path) -> None:
    text = (ROOT / "mappings" / "opportunity.yaml").read_text("utf-8")
    write(tmp_path, CONFIG + "    mapping: mapping.yaml\n", text.replace("AWS_Contract_Months__c, tr", "Months__c, tr"))
    (told,) = [line for line in run(tmp_path, "--offline").stdout.splitlines() if line.startswith("error")]
    assert "No line reads AWS_Contract_Months__c, which the case gives." in told


@pytest.mark.parametrize(("more", "told"), [("", True), (', token: "${WEB_TOKEN}"', False), (", listen: off", False)])
def test_a_page_behind_a_proxy_without_a_token_is_told(tmp_path: Path, more: str, told: bool) -> None:
    write(tmp_path, f"web: {{hosts: [page.example]{more}}}\n{CONFIG}")
    done = run(tmp_path, "--offline", SF_CLIENT_ID="id", WEB_TOKEN="token-of-the-page")
    assert done.exit_code == 0
    assert ("config.yaml:1:7: web.hosts lets the page be reached by way of a proxy" in done.stdout) is told
