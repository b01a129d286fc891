"""A new org, made from the generated Salesforce project and nothing else, runs the shipped mapping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import app as building
from connector.checks.org import check_org
from connector.core.findings import Severity
from connector.errors import AccessDenied
from connector.mapping_files import load_mapping
from connector.provisioning.salesforce.grants import INTEGRATION, SELLER
from connector.provisioning.salesforce.project import Org as OrgSettings
from connector.provisioning.salesforce.project import make_project
from connector.sandbox.salesforce import seed
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.source import make_org
from connector.sandbox.server import Sandbox
from connector.sync import pull
from tests import databases
from tests.world import ENVIRONMENT, FAST, INVITING, ROW, SHORTENED, World

ROOT = Path(__file__).parents[2]
SETTINGS = {"acme": OrgSettings("https://acme.my.salesforce.com", "66.0")}
OUTCOME = (
    *("AWS_Sync_Status__c", "AWS_Task_Status__c", "AWS_Review_Status__c", "AWS_Visibility_Told__c"),
    *("AWS_Involvement_Told__c", "AWS_Stage__c", "AWS_Sync_Message__c"),
)
OF_A_ROW = ("Invitation_Status__c", "Invitation_Sync_Status__c", "Invitation_Sync_Message__c")


def new_org(folder: Path, *files: str, permission_set: str = INTEGRATION) -> Org:
    """An org after the project of these mapping files was deployed to it, with the sample records in it."""
    mapping = load_mapping(tuple(ROOT / file for file in files))
    make_project(folder, {"acme": mapping}, SETTINGS)
    org = make_org(folder, permission_set)
    seed.load(org, datetime.now(UTC).date())
    return org


def sample_org() -> tuple[Org, list[str]]:
    """The sample org as the sandbox serves it, where the user may do everything, and its complete flagged records."""
    org = Org()
    sample = seed.load(org, datetime.now(UTC).date())
    flagged = [row["Id"] for row in org.records("Opportunity") if row.get("Share_With_AWS__c")]
    return org, [one for one in flagged if one not in sample.flaws]


@contextmanager
def served(folder: Path, org: Org, *files: str) -> Iterator[World]:
    folder.mkdir(exist_ok=True)
    with (
        databases.database(folder) as database,
        databases.one_pool(building),
        Sandbox(directory=folder, settings=FAST, seed=False, org=org) as sandbox,
    ):
        made = World(sandbox, folder, database, mapping=files)
        made.write_config()
        yield made


def outcome(folder: Path, org: Org, *files: str) -> dict[str, Any]:
    """What the connector made of every record and row, as Salesforce shows it, by id."""
    with served(folder, org, *files) as world:
        world.settle()
        for row in org.records("Opportunity"):
            at_aws = [entry["Id"] for entry in world.at_aws(row["Id"])]
            assert at_aws == [shown for shown in [row.get("AWS_Opportunity_Id__c")] if shown]
        found = {row["Id"]: {name: row.get(name) for name in OUTCOME} for row in org.records("Opportunity")}
        if org.schema.find(ROW) is not None:
            found |= {row["Id"]: {name: row.get(name) for name in OF_A_ROW} for row in org.records(ROW)}
        return found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for module, name, seconds in SHORTENED:
        monkeypatch.setattr(module, name, timedelta(seconds=seconds))


@pytest.mark.parametrize("files", [INVITING[:1], INVITING], ids=["opportunity", "with invitations"])
def test_the_circle_ends_as_in_the_sample_org(tmp_path: Path, files: tuple[str, ...]) -> None:
    """Everything that is complete is submitted and shown, and what is held is told in the same words."""
    org = new_org(tmp_path / "project", *files)
    found = outcome(tmp_path / "new", org, *files)
    sample, complete = sample_org()
    assert found == {key: value for key, value in outcome(tmp_path / "old", sample, *files).items() if key in found}
    submitted = [one for one in complete if found[one]["AWS_Task_Status__c"] == "COMPLETE"]
    assert len(submitted) >= len(complete) - 1 >= 13, "one is committed without a solution"
    assert all(found[one]["AWS_Review_Status__c"] == "Submitted" for one in submitted)
    sent = [one for one in found.values() if one.get("Invitation_Status__c") == "PENDING"]
    assert len(sent) == (0 if len(files) == 1 else 3)


def test_the_project_of_the_opportunity_alone_makes_no_object(tmp_path: Path) -> None:
    org = new_org(tmp_path / "project", INVITING[0])
    assert org.schema.find(ROW) is None
    assert org.schema.get("Opportunity").find("AWS_Sync_Status__c") is not None


@pytest.mark.parametrize("files", [INVITING[:1], INVITING], ids=["opportunity", "with invitations"])
def test_the_check_finds_nothing_missing(tmp_path: Path, files: tuple[str, ...]) -> None:
    with served(tmp_path, new_org(tmp_path / "project", *files), *files) as world:
        app = world.app()
        found = [one for checked in check_org(app, app.contexts["sandbox"]) for one in checked.findings]
    assert [str(one) for one in found if one.severity is not Severity.NOTE] == []


def test_what_is_not_granted_is_not_read(tmp_path: Path) -> None:
    """The connector's permission set is needed: with the sellers' one the connector sees nothing, and says so."""
    org = new_org(tmp_path / "project", *INVITING, permission_set=SELLER)
    with served(tmp_path, org, *INVITING) as world:
        with pytest.raises(AccessDenied):
            pull(world.context())
        assert world.sandbox.service.opportunities() == []


def test_the_connector_can_edit_no_more_than_it_writes_back(tmp_path: Path) -> None:
    org = new_org(tmp_path / "project", *INVITING)
    with served(tmp_path, org, *INVITING) as world:
        salesforce = world.context().salesforce
        described = {name: salesforce.describe(name) for name in ("Opportunity", "Account", "Contact", ROW)}
    mapping = load_mapping(tuple(ROOT / file for file in INVITING))
    assert mapping.invitations is not None
    free = {"Name", "StageName", "CloseDate", "OwnerId", "ForecastCategoryName"}
    editable = {name: {f.name for f in fields.values() if f.updateable} for name, fields in described.items()}
    assert editable["Opportunity"] - free == {line.field for line in mapping.write_back}
    assert editable[ROW] == {line.field for line in mapping.invitations.items[0].write_back}
    assert editable["Account"] == editable["Contact"] == set()
    assert "Phone" not in described["Account"], "the mapping does not read it"
    assert "Phone" in described["Contact"]
