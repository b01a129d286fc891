"""Which Salesforce values a mapped value was made of, beside what the mapper makes of the same record."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from small_mapping import TODAY, compiled

from connector.core.mapping import map_record
from connector.core.mapping.sources import Source, sources_of
from connector.core.model import Mapped
from connector.mapping_files import load_mapping
from connector.report.values import leaves_at


def source_at(leaf: str, record: dict[str, Any]) -> Source:
    """The source of Project.Title."""
    return sources_of(compiled(f"Project: {{Title: {leaf}}}"), record).opportunity["Project.Title"]


@pytest.mark.parametrize(
    ("leaf", "record", "kind", "readings"),
    [
        ("Name", {"Name": " Deal "}, "field", [("Name", " Deal ")]),
        ("Name", {}, "field", [("Name", None)]),
        ("{value: Fixed}", {}, "constant", []),
        (
            "{from: [A__c, B__c, C__c]}",
            {"A__c": " ", "B__c": "b", "C__c": "c"},
            "field",
            [("A__c", " "), ("B__c", "b")],
        ),
        ("{from: A__c, default: none}", {"A__c": ""}, "default", [("A__c", "")]),
        ("{from: A__c, default: none}", {"A__c": "x"}, "field", [("A__c", "x")]),
        (
            "{template: '{A__c} of {Account.Name}'}",
            {"A__c": 3, "Account": {"Name": "Acme"}},
            "template",
            [("A__c", 3), ("Account.Name", "Acme")],
        ),
        ("{from: Type, values: {New: N}}", {"Type": "Odd"}, "field", [("Type", "Odd")]),
        (
            "{from: 'Roles__r[?IsPrimary].Title | [0]'}",
            {"Roles__r": [{"IsPrimary": False, "Title": "a"}, {"IsPrimary": True, "Title": "b"}]},
            "field",
            [("Roles__r[?IsPrimary].Title | [0]", "b")],
        ),
        ("{from: Amount, transform: money}", {"Amount": Decimal("12.5")}, "field", [("Amount", Decimal("12.5"))]),
    ],
)
def test_the_paths_that_were_looked_at_are_told_as_they_stand(
    leaf: str, record: dict[str, Any], kind: str, readings: list[tuple[str, Any]]
) -> None:
    source = source_at(leaf, record)
    assert (source.kind, list(source.readings)) == (kind, readings)
    assert source.origin.line == 4


CONTACTS = """
Customer:
  Contacts:
    each: Roles__r
    where: Use__c = TRUE
    order_by: Rank__c
    item: {Email: Mail__c, BusinessTitle: {value: Buyer}}
"""


def test_rows_are_named_by_their_place_in_salesforce_and_at_aws() -> None:
    rows = [
        {"Use__c": True, "Rank__c": 2, "Mail__c": "second@acme.example"},
        {"Use__c": False, "Rank__c": 0, "Mail__c": "unused@acme.example"},
        {"Use__c": True, "Rank__c": 1, "Mail__c": None},
        {"Use__c": True, "Rank__c": 1, "Mail__c": "first@acme.example"},
    ]
    found = sources_of(compiled(CONTACTS), {"Roles__r": rows}).opportunity
    assert found["Customer.Contacts[0].Email"].readings == (("Roles__r[3].Mail__c", "first@acme.example"),)
    assert found["Customer.Contacts[1].Email"].readings == (("Roles__r[0].Mail__c", "second@acme.example"),)
    assert found["Customer.Contacts[1].BusinessTitle"].kind == "constant"


def test_every_value_of_the_shipped_mapping_has_a_source() -> None:
    root = Path(__file__).parents[2] / "mappings"
    mapping = load_mapping((root / "opportunity.yaml", root / "invitations.yaml"), "mappings")
    for case in mapping.cases:
        mapped, sources = map_record(mapping, case.given, TODAY), sources_of(mapping, case.given)
        for path in paths_of(mapped):
            assert path in sources.opportunity, (case.name, path)
            origin = mapped.origin_of(path)
            assert origin is not None
            assert (sources.opportunity[path].kind == "constant") == (not origin.fields), (case.name, path)
        for invitation in mapped.invitations:
            told = sources.invitations[invitation.key]
            assert all(path in told for path, _ in leaves_at(invitation.body, "Invitation")), case.name


def paths_of(mapped: Mapped) -> list[str]:
    rows = [*leaves_at(mapped.opportunity), *leaves_at(mapped.submission or {}, "AwsSubmission")]
    return [
        *(path for path, _ in rows),
        *(f"RelatedEntityIdentifiers.{one.entity_type}" for one in mapped.associations),
    ]
