"""Invitations in a mapping: both forms, values taken over from the opportunity, and what holds one of them."""

from __future__ import annotations

from typing import Any

import pytest
from small_mapping import FILE, TODAY, compiled, problems_of, small

from connector.core.mapping import map_record, run_cases
from connector.core.mapping.nodes import leaves_of
from connector.core.model import Invitation, Mapped

TREE = """
    LifeCycle: {TargetCloseDate: {from: CloseDate, transform: date}}
    Customer:
      Account:
        CompanyName: {from: Account.Name, transform: upper}
        Industry: {from: Account.Industry, values: {Energy: Energy - Oil and Gas}}
        WebsiteUrl: {from: Account.Website, transform: website}
        Address: {CountryCode: {from: Account.Country, transform: country_code}}
    Project:
      Title: Name
      CustomerBusinessProblem: Description
      ExpectedCustomerSpend:
        - Amount: {from: Amount, transform: money}
          CurrencyCode: {value: USD}
          Frequency: {value: Monthly}
          TargetCompany: {value: AWS}
    """
ITEM = """
    EngagementIdentifier: Engagement__c
    Message: Message__c
    Receiver: {Account: {AwsAccountId: Account__c, Alias: Alias__c}}
    Payload:
      OpportunityInvitation:
        ReceiverResponsibilities: {from: Duties__c, transform: split}
        Customer:
          CompanyName: {from: Company__c, like: Customer.Account.CompanyName}
          CountryCode: {like: Customer.Account.Address.CountryCode}
          Industry: {from: Industry__c, like: Customer.Account.Industry}
          WebsiteUrl: {from: Website__c, like: Customer.Account.WebsiteUrl, transform: lower}
        Project:
          Title: {like: Project.Title, transform: {prefix: "Join: "}}
          BusinessProblem: {like: Project.CustomerBusinessProblem}
          TargetCompletionDate: {from: Day__c, like: LifeCycle.TargetCloseDate}
          ExpectedCustomerSpend:
            - Amount: {from: Amount__c, like: 'Project.ExpectedCustomerSpend[0].Amount'}
              CurrencyCode: {like: 'Project.ExpectedCustomerSpend[0].CurrencyCode'}
              Frequency: {value: Monthly}
              TargetCompany: {from: Alias__c, default: Partner}
        SenderContacts:
          - Email: Sender__c
    """
ROW = {
    "Id": "a01000000000001",
    "Message__c": "Come along",
    "Account__c": "111122223333",
    "Duties__c": "Reseller",
    "Sender__c": "Sam@partner.example",
}
RECORD: dict[str, Any] = {
    "Name": "Deal",
    "Description": "A problem that takes more than twenty characters.",
    "CloseDate": "2027-01-31",
    "Amount": 100,
    "Account": {"Name": "Acme", "Industry": "Energy", "Website": "Acme.example", "Country": "France"},
}


def nested(text: str, indent: int) -> str:
    lines = text.strip("\n").splitlines()
    return "\n".join(" " * indent + line[4:] for line in lines).rstrip() + "\n"


OVER_ROWS = "invitations:\n  each: Rows__r\n  order_by: Order__c\n  item:\n" + nested(ITEM, 4)
WRITTEN_OUT = "invitations:\n" + "".join(
    "  -\n" + nested(ITEM, 4).replace("Account__c", f"Account_{n}__c").replace("Message__c", f"Message_{n}__c")
    for n in (1, 2)
)


def invited(*rows: dict[str, Any], **changes: Any) -> Mapped:
    mapping = compiled(TREE, OVER_ROWS)
    return map_record(mapping, {**RECORD, "Rows__r": list(rows), **changes}, TODAY)


def only(mapped: Mapped) -> Invitation:
    (invitation,) = mapped.invitations
    return invitation


def told(invitation: Invitation) -> list[str]:
    prefix = "Invitation.Payload.OpportunityInvitation."
    return [problem.path.removeprefix(prefix) for problem in invitation.problems]


