"""Who AWS takes the connector for, what it may do there, and AWS's clock; and that not being told is no trouble."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aws_front import DENIED, Front

from connector.adapters.partner_central import PartnerCentralClient
from connector.errors import AccessDenied, Unavailable
from connector.ports import Denial, Identity
from connector.sandbox.server import HttpsServer

Make = Callable[..., PartnerCentralClient]
ACCOUNT = "444455556666"
USER = f"arn:aws:iam::{ACCOUNT}:user/x"
CREATE, GET = "partnercentral:CreateOpportunity", "partnercentral:GetOpportunity"


def identity(arn: str = USER, account: str = ACCOUNT) -> str:
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>A</UserId><Account>{account}</Account>"
        "</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )


def result(action: str, decision: str, missing: str = "") -> str:
    absent = f"<member>{missing}</member>" if missing else ""
    return (
        f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>"
        f"<MissingContextValues>{absent}</MissingContextValues></member>"
    )


def simulation(*results: str, marker: str = "") -> str:
    more = f"<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>" if marker else "<IsTruncated>false</IsTruncated>"
    return (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{''.join(results)}</EvaluationResults>{more}"
        "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )


class Answers(list[tuple[int, str]]):
    """What STS and IAM answer, one after the other; reads like one answer of the front's."""

    def __getitem__(self, index: Any) -> Any:
        # The front asks for the text first, then for the status of the same answer.
        return super().__getitem__(0)[1] if index == 1 else self.pop(0)[0]


@pytest.fixture
def asked(served: tuple[Front, HttpsServer], front: Front, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Front]:
    """STS and IAM are there, and answer with these texts."""

    def answering(*answers: str | tuple[int, str]) -> Front:
        for service in ("STS", "IAM"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", served[1].url)
        front.sts = Answers(one if isinstance(one, tuple) else (200, one) for one in answers)  # type: ignore[assignment]
        return front

    return answering


# Who we are


def test_sts_is_asked_where_the_environment_says_where_it_is(make: Make, asked: Callable[..., Front]) -> None:
    asked(identity())
    assert make().identity() == Identity(ACCOUNT, USER)


def test_sts_is_not_asked_where_the_credentials_are_for_something_else(make: Make, front: Front) -> None:
    assert make().identity() is None
    assert make().may([CREATE]) == {}
    assert front.assumed == []


@pytest.mark.parametrize(
    "answer", [(403, DENIED), (500, "<html>"), (200, "<html>"), identity(account="someone")], ids=str
)
def test_an_identity_that_is_not_told_is_none(make: Make, asked: Callable[..., Front], answer: Any) -> None:
    asked(answer)
    assert make().identity() is None


# What we may do


def test_the_simulator_is_asked_about_the_caller_in_this_catalog(make: Make, asked: Callable[..., Front]) -> None:
    front = asked(identity(), simulation(result(CREATE, "allowed"), result(GET, "explicitDeny")))
    assert make().may([CREATE, GET]) == {CREATE: True, GET: False}
    question = {name: values[0] for name, values in front.assumed[-1].items()}
    assert question["PolicySourceArn"] == USER
    assert question["ContextEntries.member.1.ContextKeyName"] == "partnercentral:Catalog"
    assert question["ContextEntries.member.1.ContextKeyValues.member.1"] == "Sandbox"


def test_all_pages_of_the_simulator_are_read(make: Make, asked: Callable[..., Front]) -> None:
    pages = simulation(result(CREATE, "allowed"), marker="next"), simulation(result(GET, "implicitDeny"))
    front = asked(identity(), *pages)
    assert make().may([CREATE, GET]) == {CREATE: True, GET: False}
    assert front.assumed[-1]["Marker"] == ["next"]


def test_a_denial_that_hangs_on_what_nobody_told_the_simulator_counts_for_nothing(
    make: Make, asked: Callable[..., Front]
) -> None:
    unsure = result(CREATE, "implicitDeny", missing="aws:SourceIp")
    asked(identity(), simulation(unsure, result(GET, "allowed", missing="aws:SourceIp")))
    assert make().may([CREATE, GET]) == {GET: True}


@pytest.mark.parametrize("answer", [(403, DENIED), (500, "<html>"), (200, "<html>")], ids=str)
def test_a_simulator_that_does_not_answer_is_no_trouble(
    make: Make, asked: Callable[..., Front], answer: tuple[int, str]
) -> None:
    asked(identity(), answer)
    assert make().may([CREATE]) == {}


def test_root_may_do_everything_and_nobody_is_asked(make: Make, asked: Callable[..., Front]) -> None:
    front = asked(identity(f"arn:aws:iam::{ACCOUNT}:root"))
    assert make().may([CREATE]) == {CREATE: True}
    assert len(front.assumed) == 1


# Probes


def test_whatever_aws_has_against_a_probe_but_a_denial_means_it_is_allowed(make: Make, front: Front) -> None:
    client = make()
    assert client.probe("ListOpportunities", {"MaxResults": 1}) is None
    assert client.probe("GetOpportunity", {"Identifier": "O0"}) is None
    assert client.probe("GetOpportunity", {"Identifier": "nothing"}) is None


def test_a_denial_is_told_with_aws_own_words(make: Make, front: Front) -> None:
    front.service.configure(denied_operations=["GetOpportunity"])
    denial = make().probe("GetOpportunity", {"Identifier": "O0"})
    assert isinstance(denial, Denial)
    assert "no identity-based policy allows the partnercentral:GetOpportunity action" in denial.message
    assert "111122223333" not in denial.message
    assert not denial.is_unregistered


def test_an_account_without_a_registration_is_told_apart(make: Make, front: Front) -> None:
    front.service.configure(registered=False)
    denial = make().probe("GetOpportunity", {"Identifier": "O0"})
    assert denial is not None
    assert denial.is_unregistered


def test_a_proxy_that_refuses_and_an_operation_that_is_not_known_are_no_denials(make: Make, front: Front) -> None:
    front.faults.add(on="ListOpportunities", do="html", status=403)
    with pytest.raises(AccessDenied):
        make().probe("ListOpportunities", {})
    with pytest.raises(AccessDenied):
        make().probe("ListResourceSnapshotJobs", {})


def test_no_answer_is_not_taken_for_a_permission(make: Make, front: Front) -> None:
    front.faults.add(on="ListOpportunities", do="status", status=500, times=None)
    with pytest.raises(Unavailable):
        make().probe("ListOpportunities", {})


# The clock


@pytest.mark.parametrize("seconds", [0, 90, -4000])
def test_the_clock_is_learned_from_every_answer_also_a_refusal(make: Make, front: Front, seconds: int) -> None:
    client = make()
    assert client.clock_ahead() is None
    front.service.configure(clock_ahead=seconds, registered=False)
    with pytest.raises(AccessDenied):
        client.call("ListOpportunities", {})
    ahead = client.clock_ahead()
    assert ahead is not None
    assert abs(ahead - timedelta(seconds=seconds)) < timedelta(seconds=5)


def test_an_answer_without_a_date_changes_nothing(make: Make, front: Front) -> None:
    client = make()
    front.faults.add(on="ListOpportunities", do="html", status=403)
    with pytest.raises(AccessDenied):
        client.call("ListOpportunities", {})
    assert client.clock_ahead() is None
