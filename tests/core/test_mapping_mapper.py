"""One record put through a mapping: what is sent, what is left out, what is told, and where it all comes from."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_mapping import FILE, TODAY, compiled, mapped, problem_at, sent

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core import schema
from connector.core.mapping import CompiledMapping, compile_mapping, map_record
from connector.core.model import Association, Mapped
from connector.mapping_files import transforms

SPEND = (
    "Project: {ExpectedCustomerSpend: [{Amount: {from: Amount, transform: money}, CurrencyCode: {value: USD}, "
    "Frequency: {value: Monthly}, TargetCompany: {value: AWS}}]}"
)


def at(payload: Any, path: str) -> Any:
    for step in path.split("."):
        payload = payload.get(step) if isinstance(payload, dict) else None
    return payload


@pytest.mark.parametrize(
    ("leaf", "record", "value"),
    [
        ("Name", {"Name": " Deal "}, "Deal"),
        ("Name", {"Name": "  "}, None),
        ("Name", {"Name": None}, None),
        ("Name", {}, None),
        ("account.name", {"Account": {"Name": "Acme"}}, "Acme"),
        # the first non-empty of several
        ("{from: [A__c, B__c, C__c]}", {"A__c": " ", "B__c": "b", "C__c": "c"}, "b"),
        ("{from: [A__c, B__c]}", {"A__c": None, "B__c": ""}, None),
        ("{from: [A__c, B__c]}", {"A__c": 0, "B__c": "b"}, "0"),
        ("{from: [A__c, B__c]}", {"A__c": [], "B__c": "b"}, "b"),
        # templates
        ("{template: '{A__c} of {Account.Name}'}", {"A__c": "x", "Account": {"Name": "Acme"}}, "x of Acme"),
        ("{template: '{A__c} of {Account.Name}'}", {"A__c": "", "Account": None}, None),
        ("{template: '{A__c}', transform: upper}", {"A__c": Decimal("12.50")}, "12.5"),
        # picklists
        ("{from: A__c, values: {New: N, Old: O}}", {"A__c": "New"}, "N"),
        ("{from: A__c, values: {New: N, Old: O}}", {"A__c": " nEW "}, "N"),
        ("{from: A__c, values: {new: n, New: N}}", {"A__c": "New"}, "N"),
        ("{from: A__c, values: {New: N}, otherwise: rest}", {"A__c": "else"}, "rest"),
        ("{from: A__c, values: {New: N}, otherwise: rest}", {"A__c": ""}, None),
        ("{from: A__c, values: {New: N}, default: none given}", {"A__c": ""}, "none given"),
        ("{from: A__c, values: {New: N}, default: d, otherwise: o}", {"A__c": "x"}, "o"),
        ("{from: A__c, values: {New: }, otherwise: o}", {"A__c": "New"}, None),
        ("{from: A__c, values: {New: }, default: d}", {"A__c": "New"}, None),
        ("{from: A__c, values: {'true': yes, 'false': no}}", {"A__c": True}, "yes"),
        ("{from: A__c, values: {'12': dozen}}", {"A__c": Decimal("12.0")}, "dozen"),
        ("{from: A__c, values: {'12': dozen}}", {"A__c": 12.0}, "dozen"),
        # numbers are texts at AWS
        ("{value: 12}", {}, "12"),
        ("{from: A__c, default: 12}", {}, "12"),
        ("{from: A__c, values: {x: 1.50}}", {"A__c": "x"}, "1.5"),
        ("A__c", {"A__c": 270000.0}, "270000"),
        ("A__c", {"A__c": Decimal("1E+3")}, "1000"),
        ("A__c", {"A__c": 0.1}, "0.1"),
        ("A__c", {"A__c": Decimal("10.20")}, "10.2"),
        # defaults stand in for what a transform leaves of a field, too
        ("{from: A__c, transform: html_text, default: d}", {"A__c": "<p> </p>"}, "d"),
        ("{from: A__c, transform: html_text}", {"A__c": "<p> </p>"}, None),
        ("{from: A__c, transform: [trim, {truncate: 3}]}", {"A__c": "abcdef"}, "abc"),
        # children
        ("{from: \"R__r[?IsPrimary].Name | [0]\"}", {"R__r": [{"Name": "a"}, {"IsPrimary": True, "Name": "b"}]}, "b"),
        ("{from: \"R__r[?IsPrimary].Name | [0]\"}", {"R__r": []}, None),
    ],
)  # fmt: skip
def test_one_leaf(leaf: str, record: dict[str, Any], value: str | None) -> None:
    result = mapped(f"Project: {{Title: {leaf}}}", record)
    assert at(result.opportunity, "Project.Title") == value
    assert "transform" not in {problem.code for problem in result.problems}


@pytest.mark.parametrize(
    ("when", "record", "is_sent"),
    [
        ("{path: Project.Title, is: Deal}", {"Name": "deal"}, True),
        ("{path: Project.Title, is: Deal}", {"Name": "other"}, False),
        ("{path: Project.Title, is: Deal}", {}, False),
        ("{path: Project.Title, is_not: Deal}", {}, True),
        ("{path: Project.Title, is_not: Deal}", {"Name": "Deal"}, False),
        ("{path: Project.Title, in: [A, B]}", {"Name": "b"}, True),
        ("{path: Project.Title, in: [A, B]}", {"Name": "c"}, False),
        ("{path: Project.Title, not_in: [A, B]}", {"Name": "c"}, True),
        ("{path: Project.Title, not_in: [A, B]}", {"Name": "a"}, False),
        ("{path: Project.Title, present: true}", {"Name": "a"}, True),
        ("{path: Project.Title, present: true}", {"Name": " "}, False),
        ("{path: Project.Title, present: false}", {}, True),
        ("{field: Flag__c, is: true}", {"Flag__c": True}, True),
        ("{field: Flag__c, is: true}", {"Flag__c": False}, False),
        ("{field: Count__c, is: 5}", {"Count__c": Decimal("5.0")}, True),
        ("{field: Account.Name, empty: true}", {"Account": None}, True),
        ("{field: Account.Name, empty: true}", {"Account": {"Name": "x"}}, False),
        ("{field: Account.Name, empty: false}", {"Account": {"Name": "x"}}, True),
    ],
)
def test_when(when: str, record: dict[str, Any], is_sent: bool) -> None:
    tree = f"Project: {{Title: Name, AdditionalComments: {{from: C__c, default: sent, when: {when}}}}}"
    assert at(sent(tree, record), "Project.AdditionalComments") == ("sent" if is_sent else None)


@pytest.mark.parametrize(
    ("tree", "record", "path", "value"),
    [
        # constants alone keep nothing alive that has sources
        (SPEND, {"Amount": 5}, "Project.ExpectedCustomerSpend", [
            {"Amount": "5.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]),
        (SPEND, {"Amount": None}, "Project", None),
        ("OpportunityTeam: [{Email: E__c, BusinessTitle: {value: OpportunityOwner}}]", {}, "OpportunityTeam", None),
        ("LifeCycle: {ReviewStatus: {value: Pending Submission}, Stage: StageName}", {}, "LifeCycle", None),
        ("SoftwareRevenue: {DeliveryModel: M__c, Value: {Amount: {value: '1'}, CurrencyCode: {value: USD}}}", {},
         "SoftwareRevenue", None),
        ("Project: {Title: Name, ExpectedContractDuration: {Term: {value: Months}, Value: {value: 12}}}", {"Name": "x"},
         "Project", {"Title": "x", "ExpectedContractDuration": {"Term": "Months", "Value": "12"}}),
        # where there is nothing but constants, they are meant
        ("Marketing: {Source: {value: None}}", {}, "Marketing", {"Source": "None"}),
        ("Tags: [{Key: {value: A}, Value: {value: B}}]", {}, "Tags", [{"Key": "A", "Value": "B"}]),
        # a default does keep it alive
        ("LifeCycle: {ReviewStatus: {value: Pending Submission}, Stage: {from: S__c, default: Qualified}}", {},
         "LifeCycle", {"ReviewStatus": "Pending Submission", "Stage": "Qualified"}),
        # lists
        ("Project: {DeliveryModels: {from: M__c, transform: split}}", {"M__c": "SaaS or PaaS; Managed Services;"},
         "Project.DeliveryModels", ["SaaS or PaaS", "Managed Services"]),
        ("Project: {DeliveryModels: {from: M__c, transform: split}}", {"M__c": ";;"}, "Project", None),
        ("Project: {DeliveryModels: {from: M__c, transform: split, values: {a: SaaS or PaaS, b: }}}", {"M__c": "A;b"},
         "Project.DeliveryModels", ["SaaS or PaaS"]),
        ("Project: {ApnPrograms: [A__c, {value: Fixed}, B__c]}", {"B__c": "b"}, "Project.ApnPrograms", ["Fixed", "b"]),
        ("Project: {ApnPrograms: {each: P__r, item: Name}}", {"P__r": [{"Name": "x"}, {"Name": ""}, {"Name": "y"}]},
         "Project.ApnPrograms", ["x", "y"]),
    ],
)  # fmt: skip
def test_structures_and_lists(tree: str, record: dict[str, Any], path: str, value: Any) -> None:
    assert at(sent(tree, record), path) == value


ROLES = [
    {"IsPrimary": False, "Share": 2, "Contact": {"LastName": "Boyle"}},
    {"IsPrimary": True, "Share": None, "Contact": {"LastName": "Ortiz"}},
    {"IsPrimary": None, "Share": 10, "Contact": {"LastName": "abel"}},
    {"IsPrimary": False, "Share": 1, "Contact": None},
    None,
    "broken",
]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", ["Boyle", "Ortiz", "abel"]),
        ("where: IsPrimary = TRUE,", ["Ortiz"]),
        ("where: Contact.LastName LIKE '%e%' AND IsPrimary != TRUE,", ["Boyle", "abel"]),
        ("order_by: IsPrimary DESC,", ["Ortiz", "Boyle", "abel"]),
        ("order_by: Contact.LastName,", ["abel", "Boyle", "Ortiz"]),
        ("order_by: Share,", ["Ortiz", "Boyle", "abel"]),
        ("order_by: 'IsPrimary, Contact.LastName DESC',", ["abel", "Boyle", "Ortiz"]),
        ("limit: 2,", ["Boyle", "Ortiz"]),
        ("where: Share >= 1, order_by: Share DESC, limit: 1,", ["abel"]),
    ],
)
def test_each(options: str, names: list[str]) -> None:
    tree = f"Customer: {{Contacts: {{each: Roles__r, {options} item: {{LastName: Contact.LastName}}}}}}"
    contacts = at(sent(tree, {"roles__R": ROLES}), "Customer.Contacts")
    assert [contact["LastName"] for contact in contacts] == names


@pytest.mark.parametrize("rows", [None, [], "text", 5, {"records": []}, [{"Contact": None}]])
def test_each_without_rows_is_left_out(rows: Any) -> None:
    assert sent("Customer: {Contacts: {each: R__r, item: {LastName: Contact.LastName}}}", {"R__r": rows}) == {}


CONTACTS = """
Customer:
  Account: {CompanyName: Account.Name, Address: {CountryCode: {from: Country__c, transform: country_code}}}
  Contacts:
    each: Roles__r
    item:
      LastName: Contact.LastName
      Email: {from: Contact.Email, transform: email}
      Phone: {from: Contact.Phone, transform: {phone: {country: Customer.Account.Address.CountryCode}}}