def test_a_row_and_what_the_opportunity_sends_make_an_invitation() -> None:
    found = only(invited(ROW))
    assert found.problems == ()
    assert (found.key, found.receiver, found.engagement_id) == ("a01000000000001AAA", "111122223333", "")
    assert found.body == {
        "Message": "Come along",
        "Receiver": {"Account": {"AwsAccountId": "111122223333"}},
        "Payload": {
            "OpportunityInvitation": {
                "ReceiverResponsibilities": ["Reseller"],
                "Customer": {
                    "CompanyName": "ACME",
                    "CountryCode": "FR",
                    "Industry": "Energy - Oil and Gas",
                    "WebsiteUrl": "https://acme.example",
                },
                "Project": {
                    "Title": "Join: Deal",
                    "BusinessProblem": "A problem that takes more than twenty characters.",
                    "TargetCompletionDate": "2027-01-31",
                    "ExpectedCustomerSpend": [
                        {"Amount": "100.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "Partner"}
                    ],
                },
                "SenderContacts": [{"Email": "Sam@partner.example"}],
            }
        },
    }


def test_the_rows_own_field_goes_first_and_is_transformed_too() -> None:
    body = only(invited({**ROW, "Company__c": "Own", "Website__c": "WWW.Own.example"})).body
    customer = body["Payload"]["OpportunityInvitation"]["Customer"]
    assert (customer["CompanyName"], customer["WebsiteUrl"]) == ("Own", "www.own.example")


def test_an_own_engagement_goes_with_the_row() -> None:
    assert only(invited({**ROW, "Engagement__c": "eng-0123456789abcd"})).engagement_id == "eng-0123456789abcd"
    wrong = only(invited({**ROW, "Engagement__c": "arn:aws:x"}))
    assert [(problem.path, problem.salesforce_field) for problem in wrong.problems] == [
        ("EngagementIdentifier", "Rows__r.Engagement__c")
    ]


def test_the_problem_of_a_value_is_told_at_where_it_came_from() -> None:
    mapped = invited(ROW, Account={**RECORD["Account"], "Name": "x" * 121})
    (problem,) = only(mapped).problems
    assert problem.path.endswith("Customer.CompanyName")
    assert problem.salesforce_field == "Account.Name"
    (leaf,) = [leaf for leaf in compiled(TREE).leaves if leaf.path == "Customer.Account.CompanyName"]
    assert (problem.file, problem.line) == (FILE, leaf.origin.line)
    own = only(invited({**ROW, "Company__c": "x" * 121})).problems[0]
    assert own.salesforce_field == "Rows__r.Company__c / Account.Name"
    assert own.line > leaf.origin.line


def test_a_failed_leaf_of_the_opportunity_is_told_there_and_holds_the_invitation() -> None:
    mapped = invited(ROW, Account={**RECORD["Account"], "Industry": "Magic"})
    (problem,) = only(mapped).problems
    assert problem.path == "Customer.Account.Industry"
    assert problem in mapped.problems
    assert mapped.unread == ("Customer.Account.Industry",)
    assert (
        only(invited({**ROW, "Industry__c": "Mining"}, Account={**RECORD["Account"], "Industry": "M"})).problems == ()
    )


def test_what_is_wrong_with_an_invitation_is_no_problem_of_the_record() -> None:
    before = invited(ROW)
    mapped = invited({"Id": "a01000000000001"})
    assert mapped.problems == before.problems
    assert mapped.unread == ()
    assert told(only(mapped)) == [
        "Invitation.Message",
        "ReceiverResponsibilities",
        "Invitation.Receiver.Account.AwsAccountId",
    ]
    assert {(problem.salesforce_field, problem.file) for problem in only(mapped).problems} == {
        (f"Rows__r.{name}__c", FILE) for name in ("Message", "Duties", "Account")
    }


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"Day__c": "2027-02-30"}, "Project.TargetCompletionDate", "There is no day 2027-02-30."),
        ({"Day__c": "soon"}, "Project.TargetCompletionDate", "does not fit AWS's pattern"),
        ({"Account__c": "11112222333"}, "Invitation.Receiver.Account.AwsAccountId", "12 digits, this one has 11"),
        ({"Account__c": "1111 2222"}, "Invitation.Receiver.Account.AwsAccountId", "does not fit AWS's pattern"),
        ({"Website__c": "localhost"}, "Customer.WebsiteUrl", "does not fit AWS's pattern"),
        ({"Duties__c": "Friend"}, "ReceiverResponsibilities[0]", "is not a value AWS knows"),
        ({"Message__c": "x" * 256}, "Invitation.Message", "256 characters"),
        ({"Sender__c": "nobody"}, "SenderContacts[0].Email", "does not fit AWS's pattern"),
        ({"Alias__c": "x" * 81}, "Project.ExpectedCustomerSpend[0].TargetCompany", "81 characters"),
    ],
)
def test_the_stricter_patterns_of_an_invitation(changes: dict[str, Any], path: str, words: str) -> None:
    found = only(invited({**ROW, **changes}))
    assert path in told(found)
    (problem,) = [problem for problem in found.problems if problem.path.endswith(path)]
    assert words in problem.message
    assert problem.line


