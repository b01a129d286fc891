"""The admin door: AWS, other partners and Salesforce users, played by command over https."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from partner_central_bench import CO_SELL, INVITATION, SECOND, make_body

from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox

NOW = datetime(2027, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    directory = tmp_path_factory.mktemp("sandbox")
    with Sandbox(directory=directory, clock=lambda: NOW, settings=Settings(quotas=False), seed=False) as running:
        yield running


@pytest.fixture
def aws(sandbox: Sandbox) -> Iterator[Any]:
    client = boto3.client(
        "partnercentral-selling",
        region_name="us-east-1",
        endpoint_url=sandbox.url,
        verify=str(sandbox.ca_bundle),
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


class Visitor:
    """Somebody at the door."""

    def __init__(self, sandbox: Sandbox, session: requests.Session) -> None:
        self._root = f"{sandbox.url}/_sandbox"
        self._session = session

    def knock(self, method: str, path: str, **body: Any) -> requests.Response:
        return self._session.request(method, f"{self._root}/{path}", json=body, timeout=10)

    def do(self, method: str, path: str, **body: Any) -> Any:
        """A request that must be granted; gives the answer."""
        answer = self.knock(method, path, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def door(sandbox: Sandbox) -> Iterator[Visitor]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(sandbox.ca_bundle)
        yield Visitor(sandbox, session)


def start(aws: Any) -> dict[str, Any]:
    identifier = aws.create_opportunity(**make_body())["Id"]
    task: dict[str, Any] = aws.start_engagement_from_opportunity_task(
        Catalog="Sandbox", Identifier=identifier, AwsSubmission=CO_SELL
    )
    return task


def test_aws_edits_a_record(aws: Any, door: Visitor) -> None:
    identifier = start(aws)["OpportunityId"]
    changes = {"LifeCycle.NextSteps": "Call", "Project.OtherSolutionDescription": None}
    assert door.do("POST", "aws-edit", opportunity_id=identifier, changes=changes) == {}
    record = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    assert (record["LifeCycle"]["NextSteps"], "OtherSolutionDescription" in record["Project"]) == ("Call", False)


def test_aws_tells_its_side(aws: Any, door: Visitor) -> None:
    identifier = start(aws)["OpportunityId"]
    door.do("POST", "aws-summary", opportunity_id=identifier, changes={"LifeCycle": {"Stage": "Engaged"}})
    shown = aws.get_aws_opportunity_summary(Catalog="Sandbox", RelatedOpportunityIdentifier=identifier)
    assert shown["LifeCycle"] == {"Stage": "Engaged"}


@pytest.mark.parametrize("path", ["aws-edit", "aws-summary"])
@pytest.mark.parametrize(
    "body",
    [
        {"opportunity_id": "O1", "changes": {}},
        {"changes": {}},
        {"opportunity_id": "own", "changes": {"LifeCycle.Stage": "Nearly there"}},
        {"opportunity_id": "own", "changes": ["LifeCycle"]},
    ],
)
def test_a_wrong_edit_is_a_bad_request(aws: Any, door: Visitor, path: str, body: dict[str, Any]) -> None:
    if body.get("opportunity_id") == "own":
        body = {**body, "opportunity_id": start(aws)["OpportunityId"]}
    answer = door.knock("POST", path, **body)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


def test_the_invited_partner_answers(aws: Any, door: Visitor) -> None:
    engagement = start(aws)["EngagementId"]
    sent = aws.create_engagement_invitation(
        Catalog="Sandbox", EngagementIdentifier=engagement, Invitation=INVITATION, ClientToken="t"
    )["Id"]
    (row,) = [row for row in door.do("GET", "invitations") if row["Id"] == sent]
    assert (row["Status"], row["InvitationMessage"], row["Payload"]) == ("PENDING", "Join us", INVITATION["Payload"])
    reply = {"invitation_id": sent, "status": "REJECTED", "reason": "Next steps unclear"}
    assert door.do("POST", "invitations", **reply) == {}
    shown = aws.get_engagement_invitation(Catalog="Sandbox", Identifier=sent)
    assert (shown["Status"], shown["RejectionReason"]) == ("REJECTED", "Next steps unclear")
    again = door.knock("POST", "invitations", **reply)
    assert (again.status_code, "REJECTED already" in again.json()["error"]) == (400, True)
    assert door.knock("POST", "invitations", status="ACCEPTED").status_code == 400


def test_settings_of_the_new_kinds(sandbox: Sandbox, door: Visitor) -> None:
    door.do("POST", "settings", users=["a@p.example"], invitations_after=5, invitations_as="EXPIRED", team_after=1)
    chosen = sandbox.service.settings
    assert (chosen.users, chosen.invitations_after, chosen.invitations_as, chosen.team_after) == (
        frozenset({"a@p.example"}),
        5,
        "EXPIRED",
        1,
    )
    assert door.knock("POST", "settings", invitations_as="LOST").status_code == 400
    door.do("POST", "settings", users=None, invitations_after=None, team_after=None)
    assert sandbox.service.settings.users is None


def test_rows_are_added_edited_and_deleted(sandbox: Sandbox, door: Visitor) -> None:
    fields = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-12-31"}
    deal = door.do("PUT", "salesforce", object="Opportunity", fields=fields)["id"]
    child = {"Opportunity__c": deal, "Partner_AWS_Account__c": SECOND}
    row = door.do("PUT", "salesforce", object="AWS_Partner_Invitation__c", fields=child)["id"]
    name = "AWS_Partner_Invitation__c"
    door.do("POST", "salesforce", object=name, id=row, fields={"Message__c": "Come"})
    assert sandbox.org.get(name, row)["Message__c"] == "Come"
    assert door.do("DELETE", "salesforce", object=name, id=row) == {}
    assert sandbox.org.get(name, row)["IsDeleted"] is True


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("PUT", {"object": "Opportunity", "fields": {"Name": "Deal"}}),
        ("PUT", {"object": "Nothing", "fields": {}}),
        ("PUT", {"object": "Opportunity"}),
        ("DELETE", {"object": "Opportunity", "id": "00600000000000zAAA"}),
        ("POST", {"object": "Opportunity", "id": "00600000000000zAAA", "fields": {}}),
    ],
)
def test_what_salesforce_refuses_is_a_bad_request(door: Visitor, method: str, body: dict[str, Any]) -> None:
    answer = door.knock(method, "salesforce", **body)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})
