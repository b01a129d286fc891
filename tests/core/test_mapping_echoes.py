"""A fact that is shown in a field which is sent comes back to AWS as an edit."""

from __future__ import annotations

import pytest

from connector import yamlfile
from connector.core.findings import Severity
from connector.core.mapping.echoes import look_for_echoes
from tests.core.small_mapping import FILE, compiled, small


@pytest.mark.parametrize(
    ("tree", "sections", "sender"),
    [
        ("Project: {AdditionalComments: {from: [B__c, a__C]}}", "", "Project.AdditionalComments"),
        ('Project: {Title: {template: "{Name} {A__c}"}}', "", "Project.Title"),
        ("Project: {Title: Name}", "submission: {InvolvementType: A__c, Visibility: {value: Full}}\n",
         "AwsSubmission.InvolvementType"),
        ("Project: {Title: Name}", "associate: {Solutions: {from: A__c, transform: split}}\n",
         "RelatedEntityIdentifiers.Solutions"),
        ("Project: {Title: {from: Name, when: {field: A__c, present: true}}}", "", ""),
        ("Project: {RelatedOpportunityIdentifier: Parent__r.A__c}", "", ""),
        ("Customer: {Contacts: {each: Rows__r, item: {FirstName: A__c}}}", "", ""),
        ("Project: {Title: Name}", "inbound: {Name: opportunity.Project.Title}\n", ""),
    ],
)  # fmt: skip
def test_what_is_shown_is_not_sent(tree: str, sections: str, sender: str) -> None:
    sections += "write_back:\n  A__c: sync.message\n"
    document = yamlfile.parse(small(tree, sections), FILE)
    found = look_for_echoes(compiled(tree, sections), lambda keys: document.problem(keys, ""))
    if not sender:
        assert found == []
        return
    (one,) = found
    assert (one.severity, one.line, one.column) == (Severity.WARNING, len(small(tree, sections).splitlines()), 3)
    assert one.message == f"A__c shows sync.message, and {sender} would send that to AWS."
