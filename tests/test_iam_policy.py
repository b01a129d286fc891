"""The policy that ``connector iam-policy`` prints: enough for a whole life of a deal, and nothing beyond that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector import config as configuration
from connector.app import App
from connector.checks.aws import check_aws
from connector.commands.iam_policy import iam_policy
from connector.commands.session import DONE
from connector.core import retry
from connector.core.actions import Use, needed, table
from connector.core.findings import Severity
from connector.errors import MappingError
from connector.mapping_files import load_mapping
from connector.provisioning.iam import MOST, policy
from connector.resources import packaged
from connector.sandbox.partner_central.service import OPERATIONS
from connector.sync import follow_invitations, observe, refresh
from tests.world import ENVIRONMENT, INVITING, World, quick_starts, world

ROLE = "arn:aws:iam::111122223333:role/partner-central"
PLAIN = """
version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity: {PartnerOpportunityIdentifier: Id}
"""
ASSIGN = """
version: 1
assign:
  Email: {from: Owner.Email, transform: email}
  FirstName: Owner.FirstName
  LastName: Owner.LastName
  BusinessTitle: {value: PartnerAccountManager}
"""
SECTION = """\
  {name}:
    salesforce: {{auth: {{method: access_token, instance_url: https://acme.example, token: t}}}}
    partner_central: {{catalog: {catalog}{more}}}
    mapping: {mapping}
"""


@pytest.fixture(name="world")
def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Everything that a mapping can ask for, with STS and IAM beside it."""
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.05)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    owner = tmp_path / "owner.yaml"
    owner.write_text(ASSIGN, encoding="utf-8")
    with quick_starts(), world(tmp_path, mapping=(*INVITING, str(owner))) as made:
        for service in ("STS", "IAM"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", made.sandbox.url)
        yield made


def app_of(folder: Path, *sections: str, only: str | None = None) -> App:
    (folder / "config.yaml").write_text("connections:\n" + "".join(sections), encoding="utf-8")
    (folder / "plain.yaml").write_text(PLAIN, encoding="utf-8")
    return App(configuration.load(folder / "config.yaml", {}), only=only)


def section(name: str, catalog: str, mapping: str = "plain.yaml", **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return SECTION.format(name=name, catalog=catalog, mapping=mapping, more=extra)


def printed(app: App, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """What stands on standard output, and on standard error."""
    assert iam_policy(app) == DONE
    told = capsys.readouterr()
    return json.loads(told.out), told.err


def granted(document: dict[str, Any]) -> set[str]:
    return {name for statement in document["Statement"] for name in statement["Action"]}


# Enough, and no more


def test_the_printed_policy_is_enough_for_a_whole_life_of_a_deal(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    document, _ = printed(world.app(), capsys)
    service = world.sandbox.service
    allowed = {name.rpartition(":")[2] for name in granted(document)}
    # Nor does the task tell its engagement, so that it has to be looked for.
    service.configure(denied_operations=sorted(set(OPERATIONS) - allowed), task_ids_null=True)
    checking = world.app()
    checked = check_aws(checking, checking.contexts["sandbox"])
    assert [finding for one in checked for finding in one.findings if finding.severity is not Severity.NOTE] == []
    service.journal.clear()

    deal = world.opportunity(AWS_Product_Codes__c="AmazonEC2Linux")
    partner = world.invite(deal, "222233334444")
    world.settle(deal)
    (at_aws,) = world.at_aws(deal)
    service.review(at_aws["Id"], "Approved")
    service.answer_invitation(world.row(partner)["Invitation_Id__c"], "REJECTED", "Unable to support")
    world.edit(deal, NextStep="Sign on Friday", AWS_Product_Codes__c="AmazonRDSforPostgreSQL")
    context = world.settle(deal)
    observe(context)
    refresh(context, at_once=True)
    follow_invitations(context, at_once=True)
    assert world.record(deal)["AWS_Sync_Status__c"] == "Synced"
    assert world.row(partner)["Rejection_Reason__c"] == "Unable to support"

    (mapping,) = checking.mappings.values()
    ours = {action.operation for action in needed(mapping) if action.use is not Use.WITHIN}
    assert set(service.operations) == ours - {"ListSolutions"}, "which is what the check wants to know"
    assert "AccessDeniedException" not in {entry.outcome for entry in service.journal}


def test_it_names_every_action_that_any_mapping_could_need_once_all_is_used(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    document, _ = printed(world.app(), capsys)
    assert granted(document) == {action.name for action in table()}


# Its form


def test_the_shipped_mapping_in_one_catalog(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mapping = str(packaged("mappings", "opportunity.yaml"))
    document, _ = printed(app_of(tmp_path, section("acme", "Sandbox", mapping)), capsys)
    assert document["Version"] == "2012-10-17"
    scoped, marketplace = document["Statement"]
    assert scoped["Sid"] == "PartnerCentralSandbox"
    assert scoped["Condition"] == {"StringEquals": {"partnercentral:Catalog": ["Sandbox"]}}
    assert all(name.startswith("partnercentral:") for name in scoped["Action"])
    assert marketplace == {
        "Sid": "AwsMarketplace",
        "Effect": "Allow",
        "Action": ["aws-marketplace:DescribeEntity", "aws-marketplace:ListEntities"],
        "Resource": "*",
    }, "AWS Marketplace knows no such condition"
    for statement in document["Statement"]:
        assert statement["Action"] == sorted(set(statement["Action"]))
        assert not any("*" in name for name in statement["Action"])


def test_a_small_mapping_is_granted_little(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    document, _ = printed(app_of(tmp_path, section("acme", "AWS")), capsys)
    (statement,) = document["Statement"]
    assert {name.partition(":")[2] for name in statement["Action"]} == {
        "CreateOpportunity",
        "GetAwsOpportunitySummary",
        "GetOpportunity",
        "ListEngagementFromOpportunityTasks",
        "ListOpportunities",
        "ListSolutions",
        "UpdateOpportunity",
    }


def test_catalogs_that_need_the_same_share_a_statement(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    document, _ = printed(app_of(tmp_path, section("test", "Sandbox"), section("live", "AWS")), capsys)
    (statement,) = document["Statement"]
    assert statement["Sid"] == "PartnerCentralAWSSandbox"
    assert statement["Condition"] == {"StringEquals": {"partnercentral:Catalog": ["AWS", "Sandbox"]}}


def test_what_is_tried_in_the_sandbox_is_not_granted_in_production(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    full = str(packaged("mappings", "opportunity.yaml"))
    sections = section("live", "AWS"), section("test", "Sandbox", full), section("other", "Sandbox")
    document, _ = printed(app_of(tmp_path, *sections), capsys)
    by_catalog = {
        tuple(one["Condition"]["StringEquals"]["partnercentral:Catalog"]): set(one["Action"])
        for one in document["Statement"]
        if "Condition" in one
    }
    assert set(by_catalog) == {("AWS",), ("Sandbox",)}
    assert by_catalog["AWS",] < by_catalog["Sandbox",]
    assert "partnercentral:StartEngagementFromOpportunityTask" not in by_catalog["AWS",]
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids), "IAM takes nothing else"


def test_one_connection_is_enough_to_ask_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    app = app_of(tmp_path, section("live", "AWS"), section("test", "Sandbox"), only="test")
    document, words = printed(app, capsys)
    assert "AWS" not in document["Statement"][0]["Condition"]["StringEquals"]["partnercentral:Catalog"]
    assert "live" not in words


def test_the_largest_policy_fits_into_iam() -> None:
    everything = load_mapping(tuple(packaged("mappings", Path(name).name) for name in INVITING))
    plain = load_mapping(packaged("mappings", "opportunity.yaml"))
    document = policy([("AWS", plain), ("Sandbox", everything)])
    assert len(document["Statement"]) == 3
    assert len(re.sub(r"\s", "", json.dumps(document))) < MOST


# What is told beside it


def test_every_action_is_explained_on_standard_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mapping = str(packaged("mappings", "opportunity.yaml"))
    document, words = printed(app_of(tmp_path, section("acme", "Sandbox", mapping)), capsys)
    for name in granted(document):
        assert re.search(rf"^#   {name}: \w", words, re.MULTILINE), name
    assert "acme, catalog Sandbox" in words
    assert "create-policy" in words
    assert all(line.startswith("#") for line in words.splitlines())
    assert "sts:AssumeRole" not in words, "there is no role"


def test_a_role_is_told_whom_to_trust(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sections = (
        section("one", "AWS", role_arn=ROLE, external_id="our-id"),
        section("two", "AWS", role_arn=ROLE, external_id="our-id"),
        section("three", "Sandbox", role_arn=f"{ROLE}-tests"),
    )
    _, words = printed(app_of(tmp_path, *sections), capsys)
    text = "\n".join(line.removeprefix("#") for line in words.splitlines())
    documents = [json.loads(found) for found in re.findall(r"^ +\{\n.*?^   \}$", text, re.MULTILINE | re.DOTALL)]
    with_id, without_id, caller = documents
    (statement,) = with_id["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "our-id"}}
    assert "Condition" not in without_id["Statement"][0]
    (statement,) = caller["Statement"]
    assert (statement["Action"], statement["Resource"]) == (["sts:AssumeRole"], [ROLE, f"{ROLE}-tests"])
    assert "--connection" in words


def test_a_mapping_that_cannot_be_used_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    app = app_of(tmp_path, section("acme", "AWS"))
    (tmp_path / "plain.yaml").write_text(PLAIN.replace("Identifier", "Identifer"), encoding="utf-8")
    with pytest.raises(MappingError):
        iam_policy(app)
    assert capsys.readouterr().out == ""