def test_a_short_name_is_an_account_too() -> None:
    assert only(invited({**ROW, "Account__c": "partner_9"})).problems == ()


def rows_of(count: int) -> list[dict[str, Any]]:
    return [
        {**ROW, "Id": f"a0100000000000{n}", "Account__c": f"{111122223300 + n}", "Order__c": n}
        for n in range(10, 10 + count)
    ]


def test_an_engagement_takes_eight_partners() -> None:
    found = invited(*reversed(rows_of(10))).invitations
    assert [one.receiver for one in found] == [f"{111122223300 + n}" for n in range(10, 20)]
    assert [len(one.problems) for one in found] == [0] * 8 + [1, 1]
    assert "10 members" in found[8].problems[0].message
    assert found[8].problems[0].salesforce_field == "Rows__r.Account__c"


def test_a_partner_is_invited_once_by_the_upper_row() -> None:
    first, second, third = rows_of(3)
    again = {**third, "Account__c": first["Account__c"]}
    found = invited(again, second, first).invitations
    assert [len(one.problems) for one in found] == [0, 0, 1]
    assert "row above" in found[2].problems[0].message
    nobody = {**third, "Account__c": ""}
    assert [len(one.problems) for one in invited(first, nobody, {**nobody, "Id": None}).invitations] == [0, 1, 1]


def test_written_out_items_invite_whom_the_record_names() -> None:
    mapping = compiled(TREE, WRITTEN_OUT)
    record = {**RECORD, **ROW, "Account_2__c": "222233334444", "Message_2__c": "Two"}
    found = only(map_record(mapping, record, TODAY))
    assert (found.key, found.receiver, found.problems) == ("[1]", "222233334444", ())
    assert map_record(mapping, RECORD, TODAY).invitations == ()
    both = map_record(mapping, {**record, "Account_1__c": "222233334444"}, TODAY).invitations
    assert [one.key for one in both] == ["[0]", "[1]"]
    assert told(both[0]) == ["Invitation.Message"]
    assert told(both[1]) == ["Invitation.Receiver.Account.AwsAccountId"]


def test_a_receiver_that_cannot_be_read_is_told_where_an_empty_one_is_not() -> None:
    text = "invitations:\n  -\n" + nested(ITEM, 4).replace(
        "AwsAccountId: Account__c", "AwsAccountId: {from: Account__c, transform: aws_account_id}"
    )
    mapping = compiled(TREE, text)
    found = only(map_record(mapping, {**RECORD, **ROW, "Account__c": "12"}, TODAY))
    assert told(found) == ["Invitation.Receiver.Account.AwsAccountId"]
    assert map_record(mapping, {**RECORD, **ROW, "Account__c": " "}, TODAY).invitations == ()


def test_what_is_asked_of_salesforce() -> None:
    rows = OVER_ROWS + "  where: Ready__c = TRUE\n  write_back: {Told__c: invitation.Status}\n"
    selection = compiled(TREE, rows).selection
    asked = set(selection.children["Rows__r"])
    assert {"Id", "Message__c", "Engagement__c", "Order__c", "Ready__c", "Told__c", "Company__c"} <= asked
    assert not asked & set(selection.fields) - {"Id"}
    written = WRITTEN_OUT.rstrip() + "\n    write_back: {Told__c: sync.status}\n"
    selection = compiled(TREE, written + "inbound: {In__c: aws.Origin}\nassign:" + ASSIGNEE).selection
    assert selection.children == {}
    wanted = {"Account_1__c", "Account_2__c", "Message_2__c", "Engagement__c", "Told__c", "In__c", "Owner.Email"}
    assert wanted <= set(selection.fields)
    assert selection.linked_fields == ()


ASSIGNEE = (
    " {Email: Owner.Email, FirstName: Owner.First, LastName: {from: Owner.Last, transform: upper}, "
    "BusinessTitle: {value: OpportunityOwner}}\n"
)


def test_the_owner_at_aws() -> None:
    mapping = compiled(TREE, "assign:" + ASSIGNEE)
    owner = {"Email": "sam@partner.example", "First": "Sam", "Last": "Seller"}
    mapped = map_record(mapping, {**RECORD, "Owner": owner}, TODAY)
    assert mapped.assignee == {
        "Email": "sam@partner.example",
        "FirstName": "Sam",
        "LastName": "SELLER",
        "BusinessTitle": "OpportunityOwner",
    }
    assert [problem for problem in mapped.problems if problem.blocks == "assign"] == []
    assert map_record(mapping, RECORD, TODAY).assignee is None
    wrong = map_record(mapping, {**RECORD, "Owner": {"Email": "Sam@", "First": "Sam", "Last": {"x": 1}}}, TODAY)
    found = [(problem.path, problem.salesforce_field) for problem in wrong.problems if problem.blocks == "assign"]
    assert sorted(found) == [("Assignee.Email", "Owner.Email"), ("Assignee.LastName", "Owner.Last")]
    assert wrong.unread == ()


