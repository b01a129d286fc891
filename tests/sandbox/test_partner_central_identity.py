"""The sandbox's STS and IAM, and what it denies: over https, as boto3 speaks to them."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from partner_central_bench import make_body

from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import Sandbox

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/sandbox"
IN_SANDBOX = [{"ContextKeyName": "partnercentral:Catalog", "ContextKeyValues": ["Sandbox"], "ContextKeyType": "string"}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(directory=tmp_path_factory.mktemp("sandbox"), seed=False) as running:
        yield running


@pytest.fixture
def sandbox(served: Sandbox) -> Sandbox:
    served.service.settings = Settings(quotas=False)
    return served


def client_of(sandbox: Sandbox, service: str, **config: Any) -> Any:
    return boto3.client(
        service,
        region_name=config.pop("region", "us-east-1"),
        endpoint_url=sandbox.url,
        verify=str(sandbox.ca_bundle),
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def simulate(sandbox: Sandbox, *actions: str, source: str = USER, context: Any = IN_SANDBOX) -> dict[str, str]:
    answer = client_of(sandbox, "iam").simulate_principal_policy(
        PolicySourceArn=source, ActionNames=list(actions), ContextEntries=context
    )
    return {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}


@pytest.mark.parametrize(
    ("caller", "arn"),
    [
        ("user/sandbox", USER),
        ("root", f"arn:aws:iam::{ACCOUNT}:root"),
        ("assumed-role/r/s", f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"),
        ("federated-user/f", f"arn:aws:sts::{ACCOUNT}:federated-user/f"),
    ],
)
def test_sts_tells_who_calls(sandbox: Sandbox, caller: str, arn: str) -> None:
    sandbox.service.configure(caller=caller)
    answer = client_of(sandbox, "sts").get_caller_identity()
    assert (answer["Account"], answer["Arn"]) == (ACCOUNT, arn)


def test_the_simulator_judges_by_what_is_denied_and_by_the_catalog(sandbox: Sandbox) -> None:
    sandbox.service.configure(denied_operations=["AssignOpportunity", "DescribeEntity"])
    actions = "partnercentral:AssignOpportunity", "partnercentral:CreateOpportunity", "aws-marketplace:DescribeEntity"
    assert list(simulate(sandbox, *actions).values()) == ["implicitDeny", "allowed", "implicitDeny"]
    elsewhere = [{**IN_SANDBOX[0], "ContextKeyValues": ["Elsewhere"]}]
    assert simulate(sandbox, actions[1], context=elsewhere) == {actions[1]: "implicitDeny"}
    assert simulate(sandbox, actions[1], context=[]) == {actions[1]: "implicitDeny"}


def test_the_simulator_says_what_it_would_have_to_know(sandbox: Sandbox) -> None:
    answer = client_of(sandbox, "iam").simulate_principal_policy(
        PolicySourceArn=USER, ActionNames=["partnercentral:GetOpportunity", "aws-marketplace:ListEntities"]
    )
    missing = [one["MissingContextValues"] for one in answer["EvaluationResults"]]
    assert missing == [["partnercentral:Catalog"], []]


@pytest.mark.parametrize("source", [f"arn:aws:iam::{ACCOUNT}:user/nobody", f"arn:aws:iam::{ACCOUNT}:role/r/with/path"])
def test_the_simulator_knows_the_caller_only(sandbox: Sandbox, source: str) -> None:
    sandbox.service.configure(caller="assumed-role/r/s")
    assert simulate(sandbox, "partnercentral:GetOpportunity", source=f"arn:aws:iam::{ACCOUNT}:role/r")
    with pytest.raises(ClientError) as caught:
        simulate(sandbox, "partnercentral:GetOpportunity", source=source)
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"


@pytest.mark.parametrize(
    ("service", "call"), [("sts", "get_caller_identity"), ("iam", "simulate_principal_policy"), ("iam", "list_users")]
)
def test_what_is_not_granted_or_not_there_is_refused(sandbox: Sandbox, service: str, call: str) -> None:
    sandbox.service.configure(denied_operations=["GetCallerIdentity", "SimulatePrincipalPolicy"])
    arguments = {"PolicySourceArn": USER, "ActionNames": ["a:b"]} if call.startswith("simulate") else {}
    with pytest.raises(ClientError) as caught:
        getattr(client_of(sandbox, service), call)(**arguments)
    assert caught.value.response["Error"]["Code"] == ("InvalidAction" if call == "list_users" else "AccessDenied")


def test_nobody_is_answered_without_a_signature_or_with_one_for_elsewhere(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError) as caught:
        client_of(sandbox, "sts", signature_version=UNSIGNED).get_caller_identity()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    with pytest.raises(ClientError) as caught:
        client_of(sandbox, "sts", region="eu-west-1").get_caller_identity()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_an_operation_that_is_not_granted_is_denied_and_not_carried_out(sandbox: Sandbox) -> None:
    sandbox.service.configure(denied_operations=["CreateOpportunity"])
    aws = client_of(sandbox, "partnercentral-selling")
    with pytest.raises(aws.exceptions.AccessDeniedException) as caught:
        aws.create_opportunity(**make_body())
    assert "Reason" not in caught.value.response
    assert f"User: {USER} is not authorized to perform: partnercentral:CreateOpportunity" in str(caught.value)
    assert sandbox.service.opportunities() == []
    assert aws.list_solutions(Catalog="Sandbox")["SolutionSummaries"]


def test_a_solution_that_was_taken_back_is_listed_and_not_associated(sandbox: Sandbox) -> None:
    aws = client_of(sandbox, "partnercentral-selling")
    identifier = aws.create_opportunity(**make_body())["Id"]
    sandbox.service.configure(inactive_solutions=["S-0001111"])
    listed = aws.list_solutions(Catalog="Sandbox", Status=["Inactive"])["SolutionSummaries"]
    assert [one["Id"] for one in listed] == ["S-0001111"]
    wanted = {"OpportunityIdentifier": identifier, "RelatedEntityType": "Solutions", "Catalog": "Sandbox"}
    with pytest.raises(aws.exceptions.ValidationException):
        aws.associate_opportunity(**wanted, RelatedEntityIdentifier="S-0001111")
    aws.associate_opportunity(**wanted, RelatedEntityIdentifier="S-0001112")


def test_every_answer_tells_the_time_also_one_that_refuses(sandbox: Sandbox) -> None:
    aws = client_of(sandbox, "partnercentral-selling")
    here = aws.list_solutions(Catalog="Sandbox")["ResponseMetadata"]["HTTPHeaders"]["date"]
    sandbox.service.configure(clock_ahead=3600, registered=False)
    with pytest.raises(ClientError) as caught:
        aws.list_solutions(Catalog="Sandbox")
    there = caught.value.response["ResponseMetadata"]["HTTPHeaders"]["date"]
    apart = parsedate_to_datetime(there) - parsedate_to_datetime(here)
    assert 3590 < apart.total_seconds() < 3700
