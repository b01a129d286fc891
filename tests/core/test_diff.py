"""What is to be changed at AWS, and the whole body that changes it and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.adapters.partner_central.model import input_shape
from connector.core import schema
from connector.core.diff import (
    Change,
    association_changes,
    attached_of,
    base_of_adopted,
    body_of_update,
    changes_between,
    is_same,
    put_at,
    unescaped,
    value_at,
)
from connector.core.model import Association

UPDATE = input_shape("UpdateOpportunity")
OWNED = {"Project.Title", "Customer.Account.WebsiteUrl"}
SPEND = {"Amount": "531", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}

# desired, existing, base → the new value; "=" for no change
X, Y, Z, NONE = "X", "Y", "Z", None


@pytest.mark.parametrize(
    ("desired", "existing", "base", "after"),
    [
        (X, X, X, "="),
        (Y, X, X, Y),  # changed in Salesforce
        (X, Y, X, "="),  # changed at AWS, Salesforce did not move: AWS's edit stays
        (Y, Z, X, Y),  # changed on both sides: the owner wins
        (Y, X, NONE, Y),  # new in Salesforce
        (NONE, X, X, NONE),  # cleared in Salesforce
        (NONE, Y, NONE, "="),  # never known to Salesforce
        (" X ", X, X, "="),
    ],
)
def test_three_ways(desired: str | None, existing: str, base: str | None, after: str | None) -> None:
    found = changes_between(titled(desired), titled(existing), titled(base), OWNED)
    assert [change.after for change in found] == ([] if after == "=" else [after])


@pytest.mark.parametrize(("desired", "existing", "after"), [(X, X, "="), (Y, X, Y), (NONE, X, "="), (Y, NONE, Y)])
def test_an_adopted_opportunity_is_never_blanked(desired: str | None, existing: str | None, after: str | None) -> None:
    found = changes_between(titled(desired), titled(existing), None, OWNED)
    assert [change.after for change in found] == ([] if after == "=" else [after])


def titled(value: str | None) -> dict[str, Any]:
    return {"Project": {"Title": value}} if value is not None else {}


def test_only_owned_paths_change_and_never_those_of_the_creation() -> None:
    desired = {
        "Origin": "Partner Referral",
        "Project": {"Title": "new", "CustomerUseCase": "new"},
        "LifeCycle": {"Stage": "Launched", "ReviewStatus": "Approved", "NextSteps": "new"},
        "OpportunityTeam": [{"Email": "new@partner.example"}],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    owned = ["Project.Title", "Origin", "LifeCycle.Stage", "LifeCycle.ReviewStatus", "LifeCycle.NextSteps", "Tags"]
    found = changes_between(desired, None, {}, [*owned, "OpportunityTeam"])
    assert [change.path for change in found] == ["LifeCycle.NextSteps", "Project.Title"]


@pytest.mark.parametrize(
    ("one", "other", "name", "same"),
    [
        ("a", "a", "", True),
        ("a", "b", "", False),
        ("a", " a\n", "", True),
        ("R&D", "R&amp;D", "", True),
        ("R&D: x", "R&amp;amp;D&amp;colon; x", "", True),
        (None, "", "", True),
        (None, [], "", True),
        (None, {"a": None, "b": []}, "", True),
        (None, [None, {}, {"a": ""}], "", True),
        ("531", "531.0", "Amount", True),
        ("531", "531.00", "Amount", True),
        ("0", "0.00", "Amount", True),
        ("531", "532", "Amount", False),
        ("531", "531.0", "Title", False),
        ("24", "24.0", "Value", True),
        ("NaN", "NaN", "Value", True),
        ("EMEA-42", "EMEA-42", "Value", True),
        (1, 1.0, "", True),
        (["a", "b"], ["b", "a"], "", True),
        (["a", "b"], ["a"], "", False),
        (["a", ""], ["a"], "", True),
        ([SPEND], [{**SPEND, "Amount": "531.0", "EstimationUrl": None}], "ExpectedCustomerSpend", True),
        ([SPEND], [{**SPEND, "Amount": "532"}], "ExpectedCustomerSpend", False),
        ([{"LastName": "a"}, {"LastName": "b"}], [{"LastName": "b"}, {"LastName": "a"}], "Contacts", False),
        ({"Amount": "5", "CurrencyCode": "USD"}, {"CurrencyCode": "USD", "Amount": "5.0"}, "", True),
    ],
)
def test_what_is_the_same(one: Any, other: Any, name: str, same: bool) -> None:
    assert is_same(one, other, name) is same
    assert is_same(other, one, name) is same


def test_amounts_are_compared_as_amounts_wherever_they_stand() -> None:
    desired = {"SoftwareRevenue": {"Value": {"Amount": "99000.50"}}, "Project": {"ExpectedCustomerSpend": [SPEND]}}
    existing = {
        "SoftwareRevenue": {"Value": {"Amount": "99000.5"}},
        "Project": {"ExpectedCustomerSpend": [{**SPEND, "Amount": "531.0"}]},
    }
    owned = ["SoftwareRevenue.Value.Amount", "Project.ExpectedCustomerSpend"]
    assert changes_between(desired, existing, None, owned) == ()


GOT: dict[str, Any] = {
    "Id": "O123",
    "Arn": "arn:aws:partnercentral:us-east-1::catalog/Sandbox/opportunity/O123",
    "Catalog": "Sandbox",
    "CreatedDate": "2026-11-01T10:00:00.000000Z",
    "LastModifiedDate": "2026-11-21T10:00:00.123000Z",
    "PartnerOpportunityIdentifier": "006000000000001AAA",
    "OpportunityType": "Net New Business",
    "NationalSecurity": "No",
    "PrimaryNeedsFromAws": ["Do Not Need Support from AWS Sales Rep"],
    "Customer": {
        "Account": {
            "CompanyName": "Müller &amp;amp; Söhne",
            "WebsiteUrl": "https://mueller.example",
            "Duns": None,
            "Address": {"CountryCode": "DE", "PostalCode": "80331", "StateOrRegion": ""},
        },
        "Contacts": [{"LastName": "Muster", "Email": "m@mueller.example"}, {}],
    },
    "LifeCycle": {
        "Stage": "Qualified",
        "ReviewStatus": "Pending Submission",
        "ReviewComments": "&lt;none&gt;",
        "ReviewStatusReason": "x",
        "TargetCloseDate": "2027-02-15",
        "NextStepsHistory": [{"Time": "2026-11-01T10:00:00Z", "Value": "x"}],
    },
    "Marketing": {"Source": "None", "CampaignName": "left over", "Channels": ["Email"]},
    "OpportunityTeam": [{"Email": "sam@partner.example"}],
    "Project": {
        "Title": "Security &amp; Compliance",
        "CustomerBusinessProblem": "Something that needs to be solved soon.",
        "CustomerUseCase": "Security &amp; Compliance",
        "DeliveryModels": ["SaaS or PaaS"],
        "SalesActivities": [],
        "ExpectedCustomerSpend": [SPEND, {"CurrencyCode": "USD"}, {"Amount": "", "Frequency": "Monthly"}],
    },
    "RelatedEntityIdentifiers": {"Solutions": ["S-0000002", "S-0000001"], "AwsProducts": None},
}


def problems_of(body: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in schema.check({"Catalog": "Sandbox", **body}, UPDATE)]


def test_an_unchanged_body_is_what_aws_has_without_what_it_would_refuse() -> None:
    before = copy.deepcopy(GOT)
    body = body_of_update(GOT, (), UPDATE)
    assert before == GOT
    assert problems_of(body) == []
    assert body == {
        "Catalog": "Sandbox",
        "Identifier": "O123",
        "LastModifiedDate": "2026-11-21T10:00:00.123000Z",
        "PartnerOpportunityIdentifier": "006000000000001AAA",
        "OpportunityType": "Net New Business",
        "NationalSecurity": "No",
        "Customer": {
            "Account": {
                "CompanyName": "Müller & Söhne",
                "WebsiteUrl": "https://mueller.example",
                "Address": {"CountryCode": "DE", "PostalCode": "80331"},
            },
            "Contacts": [{"LastName": "Muster", "Email": "m@mueller.example"}],
        },
        "LifeCycle": {"Stage": "Qualified", "ReviewStatus": "Pending Submission", "TargetCloseDate": "2027-02-15"},
        "Marketing": {"Source": "None"},
        "Project": {
            "Title": "Security & Compliance",
            "CustomerBusinessProblem": "Something that needs to be solved soon.",
            "CustomerUseCase": "Security & Compliance",
            "DeliveryModels": ["SaaS or PaaS"],
            "ExpectedCustomerSpend": [SPEND],
        },
    }


@pytest.mark.parametrize("shown", ["R&amp;D portal", "R&amp;amp;D portal", "R&D portal"])
def test_text_that_was_written_with_an_escape_goes_as_it_was_written(shown: str) -> None:
    existing = {"Id": "O1", "Project": {"Title": shown, "AdditionalComments": "Q&amp;A"}}
    base = {"Project": {"Title": "R&amp;D portal"}}
    body = body_of_update(existing, [], input_shape("UpdateOpportunity"), base)
    assert body["Project"] == {"Title": "R&amp;D portal", "AdditionalComments": "Q&A"}
    assert body_of_update(existing, [], input_shape("UpdateOpportunity"))["Project"]["Title"] == "R&D portal"


def test_a_change_changes_its_path_and_nothing_else() -> None:
    body = body_of_update(GOT, [Change("Project.Title", "x", "New title")], UPDATE)
    expected = body_of_update(GOT, (), UPDATE)
    expected["Project"]["Title"] = "New title"
    assert body == expected
    assert body["LifeCycle"] == {
        "Stage": "Qualified",
        "ReviewStatus": "Pending Submission",
        "TargetCloseDate": "2027-02-15",
    }


def test_a_cleared_field_takes_the_structure_it_leaves_empty_with_it() -> None:
    changes = [
        Change("Customer.Account.Address.CountryCode", "DE", None),
        Change("Customer.Account.Address.PostalCode", "80331", None),
        Change("SoftwareRevenue.Value.Amount", None, None),
        Change("Marketing.Source", "None", "Marketing Activity"),
    ]
    body = body_of_update(GOT, changes, UPDATE)
    assert body["Customer"]["Account"] == {
        "CompanyName": "Müller & Söhne",
        "WebsiteUrl": "https://mueller.example",
    }
    assert "SoftwareRevenue" not in body
    assert body["Marketing"] == {"Source": "Marketing Activity", "CampaignName": "left over", "Channels": ["Email"]}
    assert problems_of(body) == []


ROW = {**SPEND, "Amount": "100"}
DEARER = {**SPEND, "Amount": "200"}
LINKED = {**ROW, "EstimationUrl": "https://calculator.aws"}


@pytest.mark.parametrize(
    ("existing", "before", "after", "sent"),
    [
        ([LINKED], [ROW], [DEARER], [{**LINKED, "Amount": "200"}]),
        ([{**LINKED, "Amount": "100.00"}], [ROW], [DEARER], [{**LINKED, "Amount": "200"}]),
        ([LINKED], [LINKED], [DEARER], [DEARER]),
        ([{**LINKED, "Amount": "150"}], [ROW], [DEARER], [DEARER]),
        ([LINKED, LINKED], [ROW], [DEARER], [DEARER]),
        ([LINKED], None, [DEARER], [DEARER]),
        ([LINKED], [ROW], None, None),
    ],
    ids=[
        "added by somebody",
        "spelled otherwise",
        "ours to remove",
        "another row by now",
        "more rows",
        "never agreed on",
        "emptied",
    ],
)
def test_what_somebody_added_to_a_row_of_ours_stays(existing: Any, before: Any, after: Any, sent: Any) -> None:
    got = {**GOT, "Project": {**GOT["Project"], "ExpectedCustomerSpend": existing}}
    body = body_of_update(got, [Change("Project.ExpectedCustomerSpend", before, after)], UPDATE)
    assert body["Project"].get("ExpectedCustomerSpend") == sent


def test_the_base_of_what_somebody_else_made_is_their_word_where_both_differ() -> None:
    wanted = [Association("Solutions", "S-1"), Association("Solutions", "S-2")]
    desired = {"Project": {"Title": "Ours", "CompetitorName": "Ours alone"}, "OpportunityType": "Expansion"}
    existing = {
        "Project": {"Title": "Theirs", "AdditionalComments": "Theirs alone"},
        "OpportunityType": "Expansion",
        "RelatedEntityIdentifiers": {"Solutions": ["S-2", "S-3"]},
    }
    owned = {"Project.Title", "Project.CompetitorName", "Project.AdditionalComments", "OpportunityType"}
    base = base_of_adopted(desired, existing, wanted, owned)
    assert base == {
        "Project": {"Title": "Theirs"},
        "OpportunityType": "Expansion",
        "RelatedEntityIdentifiers": {"Solutions": ["S-2"]},
    }
    assert changes_between(desired, existing, base, owned) == changes_between(desired, existing, None, owned)


def test_a_body_shares_nothing_with_what_it_was_made_of() -> None:
    contacts = [{"LastName": "New"}]
    body = body_of_update(GOT, [Change("Customer.Contacts", None, contacts)], UPDATE)
    body["Customer"]["Contacts"][0]["LastName"] = "changed"
    body["Project"]["DeliveryModels"].append("changed")
    assert contacts == [{"LastName": "New"}]
    assert GOT["Project"]["DeliveryModels"] == ["SaaS or PaaS"]


@pytest.mark.parametrize("need", ["Co-Sell - Deal Support", None])
def test_the_pseudo_need_never_goes_back(need: str | None) -> None:
    needs = [*(GOT["PrimaryNeedsFromAws"]), *([need] if need else [])]
    body = body_of_update({**GOT, "PrimaryNeedsFromAws": needs}, (), UPDATE)
    assert body.get("PrimaryNeedsFromAws") == ([need] if need else None)


PATHS = st.sampled_from(["A.B.D", "A.B.G", "A.C", "E.F", "H"])


@given(
    st.lists(st.tuples(PATHS, st.none() | st.integers(1, 9) | st.just(""))),
)
def test_what_is_put_is_found_again_and_nothing_empty_stays(entries: list[tuple[str, Any]]) -> None:
    body: dict[str, Any] = {}
    for path, value in entries:
        put_at(body, path, value)
        assert value_at(body, path) == (value or None)
    assert {} not in body.values()
    assert all({} not in inner.values() for inner in body.values() if isinstance(inner, dict))


@given(st.text(), st.integers(0, 3))
def test_however_often_it_was_escaped(text: str, times: int) -> None:
    import html

    plain = unescaped(text)
    escaped = plain
    for _ in range(times):
        escaped = html.escape(escaped)
    assert unescaped(escaped) == plain
    assert unescaped({"a": [escaped]}) == {"a": [plain]}


def test_text_escaped_very_often_does_not_exhaust_the_stack() -> None:
    assert unescaped("&" + "amp;" * 5000) == "&"


S1, S2, S3 = (Association("Solutions", f"S-000000{n}") for n in (1, 2, 3))
PRODUCT = Association("AwsProducts", "AWSLambda")
SOLUTIONS, BOTH = (
    {"RelatedEntityIdentifiers.Solutions"},
    {
        "RelatedEntityIdentifiers.Solutions",
        "RelatedEntityIdentifiers.AwsProducts",
    },
)


@pytest.mark.parametrize(
    ("wanted", "attached", "agreed", "owned", "attach", "detach"),
    [
        ([S1, S2], [S2, S3], [S2, S3], SOLUTIONS, (S1,), (S3,)),
        ([S1], [S1], [S1], SOLUTIONS, (), ()),
        ([], [S1], [S1], SOLUTIONS, (), (S1,)),
        # what nobody mapped is not ours to remove
        ([S1], [S1, PRODUCT], [S1, PRODUCT], SOLUTIONS, (), ()),
        ([S1], [S1, PRODUCT], [S1, PRODUCT], BOTH, (), (PRODUCT,)),
        ([S1], [S2], [S2], set(), (S1,), ()),
        # what somebody associated at AWS stays, and what is gone there is not detached again
        ([], [S1], [], SOLUTIONS, (), ()),
        ([S2], [S1, PRODUCT], [PRODUCT], BOTH, (S2,), (PRODUCT,)),
        ([], [], [S1], SOLUTIONS, (), ()),
    ],
)
def test_associations(
    wanted: list[Association],
    attached: list[Association],
    agreed: list[Association],
    owned: set[str],
    attach: tuple[Association, ...],
    detach: tuple[Association, ...],
) -> None:
    assert association_changes(wanted, attached, agreed, owned) == (attach, detach)


def test_what_is_attached_at_aws() -> None:
    assert attached_of(GOT) == (S1, S2)
    assert attached_of({}) == ()
