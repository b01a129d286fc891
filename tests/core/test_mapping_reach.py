"""Lines that can never have an effect: told where that is certain, and nowhere else."""

from __future__ import annotations

import pytest
from small_mapping import FILE, small

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.findings import Finding
from connector.core.mapping import read_as_far_as_possible
from connector.core.mapping.reach import look_for_unreachable
from connector.mapping_files import transforms

STAGE = "LifeCycle: {Stage: {from: StageName, values: {Open: Qualified, Won: Committed}}}\n"
PARTNER = """
invitations:
  each: Rows__r
  item:
    Message: {from: Message__c, values: {Hi: Hello}, transform: upper}
    Receiver: {Account: {AwsAccountId: {from: A__c, when: {path: LifeCycle.Stage, is: Launched}}}}
    Payload:
      OpportunityInvitation:
        ReceiverResponsibilities: {from: R__c, transform: split}
        Customer: {CompanyName: C__c, CountryCode: {value: US}, Industry: {value: Mining}, WebsiteUrl: W__c}
        Project: {BusinessProblem: P__c, ExpectedCustomerSpend: [{CurrencyCode: {value: USD},
          Frequency: {value: Monthly}, TargetCompany: T__c}], TargetCompletionDate: D__c, Title: Name}
"""


def found_in(tree: str, sections: str = "") -> list[Finding]:
    document = yamlfile.parse(small(tree, "submission: {InvolvementType: {value: Co-Sell}}\n" + sections), FILE)
    reading = read_as_far_as_possible(document, mapping_shapes(), transforms())
    assert reading.mapping is not None
    assert reading.problems == ()
    return look_for_unreachable(
        reading.mapping, reading.leaves, reading.damage, lambda keys: document.problem(keys, "")
    )


@pytest.mark.parametrize(
    ("tree", "place", "severity", "words"),
    [
        (STAGE + "Origin: {from: O__c, when: {path: LifeCycle.Stage, is: Launched}}", (5, 54), "error",
         "is never sent"),
        (STAGE + "Origin: {from: O__c, when: {path: LifeCycle.Stage, in: [committed, launched]}}", (5, 54), "warning",
         "LifeCycle.Stage is never 'launched', which Origin waits for"),
        (STAGE + "Origin: {from: O__c, when: {path: LifeCycle.Stage, empty: true}}", (5, 54), "error",
         "is never empty"),
        (STAGE + "Origin: {from: O__c, when: {path: LifeCycle.Stage, not_in: [Qualified, Committed]}}", (5, 54),
         "error", "is always Qualified or Committed"),
        ("Origin: {from: O__c, when: {path: NationalSecurity, is: true}}\nNationalSecurity: N__c", (4, 55), "error",
         "NationalSecurity is never true"),
        ("Project: {Title: {from: A__c, when: {field: a__C, empty: true}}}", (4, 33), "error",
         "read from the field that must be empty"),
        ("Project: {DeliveryModels: M__c}", (4, 13), "error", "Add `transform: split`"),
        ("Project: {DeliveryModels: {template: '{A__c}'}}", (4, 13), "error", "is a list at AWS"),
        ("Project: {DeliveryModels: {from: M__c, transform: [split, join]}}", (4, 13), "error", "is a list at AWS"),
        ("Project: {Title: {from: M__c, transform: split}}", (4, 33), "error", "the transforms give a list"),
        ("Project: {Title: {from: [A__c, Name, B__c, C__c]}}", (4, 40), "warning",
         "B__c is never read: Name before it"),
        ("Project: {Title: {from: [A__c, Id], transform: trim, default: x}}", (4, 56), "warning", "is never used"),
        ("Origin: {from: O__c, values: {'a ': Partner Referral}}", (4, 33), "warning",
         "without the spaces around them"),
        ("Origin: {from: O__c, values: {ab-c: Partner Referral}, transform: digits}", (4, 33), "warning",
         "digits before it gives no such text"),
        ("Origin: {from: O__c, values: {abcd: Partner Referral}, transform: {truncate: 3}}", (4, 33), "warning",
         "truncate before it"),
        ("Origin: {from: O__c, values: {abcd: Partner Referral}, transform: {prefix: x}}", (4, 33), "warning",
         "prefix before it"),
        ("PrimaryNeedsFromAws: {from: O__c, values: {a;b: Co-Sell - Deal Support}, transform: split}", (4, 46),
         "warning", "split before it"),
        ("Origin: {from: O__c, values: {a: Partner Referral, A: AWS Referral}}", (4, 54), "warning", "only by case"),
        ("NationalSecurity: {from: O__c, transform: yes_no, values: {Yes: Yes, No: No}, otherwise: No}", (4, 81),
         "warning", "otherwise never comes up"),
    ],
)  # fmt: skip
def test_what_can_never_be(tree: str, place: tuple[int, int], severity: str, words: str) -> None:
    (found,) = found_in(tree)
    assert (found.kind, str(found.severity), (found.line, found.column)) == ("unreachable", severity, place)
    assert words in f"{found.message} {found.cure}"
    assert found.cure