@pytest.mark.parametrize(
    ("changes", "unread"),
    [
        ({}, ()),
        ({"Amount": "much"}, ("Project.ExpectedCustomerSpend",)),
        ({"S__c": {"a": 1}}, ("RelatedEntityIdentifiers.Solutions",)),
        # what depends on a failed value is not known either, wherever its own field stands
        ({"Account": {**RECORD["Account"], "Country": "Nowhere"}},
         ("Customer.Account.Address.CountryCode", "Customer.Account.Address.StateOrRegion")),
    ],
)  # fmt: skip
def test_which_paths_of_the_opportunity_nobody_knows(changes: dict[str, Any], unread: tuple[str, ...]) -> None:
    state = "StateOrRegion: {from: State__c, when: {path: Customer.Account.Address.CountryCode, is: US}}"
    tree = TREE.replace("transform: country_code}}", "transform: country_code}, " + state + "}")
    mapping = compiled(tree, "associate: {Solutions: {from: S__c, transform: split}}")
    mapped = map_record(mapping, {**RECORD, **changes}, TODAY)
    assert mapped.unread == unread
    assert set(unread) <= mapping.owned_paths
    assert Mapped.from_json(mapped.to_json()).unread == unread


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("invitations:\n", "does not say who is invited"),
        ("invitations: []\n", "does not say who is invited"),
        ("invitations: {Message: x}\n", "does not say who is invited"),
        ("invitations: {each: Rows__r}\n", "each needs an item"),
        ("invitations: [5]\n", "An invitation is a structure"),
        ("invitations: [{each: Rows__r, item: {}}]\n", "not both"),
        (OVER_ROWS.replace("Message: Message__c", "Mesage: Message__c"), "Did you mean 'Message'?"),
        (OVER_ROWS.replace("Engagement__c", ""), "EngagementIdentifier says nothing"),
        (
            OVER_ROWS.replace("{from: Duties__c, transform: split}", "{each: Kids__r, item: Name}"),
            "children of a child",
        ),
        (OVER_ROWS.replace("like: Project.Title", "like: Project.ExpectedCustomerSpend.Amount"), "Spend[0].Amount'?"),
        (OVER_ROWS.replace("like: Project.Title", "like: Project"), "No leaf of the opportunity"),
        (OVER_ROWS + "  write_back: {A__c: invitation.Statu}\n", "Did you mean 'invitation.Status'?"),
        (OVER_ROWS + "  write_back: {A__c: invitation.Id, a__C: invitation.Arn}\n", "filled by a line"),
        (
            WRITTEN_OUT + "    write_back: {A__c: invitation.Id}\nwrite_back: {A__c: opportunity.Id}\n",
            "filled by a line",
        ),
        ("assign:\n", "assign has members"),
        ("inbound: [A__c]\n", "inbound lists Salesforce fields"),
        ("inbound: {A__c: {from: []}}\n", "names no fact"),
        ("inbound: {A__c: opportunity.LifeCycle}\n", "is not one value"),
        ("inbound: {A__c: aws.Insights.AwsProductsSpendInsightsBySource.AWS.TotalAmountByCategory}\n", "a table"),
        ("write_back: {A__c: 'opportunity.Customer.Contacts[boss].Email'}\n", "Customer.Contacts"),
        ("write_back: {A__c: invitation.Id}\n", "There is no fact"),
    ],
)
def test_mistakes(sections: str, words: str) -> None:
    problems = problems_of(small(TREE, sections))
    said = [f"{problem.message} {problem.cure}" for problem in problems]
    assert [one for one in said if words in one], said
    assert all(problem.line > 18 and problem.cure for problem in problems)
    assert len(problems) <= 2


