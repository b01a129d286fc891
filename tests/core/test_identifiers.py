"""Ids as people paste them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.identifiers import Kind, read_identifier
from connector.core.selection import to_id18

ID = "0065g00000AbCdEAAV"


@pytest.mark.parametrize(
    ("given", "kind", "text", "note"),
    [
        (ID, Kind.SALESFORCE, ID, ""),
        (ID[:15], Kind.SALESFORCE, ID, ""),
        (f"  '{ID}' ", Kind.SALESFORCE, ID, ""),
        (ID[:15] + "aav", Kind.SALESFORCE, ID, ""),
        (ID.upper(), Kind.SALESFORCE, ID, f"say that {ID} is meant"),
        (ID.lower(), Kind.SALESFORCE, ID, f"say that {ID} is meant"),
        (ID[:17] + "Q", Kind.BROKEN, ID[:17] + "Q", "a character is wrong, or its case was changed"),
        ("006000000000001AAB", Kind.BROKEN, "006000000000001AAB", "a character is wrong"),
        (ID[:15].lower(), Kind.SALESFORCE, to_id18(ID[:15].lower()), "in 15 characters case counts"),
        (f"https://acme.lightning.force.com/lightning/r/Opportunity/{ID}/view", Kind.SALESFORCE, ID, ""),
        (f"https://acme.my.salesforce.example/{ID[:15]}", Kind.SALESFORCE, ID, ""),
        ("O1234567", Kind.OPPORTUNITY, "O1234567", ""),
        ("o1234567", Kind.OPPORTUNITY, "O1234567", ""),
        ("arn:aws:partnercentral:us-east-1::catalog/Sandbox/opportunity/O12", Kind.OPPORTUNITY, "O12", ""),
        ("task-v0gc1xnl3uhx7", Kind.OTHER_OF_AWS, "task-v0gc1xnl3uhx7", ""),
        (
            "arn:aws:partnercentral:us-east-1:111122223333:catalog/AWS/engagement-invitation/engi-0123456789abc",
            Kind.OTHER_OF_AWS,
            "engi-0123456789abc",
            "",
        ),
    ],
)
def test_what_is_meant_is_read(given: str, kind: Kind, text: str, note: str) -> None:
    found = read_identifier(given)
    assert found is not None
    assert (found.kind, found.text) == (kind, text)
    assert (note in found.note) if note else found.note == ""


@pytest.mark.parametrize(
    "given", ["", "Acme", "006", "006 000000000001", "O", "https://acme.example/lightning/o/Opportunity/list", "%"]
)
def test_what_is_no_id_is_none(given: str) -> None:
    assert read_identifier(given) is None


@given(st.text("0123456789ABCXYZabcxyz", min_size=15, max_size=15), st.sampled_from([str.upper, str.lower]))
def test_whatever_became_of_the_case_the_checksum_brings_it_back(short: str, damage: object) -> None:
    whole = to_id18(short)
    assert callable(damage)
    found = read_identifier(damage(whole))
    assert found is not None
    assert found.text == whole or to_id18(damage(whole)) == found.text
