"""The sample org: how much there is of what, and that its flaws are where they are said to be."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from salesforce_client import Clock

from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.seed import Sample, load

TODAY = date(2026, 11, 21)


@pytest.fixture
def org() -> Org:
    return Org(Clock())


@pytest.fixture
def sample(org: Org) -> Sample:
    return load(org, TODAY)


def shared(org: Org) -> list[Any]:
    return [row for row in org.records("Opportunity") if row["Share_With_AWS__c"]]


def complete(org: Org, sample: Sample) -> list[Any]:
    return [row for row in shared(org) if row["Id"] not in sample.flaws]


def test_counts(org: Org, sample: Sample) -> None:
    counts = {name: len(org.records(name)) for name in ("Account", "Contact", "Opportunity", "Campaign", "User")}
    assert counts == {"Account": 13, "Contact": 20, "Opportunity": 31, "Campaign": 1, "User": 5}
    assert len(org.records("OpportunityContactRole")) == 51
    assert (len(shared(org)), len(complete(org, sample))) == (22, 15)
    invitations = [row["Id"] for row in org.records("AWS_Partner_Invitation__c")]
    assert len(invitations) == 4
    flawed = set(sample.flaws)
    assert (len(flawed), len(flawed & set(invitations)), len(set(sample.flaws.values()))) == (8, 1, 8)


@pytest.mark.parametrize("today", [date(2026, 11, 21), date(2031, 2, 28), date(2028, 2, 29)])
def test_open_deals_never_age(org: Org, today: date) -> None:
    load(org, today)
    for row in org.records("Opportunity"):
        if not row["IsClosed"]:
            assert row["CloseDate"] >= today + timedelta(days=30)


def test_complete_deals_hold_everything_a_submission_needs(org: Org, sample: Sample) -> None:
    for row in complete(org, sample):
        account = org.get("Account", row["AccountId"])
        assert account["Website"]
        assert account["BillingCountry"]
        assert account.get("BillingPostalCode") or account["BillingCountry"] == "Hong Kong"
        assert account.get("BillingState") or account["BillingCountry"] != "USA"
        assert row["Amount"] > 0
        assert len(row["AWS_Business_Problem__c"]) >= 20
        assert row.get("AWS_Solution_Ids__c") or row["AWS_Other_Solution__c"]
        for name in ("Industry", "Delivery_Models", "Customer_Use_Case", "Sales_Activities", "Marketing_Source"):
            assert row[f"AWS_{name}__c"]
        assert row.get("AWS_Primary_Needs__c") or row["AWS_Involvement__c"] == "For Visibility Only"


def test_flaws_are_what_they_are_said_to_be(org: Org, sample: Sample) -> None:
    def flawed(words: str) -> Any:
        (found,) = [one for one, flaw in sample.flaws.items() if words in flaw]
        return org.get("Opportunity", found)

    assert flawed("amount is 0")["Amount"] == 0
    assert "&" in org.get("Account", flawed("website")["AccountId"])["Website"]
    assert len(flawed("under 20")["AWS_Business_Problem__c"]) < 20
    assert "BillingPostalCode" not in org.get("Account", flawed("postal code")["AccountId"])
    assert "AWS_Customer_Use_Case__c" not in flawed("use case")
    assert flawed("closed won")["IsWon"] is True
    assert flawed("closed won")["CloseDate"] < TODAY
    lost = flawed("closed lost")
    assert (lost["IsClosed"], lost["IsWon"], lost.get("AWS_Closed_Lost_Reason__c")) == (True, False, None)


def test_partners_are_invited_on_three_deals_that_go_through(org: Org, sample: Sample) -> None:
    rows = org.records("AWS_Partner_Invitation__c")
    deals = Counter(row["Opportunity__c"] for row in rows)
    assert sorted(deals.values()) == [1, 1, 2]
    submitted = {row["Id"] for row in complete(org, sample) if row["AWS_Submit__c"] and not row["IsClosed"]}
    assert set(deals) <= submitted
    for row in rows:
        digits = str(row["Partner_AWS_Account__c"])
        assert (len(digits) == 12 and digits.isdecimal()) is (row["Id"] not in sample.flaws)
        assert row["Target_Completion_Date__c"] > org.get("Opportunity", row["Opportunity__c"])["CloseDate"]
        assert 20 <= len(row["Business_Problem__c"]) <= 2000
        assert row["Website__c"].endswith(".example")
        assert row["Sender_Email__c"].endswith("@partner.example")
        assert row.get("Invitation_Id__c") is None
    assert [row["Name"] for row in rows] == ["PI-0001", "PI-0002", "PI-0003", "PI-0004"]


def test_the_everyday_dirt(org: Org, sample: Sample) -> None:
    names = [row["Name"] for row in shared(org)]
    assert names.count("United Oil Installations") == 3
    same = [row for row in shared(org) if row["Name"] == "United Oil Installations"]
    assert len({row["AWS_Business_Problem__c"] for row in same}) == 3
    assert any(row.get("Email", "").isupper() for row in org.records("Contact"))
    assert {"USA", "US", "United States"} <= {row.get("BillingCountry") for row in org.records("Account")}
    assert any(row.get("Phone", "").startswith("(") for row in org.records("Contact"))
    assert all(row.get("AWS_Opportunity_Id__c") is None for row in org.records("Opportunity"))


def test_the_same_sample_twice(org: Org, sample: Sample) -> None:
    other = Org(Clock())
    assert load(other, TODAY) == sample
    assert other.records("Opportunity") == org.records("Opportunity")