@pytest.mark.parametrize(
    "tree",
    [
        STAGE + "Origin: {from: O__c, when: {path: LifeCycle.Stage, is: COMMITTED}}",
        STAGE + "Origin: {from: O__c, when: {path: LifeCycle.Stage, not_in: [Qualified, Launched]}}",
        "LifeCycle: {Stage: S__c}\nOrigin: {from: O__c, when: {path: LifeCycle.Stage, empty: true}}",
        "Project: {Title: {from: A__c, when: {path: Project.CustomerUseCase, is: x}}, CustomerUseCase: Use__c}",
        "Project: {Title: {from: A__c, when: {field: B__c, empty: true}}}",
        "Project: {Title: {from: A__c, default: x, when: {field: A__c, empty: true}}}",
        "Project: {DeliveryModels: 'Rows__r[].Name'}",
        "Project: {DeliveryModels: {each: Rows__r, item: Name}}",
        "Project: {DeliveryModels: {from: M__c, transform: [upper, split, trim]}}",
        "Project: {DeliveryModels: {from: M__c, values: {x: [SaaS or PaaS]}}}",
        "Project: {Title: {from: M__c, transform: [split, sort, {join: ', '}]}}",
        "Project: {Title: {from: 'Rows__r[].Name'}}",
        "Project: {Title: {from: [A__c, Account.Name, B__c], default: x}}",
        "Project: {Title: {from: Id, transform: {strip_prefix: '006'}, default: x}}",
        "Customer: {Contacts: {each: Rows__r, item: {LastName: {from: [Name, Id, A__c], default: x}}}}",
        "Origin: {from: O__c, values: {ABC: Partner Referral}, transform: lower}",
        "Origin: {from: O__c, values: {a b: Partner Referral}, transform: [trim, one_line]}",
        "Origin: {from: O__c, values: {xa: Partner Referral}, transform: {prefix: X}}",
        "Origin: {from: O__c, values: {'12': Partner Referral}, transform: [{divide: 12}, integer]}",
        "NationalSecurity: {from: O__c, transform: yes_no, values: {Yes: Yes}, otherwise: No}",
    ],
)
def test_what_may_be_is_not_told(tree: str) -> None:
    assert [str(found) for found in found_in(tree)] == []


def test_invitations_and_inbound_lines_are_looked_at_too() -> None:
    inbound = "inbound: {A__c: {from: aws.LifeCycle.Stage, transform: upper, values: {'x ': y}}}\n"
    told = [(found.line, found.message) for found in found_in(STAGE, inbound + PARTNER)]
    assert [line for line, _ in told] == [6, 12]
    assert "'x ' never comes up" in told[0][1]
    assert "Invitation.Receiver.Account.AwsAccountId is never sent" in told[1][1]


def test_without_a_submission_there_is_no_task_to_tell_of() -> None:
    text = small("Project: {Title: Name}", "write_back: {A__c: task.TaskId, B__c: opportunity.Id}\n")
    document = yamlfile.parse(text, FILE)
    reading = read_as_far_as_possible(document, mapping_shapes(), transforms())
    assert reading.mapping is not None
    (found,) = look_for_unreachable(
        reading.mapping, reading.leaves, reading.damage, lambda keys: document.problem(keys, "")
    )
    assert (found.line, found.column, found.salesforce_field) == (5, 14, "A__c")
