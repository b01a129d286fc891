"""The record of AWS's model beside a mapping: written on demand, held against the installed botocore, shipped."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore
import pytest

from connector.adapters.partner_central.model import model_version
from connector.checks.model import check_model, installed_model, record_model, record_path, text_of
from connector.core.findings import Finding, Severity
from connector.errors import UserError
from connector.mapping_files import load_mapping

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "mappings" / "opportunity.model.json"
MAPPING = """version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  Origin: {value: Partner Referral}
  Project: {Title: Name}
  PartnerOpportunityIdentifier: Id
"""
ONCE_RIGHT = """version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity:
  Origin: {value: Fair}
  Project:
    Title: Name
    Mood: Mood__c
"""


@pytest.fixture
def mapping_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


def write_record(path: Path, edit: Callable[[dict[str, Any]], object], version: str = "1.2.3") -> None:
    record = {"botocore": version, "model": dict(installed_model().table)}
    record = json.loads(json.dumps(record))
    edit(record["model"])
    path.write_text(json.dumps(record), encoding="utf-8")


def an_older_model(table: dict[str, Any]) -> None:
    """It knew one origin more and one less, a member more, and a shorter title."""
    origins = [origin for origin in table["create.Origin"]["enum"] if origin != "AWS Referral"]
    table["create.Origin"]["enum"] = [*origins, "Fair"]
    table["create.Project.Mood"] = {"kind": "string"}
    table["create.Project.Title"]["pattern"] = "(?s).{0,80}"
    table["aws.Weather"] = {"kind": "string"}


def shown(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{finding.severity}: {finding}" for finding in findings]


def test_the_record_that_is_shipped_is_that_of_the_locked_botocore() -> None:
    locked = re.search(r"^botocore==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert locked is not None
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped["botocore"] == locked[1], "run `connector check --record-model` and commit what it has written"
    if model_version() == locked[1]:
        assert SHIPPED.read_text(encoding="utf-8") == text_of(installed_model())


def test_the_version_is_that_of_the_installed_botocore() -> None:
    assert installed_model().version == model_version() == botocore.__version__


@pytest.mark.parametrize("names", [("opportunity.yaml",), ("opportunity.yaml", "invitations.yaml")])
def test_the_shipped_mappings_have_no_drift(names: tuple[str, ...]) -> None:
    if model_version() != json.loads(SHIPPED.read_text(encoding="utf-8"))["botocore"]:
        pytest.skip("another botocore than the locked one is installed")
    files = tuple(ROOT / "mappings" / name for name in names)
    assert record_path(files) == SHIPPED
    message = f"AWS's model is the recorded one (botocore {botocore.__version__})."
    (finding,) = check_model(files, load_mapping(files))
    assert (finding.severity, finding.message) == (Severity.NOTE, message)


def test_without_a_record_there_is_a_note_on_how_to_make_one(mapping_file: Path) -> None:
    assert shown(check_model(mapping_file, load_mapping(mapping_file, "mine.yaml"))) == [
        "note: mine.yaml is told what a newer botocore changes once you run `connector check --record-model`."
    ]
    assert not record_path(mapping_file).exists()


def test_a_record_is_written_whole_and_the_same_each_time(mapping_file: Path) -> None:
    path = record_model(mapping_file)
    assert path == mapping_file.with_name("mine.model.json")
    first = path.read_bytes()
    assert first.endswith(b"}\n")
    assert b"\r" not in first
    path.write_text("{", encoding="utf-8")
    assert record_model((mapping_file, mapping_file.with_name("more.yaml"))) == path
    assert path.read_bytes() == first == text_of(installed_model()).encode()
    assert sorted(file.name for file in mapping_file.parent.iterdir()) == ["mine.model.json", "mine.yaml"]
    assert path.stat().st_mode == mapping_file.stat().st_mode


def test_a_record_that_cannot_be_written_leaves_nothing(mapping_file: Path) -> None:
    record_path(mapping_file).mkdir()
    with pytest.raises(UserError, match=r"mine\.model\.json cannot be written: Is a directory\. Copy the mapping"):
        record_model(mapping_file)
    assert sorted(file.name for file in mapping_file.parent.iterdir()) == ["mine.model.json", "mine.yaml"]


def test_what_has_changed_is_told_at_the_lines_of_the_mapping(mapping_file: Path) -> None:
    write_record(record_path(mapping_file), an_older_model)
    since = "since botocore 1.2.3."
    what = "AWS's pattern of Project.Title has changed: (?s).{0,80} → (?s).{0,255}"
    summary = f"AWS's model has changed between botocore 1.2.3, which is recorded, and {botocore.__version__}"
    cure = "Once the mapping is right, run `connector check --record-model` and commit mine.model.json."
    assert shown(check_model(mapping_file, load_mapping(mapping_file, "mine.yaml"))) == [
        f"warning: mine.yaml:5:13: {what}, {since} See that the values fit.",
        "note: mine.yaml: 2 other changes do not concern this mapping: aws.Weather, Project.Mood.",
        f"note: mine.yaml:4:3: AWS takes 'AWS Referral' at Origin, {since}",
        f"note: mine.model.json: {summary}, which is installed. {cure}",
    ]


def test_what_was_right_with_the_recorded_model_is_told_with_the_change(mapping_file: Path) -> None:
    """The mapping cannot be used today, so there is none: it is read as of the record."""
    mapping_file.write_text(ONCE_RIGHT, encoding="utf-8")
    write_record(record_path(mapping_file), an_older_model)
    found = shown(check_model(mapping_file, None))
    assert found[:2] == [
        "error: mine.yaml:4:3: AWS no longer takes 'Fair' at Origin, since botocore 1.2.3. Choose another value.",
        "error: mine.yaml:7:5: AWS no longer takes Project.Mood, since botocore 1.2.3. Remove the line.",
    ]
    assert not any(line.startswith("error") for line in found[2:])


def test_a_mistake_of_another_kind_neither_hides_the_drift_nor_adds_to_it(mapping_file: Path) -> None:
    """CompanyName cannot be read for its transform, which is no reason to say that it is not mapped."""
    mistake = "  Customer: {Account: {Duns: D__c, CompanyName: {from: Account.Name, transform: trimm}}}"
    mapping_file.write_text(f"{ONCE_RIGHT}{mistake}\n", encoding="utf-8")

    def edit(table: dict[str, Any]) -> None:
        an_older_model(table)
        del table["create.Customer.Account"]["required"]

    write_record(record_path(mapping_file), edit)
    errors = [line for line in shown(check_model(mapping_file, None)) if not line.startswith("note")]
    assert [line.partition(", since")[0] for line in errors] == [
        "error: mine.yaml:4:3: AWS no longer takes 'Fair' at Origin",
        "error: mine.yaml:7:5: AWS no longer takes Project.Mood",
        "warning: mine.yaml:6:5: AWS's pattern of Project.Title has changed: (?s).{0,80} → (?s).{0,255}",
    ]


@pytest.mark.parametrize("text", ["[", "", None])
def test_a_mapping_that_cannot_be_read_at_all_is_told_of_later(mapping_file: Path, text: str | None) -> None:
    write_record(record_path(mapping_file), an_older_model)
    mapping_file.unlink()
    if text is not None:
        mapping_file.write_text(text, encoding="utf-8")
    untold, summary = check_model(mapping_file, None)
    told = "is told once its other mistakes are corrected."
    assert str(untold) == f"mine.yaml: What the changes of AWS's model mean for this mapping {told}"
    assert (untold.severity, summary.severity) == (Severity.NOTE, Severity.NOTE)


def test_a_newer_version_of_the_same_model_is_a_note(mapping_file: Path) -> None:
    write_record(record_path(mapping_file), lambda table: None)
    message = "Nothing that a mapping is held against has changed between botocore 1.2.3 and"
    assert shown(check_model(mapping_file, load_mapping(mapping_file, "mine.yaml"))) == [
        f"note: mine.model.json: {message} {botocore.__version__}."
    ]


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (b'{"botocore": "1",\n<<<<<<< ours\n', ":2:1", "Expecting property name enclosed in double quotes"),
        (b"", ":1:1", "Expecting value"),
        (b"\xff\xfe", "", "'utf-8' codec can't decode byte 0xff"),
        (b"[]", "", "it has not the two members botocore and model"),
        (b'{"botocore": "1", "model": {"create": {}}}', "", "'create' cannot be of the kind None"),
        (b"[" * 100_000, "", "maximum recursion depth exceeded"),
    ],
)
def test_a_damaged_record_is_an_error_with_a_cure(mapping_file: Path, content: bytes, place: str, reason: str) -> None:
    record_path(mapping_file).write_bytes(content)
    (line,) = shown(check_model(mapping_file, load_mapping(mapping_file, "mine.yaml")))
    assert line.startswith(f"error: mine.model.json{place}: The record of AWS's model cannot be read: {reason}")
    assert line.endswith("Restore it from git, or write it anew with `connector check --record-model`.")


def test_a_record_that_may_not_be_read_is_an_error_too(mapping_file: Path) -> None:
    record_path(mapping_file).mkdir()
    (line,) = shown(check_model(mapping_file, load_mapping(mapping_file, "mine.yaml")))
    assert line.startswith("error: mine.model.json: The record of AWS's model cannot be read: Is a directory.")


def test_an_older_model_gives_the_shipped_mapping_exactly_its_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = tuple(
        Path(shutil.copy(ROOT / "mappings" / name, tmp_path)) for name in ("opportunity.yaml", "invitations.yaml")
    )

    def edit(table: dict[str, Any]) -> None:
        for path in ("create", "opportunity"):
            table[f"{path}.Customer.Account.Industry"]["enum"].remove("Gaming")
            table[f"{path}.Marketing.Channels[]"]["enum"].remove("Live Event")
            del table[f"{path}.Project.AwsPartition"]
        table["opportunity.LifeCycle.ReviewStatus"]["enum"].remove("Action Required")
        table["invitation_answer.Status"]["enum"].remove("EXPIRED")
        table["entity_types"]["enum"].remove("AwsMarketplaceOfferSets")
        table["create.Project.Title"]["pattern"] = "(?s).{0,100}"
        del table["create.LifeCycle.NextStepsHistory"]["max"]

    write_record(tmp_path / "opportunity.model.json", edit)
    found = [
        (str(finding.severity), finding.file, finding.message.removesuffix(", since botocore 1.2.3."))
        for finding in check_model(files, load_mapping(files))
    ]
    first, second = "opportunity.yaml", "invitations.yaml"
    others = "opportunity.Customer.Account.Industry, opportunity.Marketing.Channels[], opportunity.Project.AwsPartition"
    assert sorted(found[:-1]) == sorted(
        [
            ("warning", first, "AWS's pattern of Project.Title has changed: (?s).{0,100} → (?s).{0,255}"),
            ("note", first, "AWS takes 'Gaming' at Customer.Account.Industry"),
            ("note", first, "AWS takes 'Live Event' at Marketing.Channels"),
            ("note", first, "AWS takes Project.AwsPartition"),
            ("note", first, "AWS associates AwsMarketplaceOfferSets"),
            ("note", first, "AWS may tell 'Action Required' at opportunity.LifeCycle.ReviewStatus"),
            ("note", second, "AWS may tell 'EXPIRED' at invitation.Status"),
            ("note", first, f"4 other changes do not concern this mapping: LifeCycle.NextStepsHistory, {others}."),
        ]
    )