OpportunityTeam:
  - {Email: {from: One__c, transform: email}, BusinessTitle: {value: OpportunityOwner}}
  - {Email: {from: Two__c, transform: email}, LastName: Two_Name__c, BusinessTitle: {value: OpportunityOwner}}
"""


def test_origins_of_everything_that_is_sent() -> None:
    record = {
        "Account": {"Name": "Acme"},
        "Country__c": "Germany",
        "Roles__r": [{"Contact": {"LastName": ""}}, {"Contact": {"LastName": "Ortiz", "Phone": "089 1234567"}}],
        "Two__c": "two@partner.example",
    }
    result = mapped(CONTACTS, record)
    assert result.opportunity["Customer"]["Contacts"] == [{"LastName": "Ortiz", "Phone": "+49891234567"}]
    assert result.opportunity["OpportunityTeam"] == [
        {"Email": "two@partner.example", "BusinessTitle": "OpportunityOwner"}
    ]
    for path in scalars_of(result.opportunity):
        assert path in result.origins, path
    phone = result.origins["Customer.Contacts[0].Phone"]
    assert (phone.label, phone.file, phone.line) == ("Roles__r.Contact.Phone", FILE, 11)
    title = result.origins["OpportunityTeam[0].BusinessTitle"]
    assert (title.label, title.line) == ("(constant)", 14)


def scalars_of(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [p for name, inner in value.items() for p in scalars_of(inner, f"{path}.{name}" if path else name)]
    if isinstance(value, list) and isinstance(value[0], dict):
        return [p for index, inner in enumerate(value) for p in scalars_of(inner, f"{path}[{index}]")]
    return [path]


@pytest.mark.parametrize(
    ("path", "label", "line"),
    [
        ("Customer.Contacts[7].Email", "Roles__r.Contact.Email", 10),
        ("Customer.Contacts.Email", "Roles__r.Contact.Email", 10),
        ("Customer.Contacts[].Email", "Roles__r.Contact.Email", 10),
        ("Customer.Contacts[0]", "Roles__r", 6),
        ("Customer.Contacts", "Roles__r", 6),
        ("Customer.Contacts[0].Unknown", "Roles__r", 6),
        ("Customer.Account.Address", "Country__c", 5),
        ("OpportunityTeam[1].LastName", "Two_Name__c", 14),
        ("Nothing.Like.It", None, 0),
        ("Customer.Account.Unknown", None, 0),
    ],
)
def test_origins_of_what_aws_may_complain_of(path: str, label: str | None, line: int) -> None:
    origin = mapped(CONTACTS, {"Account": {"Name": "Acme"}}).origin_of(path)
    assert (origin and origin.label, origin.line if origin else 0) == (label, line)


def test_a_value_of_a_list_has_the_origin_of_its_list() -> None:
    tree = "Project:\n  AdditionalComments: A__c\n  DeliveryModels: {from: M__c, transform: split}"
    result = mapped(tree, {"M__c": "SaaS or PaaS;Nonsense", "A__c": "x"})
    problem = problem_at(result, "Project.DeliveryModels[1]")
    assert (problem.code, problem.salesforce_field, problem.line) == ("enum", "M__c", 6)
    top = mapped("PrimaryNeedsFromAws: {from: N__c, transform: split}", {"N__c": "Nonsense"})
    assert problem_at(top, "PrimaryNeedsFromAws[0]").salesforce_field == "N__c"


def test_a_failed_transform_is_the_only_thing_told_of_its_leaf() -> None:
    tree = "Customer:\n  Account:\n    CompanyName: Account.Name\n    WebsiteUrl: {from: Site__c, transform: website}"
    problem = problem_at(
        mapped(tree, {"Account": {"Name": "Acme"}, "Site__c": "no site"}), "Customer.Account.WebsiteUrl"
    )
    assert (problem.code, problem.salesforce_field, problem.file, problem.line) == ("transform", "Site__c", FILE, 7)
    assert str(problem).startswith(f"Site__c ({FILE}:7): The website has a space in it.")


def test_an_unknown_picklist_value_is_told_with_the_nearest_one() -> None:
    tree = "LifeCycle: {Stage: {from: StageName, values: {Qualification: Qualified, Closed Won: Launched}}}"
    problem = problem_at(mapped(tree, {"StageName": "Qualifcation"}), "LifeCycle.Stage")
    assert "'Qualifcation' is not in the mapping's list of values" in problem.message
    assert problem.cure == "Did you mean 'Qualification'?"


def test_a_problem_in_a_list_has_the_index_that_aws_sees() -> None:
    result = mapped(CONTACTS, {"One__c": "", "Two__c": "no mail", "Two_Name__c": "Two"})
    assert result.opportunity["OpportunityTeam"] == [{"LastName": "Two", "BusinessTitle": "OpportunityOwner"}]
    assert problem_at(result, "OpportunityTeam[0].Email").salesforce_field == "Two__c"


@pytest.mark.parametrize(
    ("country", "told"),
    [
        ("Germany", []),
        ("", ["Customer.Account.Address.CountryCode"]),
        ("Nowhere", ["Customer.Account.Address.CountryCode"]),
    ],
)
def test_a_local_phone_number_is_no_problem_of_its_own_where_the_country_is_one(country: str, told: list[str]) -> None:
    rows = [{"Contact": {"LastName": name, "Phone": "089 1234567"}} for name in ("Boyle", "Ortiz")]
    result = mapped(CONTACTS, {"Account": {"Name": "Acme"}, "Country__c": country, "Roles__r": rows})
    wanted = ("Contacts", "CountryCode")
    assert [problem.path for problem in result.problems if any(word in problem.path for word in wanted)] == told


def test_a_phone_number_that_is_wrong_in_its_country_is_told() -> None:
    rows = [{"Contact": {"LastName": "Boyle", "Phone": "1"}}]
    result = mapped(CONTACTS, {"Account": {"Name": "Acme"}, "Country__c": "DE", "Roles__r": rows})
    assert problem_at(result, "Customer.Contacts[0].Phone").salesforce_field == "Roles__r.Contact.Phone"


@pytest.mark.parametrize(
    ("leaf", "record", "words"),
    [
        ("Account", {"Account": {"Name": None}}, "not one value but a record"),
        ("{from: 'R__r[].Name'}", {"R__r": [{"Name": "a"}, {"Name": None}]}, "AWS takes one"),
        ("{from: \"join(', ', A__c)\"}", {"A__c": None}, "cannot be applied to this record"),
        ("{template: '{Account}'}", {"Account": {"Name": "x"}}, "not one value but a record"),
        ("{from: A__c, transform: trim}", {"A__c": {"x": 1}}, "structure"),
        ("{from: A__c, when: {field: \"length(B__c)\", is: 2}}", {"A__c": "x", "B__c": None}, "cannot be applied"),
    ],
)  # fmt: skip
def test_what_is_no_value_becomes_a_problem_and_is_not_sent(leaf: str, record: dict[str, Any], words: str) -> None:
    result = mapped(f"Project: {{Title: {leaf}}}", record)
    assert words in problem_at(result, "Project.Title").message
    assert "Project" not in result.opportunity


def test_associations_are_split_stripped_and_unique() -> None:
    sections = (
        "associate: {Solutions: {from: S__c, transform: split}, AwsProducts: {from: P__r, when: {field: X, is: y}}}"
    )
    result = mapped("Project: {Title: Name}", {"S__c": " S-0000001 ;S-0000002;S-0000001"}, sections)
    assert result.associations == (Association("Solutions", "S-0000001"), Association("Solutions", "S-0000002"))
    assert result.origins["RelatedEntityIdentifiers.AwsProducts"].label == "P__r"


SUBMISSION = "submission: {when: Ready__c = TRUE, InvolvementType: {from: I__c, default: Co-Sell}, Visibility: V__c}"


@pytest.mark.parametrize(
    ("record", "submission"),
    [
        ({}, None),
        ({"Ready__c": False}, None),
        ({"ready__C": True}, {"InvolvementType": "Co-Sell"}),
        ({"Ready__c": True, "V__c": "Full"}, {"InvolvementType": "Co-Sell", "Visibility": "Full"}),
    ],
)
def test_the_submission_waits_for_its_condition(record: dict[str, Any], submission: dict[str, str] | None) -> None:
    result = mapped("Project: {Title: Name}", record, SUBMISSION)
    assert result.submission == submission
    assert any(problem.blocks == "submit" for problem in result.problems) is (submission is not None)


def test_a_problem_of_the_submission_blocks_only_the_submission() -> None:
    sections = SUBMISSION.replace("V__c", "{from: V__c, values: {a: Full}}")
    result = mapped("Project: {Title: Name}", {"Ready__c": True, "V__c": "b", "I__c": "Co-sell"}, sections)
    assert problem_at(result, "AwsSubmission.Visibility").blocks == "submit"
    assert problem_at(result, "AwsSubmission.InvolvementType").blocks == "submit"
    assert problem_at(result, "Customer.Account.CompanyName").blocks == "create"


def test_a_result_survives_json() -> None:
    record = {"Account": {"Name": "Ünit \ud83d"}, "Roles__r": [{"Contact": {"LastName": "x", "Email": "?"}}]}
    result = mapped(CONTACTS, record, SUBMISSION)
    again = Mapped.from_json(json.loads(json.dumps(result.to_json())))
    assert again == result
    assert again.fingerprint == result.fingerprint


def test_the_fingerprint_changes_with_what_is_sent_and_with_nothing_else() -> None:
    first = mapped("Project: {Title: Name}", {"Name": "x", "Other": 1})
    assert mapped("Project: {Title: Name}", {"Name": "x", "Other": 2}).fingerprint == first.fingerprint
    assert mapped("Project: {Title: Name}", {"Name": "y", "Other": 1}).fingerprint != first.fingerprint
    solution = "associate: {Solutions: {from: Other, transform: split}}"
    assert mapped("Project: {Title: Name}", {"Name": "x", "Other": "S-1"}, solution).fingerprint != first.fingerprint


# The shipped mapping on records as odd as they come.

SHIPPED = Path(__file__).parents[2] / "mappings" / "opportunity.yaml"


def shipped() -> CompiledMapping:
    mapping, problems = compile_mapping(yamlfile.read(SHIPPED), mapping_shapes(), transforms())
    assert mapping is not None, problems
    return mapping


MAPPING = shipped()
KNOWN_TEXTS = sorted(
    {text for leaf in MAPPING.leaves for text in (leaf.values or ())}
    | {"US", "Deutschland", "NY", "Co-Sell", "Marketing Activity", "2027-02-15", "a@b.example", "+1 512 757 6000"}
    | {
        "089 1234567",
        "www.acme.example",
        "S-0000001;S-0000002",
        ";",
        "<p></p>",
        "1,234.5",
        "true",
        "aws-eusc",
        "\ud83d",
    }
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(KNOWN_TEXTS)
    | st.text(max_size=30)
)
ODD = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
)


def nested(paths: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Records with a value, an odd one or none at each of these paths."""
    own = {path: st.one_of(SCALARS, ODD) for path in paths if "." not in path}
    parents = {path.partition(".")[0] for path in paths if "." in path}
    inner = {
        parent: st.none() | nested(tuple(p.partition(".")[2] for p in paths if p.startswith(f"{parent}.")))
        for parent in parents
    }
    return st.fixed_dictionaries({}, optional={**own, **inner})