@pytest.mark.parametrize(
    "sections",
    [
        OVER_ROWS,
        WRITTEN_OUT,
        OVER_ROWS + "write_back: {A__c: opportunity.Id}\ninbound: {B__c: opportunity.Project.Title}\n",
        OVER_ROWS + "  write_back: {A__c: sync.status}\nwrite_back: {A__c: sync.status}\n",
        "inbound: {A__c: {from: ['aws.OpportunityTeam[PDM].Name', 'aws.Customer.Contacts[1].Name']}}\n",
        "inbound: {A__c: 'opportunity.OpportunityTeam[OpportunityOwner].Email'}\n",
        "inbound: {A__c: {from: aws.LifeCycle.Stage, values: {Engaged: x}, otherwise: y, transform: trim}}\n",
        "write_back: {A__c: 'opportunity.Customer.Contacts[0].Name', B__c: opportunity.Project.SalesActivities}\n",
        "write_back: {A__c: aws.Insights.OpportunityQuality.Score, B__c: opportunity.Customer.Contacts.Email}\n",
    ],
)
def test_what_is_right_is_taken(sections: str) -> None:
    compiled(TREE, sections)


def test_what_inbound_reads() -> None:
    mapping = compiled(TREE, "inbound:\n  A__c: {from: [aws.LifeCycle.Stage, opportunity.LifeCycle.Stage]}\n")
    (entry,) = mapping.inbound
    assert entry.facts == ("aws.LifeCycle.Stage", "opportunity.LifeCycle.Stage")
    assert (entry.field, entry.leaf.origin.file) == ("A__c", FILE)
    assert [path.read({"opportunity.LifeCycle.Stage": "Prospect"}) for path in entry.leaf.sources] == [None, "Prospect"]
    assert entry.line == 20


def test_a_list_over_the_records_own_children_may_stand_in_a_written_out_item() -> None:
    text = "invitations:\n  -\n" + nested(ITEM, 4).replace(
        "SenderContacts:\n          - Email: Sender__c", "SenderContacts: {each: Team__r, item: {Email: Mail__c}}"
    )
    mapping = compiled(TREE, text)
    team = [{"Mail__c": f"{name}@partner.example"} for name in "abcd"]
    found = only(map_record(mapping, {**RECORD, **ROW, "Team__r": team}, TODAY))
    contacts = found.body["Payload"]["OpportunityInvitation"]["SenderContacts"]
    assert [contact["Email"][0] for contact in contacts] == ["a", "b", "c"]
    assert mapping.selection.children == {"Team__r": ("Id", "Mail__c")}


def test_cases_look_at_the_owner_and_the_invitations() -> None:
    case = """
        cases:
          - name: the case
            given: {Rows__r: [{Id: a01000000000001, Account__c: "111122223333", Engagement__c: eng-0123456789abcd}]}
            """
    head = OVER_ROWS + "assign:" + ASSIGNEE
    right = [
        "expect: {invitations: [{EngagementIdentifier: eng-0123456789abcd, Message: }]}",
        "expect: {assign: }",
        'expect_problems: ["invitations[0].Message", "invitations[0].Payload.OpportunityInvitation.Project.Title"]',
    ]
    wrong = {
        "expect: {invitations: []}": "invitations is [",
        "expect: {assign: {Email: x}}": "assign is missing",
        'expect_problems: ["invitations[1].Message"]': "no problem is told at invitations[1].Message",
    }

    def run(expectation: str) -> list[str]:
        lines = (case + expectation).splitlines()
        return [str(found) for found in run_cases(compiled(TREE, head + "\n".join(line[8:] for line in lines)))]

    # the record is nearly empty, so that a transform of an empty value is what it is: nothing
    assert [run(one) for one in right] == [[], [], []]
    for expectation, words in wrong.items():
        (failure,) = run(expectation)
        assert words in failure


def test_leaves_of_an_invitation_depend_on_the_opportunity_only() -> None:
    phone = "{from: Phone__c, transform: {phone: {country: Customer.Account.Address.CountryCode}}}"
    text = OVER_ROWS.replace("- Email: Sender__c", f"- {{Email: Sender__c, Phone: {phone}}}")
    mapping = compiled(TREE, text)
    rows = [{**ROW, "Phone__c": "01 42 68 53 00"}]
    found = only(map_record(mapping, {**RECORD, "Rows__r": rows}, TODAY))
    assert found.body["Payload"]["OpportunityInvitation"]["SenderContacts"][0]["Phone"] == "+33142685300"
    nowhere = {**RECORD, "Account": {**RECORD["Account"], "Country": ""}, "Rows__r": rows}
    assert "SenderContacts[0].Phone" in told(only(map_record(mapping, nowhere, TODAY)))
    assert mapping.invitations is not None
    assert {leaf.path.partition(".")[0] for leaf in leaves_of(mapping.invitations.items[0].tree)} == {"Invitation"}