RECORDS = st.builds(
    lambda own, rows: {**own, "OpportunityContactRoles": rows},
    nested(MAPPING.selection.fields),
    st.none() | ODD | st.lists(st.none() | nested(MAPPING.selection.children["OpportunityContactRoles"]), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.dates(date(2026, 1, 1), date(2028, 1, 1)))
def test_no_record_breaks_the_shipped_mapping(record: dict[str, Any], today: date) -> None:
    result = map_record(MAPPING, record, today)
    json.dumps(result.to_json())
    assert Mapped.from_json(result.to_json()).fingerprint == result.fingerprint
    assert empties_of(result.opportunity) == []
    assert empties_of(result.submission or {}) == []
    told = {problem.path for problem in result.problems}
    assert {problem.path for problem in schema.check(result.opportunity, MAPPING.shape)} <= told
    assert all(path in result.origins for path in scalars_of(result.opportunity) if path)
    assert all(problem.message and problem.cure for problem in result.problems)
    assert all(problem.line for problem in result.problems if not problem.path.startswith("Project.ExpectedCustomerS"))
    assert len(told) == len(result.problems)


def empties_of(value: Any, path: str = "") -> list[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [f"{path}.{name}" for name, item in inner if item in (None, "", [], {})]
    return found + [p for name, item in inner for p in empties_of(item, f"{path}.{name}")]


def test_what_no_problem_is_told_of_fits_awss_table() -> None:
    given_record = MAPPING.cases[0].given
    result = map_record(MAPPING, given_record, TODAY)
    assert result.problems == ()
    assert schema.check(result.opportunity, MAPPING.shape) == []


def test_names_ignore_case_where_salesforce_does() -> None:
    mapping = compiled("Project: {Title: ACCOUNT.name}")
    assert map_record(mapping, {"account": {"NAME": "x"}}, TODAY).opportunity == {"Project": {"Title": "x"}}
