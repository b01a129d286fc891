"""What of a Salesforce field a mapping cannot use, and what of a fact a field cannot show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.adapters.partner_central import mapping_shapes
from connector.core.fact_fit import fact_at, facts_of_inbound, misfits_of_fact
from connector.core.fit import Misfit, listed, misfits_of_comparison, misfits_of_leaf, misfits_of_when
from connector.core.mapping.nodes import Leaf, leaves_of
from connector.ports import FieldInfo
from tests.core.small_mapping import compiled

SHAPES = mapping_shapes()
ROOTS = {
    "opportunity": SHAPES.opportunity,
    "aws": SHAPES.aws,
    "task": SHAPES.task,
    "invitation": SHAPES.invitation_answer,
}


BESIDE = {"Account": "CompanyName: Name", "ExpectedContractDuration": "Term: {value: Months}"}
"""What AWS requires beside some other member."""


def leaf_at(path: str, line: str) -> Leaf:
    """The leaf of a small mapping at an AWS path, made from ``line``."""
    *steps, last = path.split(".")
    tree = ""
    for depth, step in enumerate(steps):
        tree += f"{'  ' * depth}{step}:\n"
        if step in BESIDE and not BESIDE[step].startswith(f"{last}:"):
            tree += f"{'  ' * (depth + 1)}{BESIDE[step]}\n"
    tree += f"{'  ' * len(steps)}{last}: {line}"
    return next(leaf for leaf in leaves_of(compiled(tree).tree) if leaf.path == path)


def picklist(*values: str, kind: str = "picklist", restricted: bool = False) -> FieldInfo:
    return FieldInfo("F__c", kind, 255, picklist=values, restricted=restricted)


def summed(misfits: tuple[Misfit, ...]) -> list[tuple[str, str]]:
    return [(str(misfit.severity), misfit.kind) for misfit in misfits]


STAGE = "{from: F__c, values: {Open: Prospect, Won: Launched, Never: }}"


@pytest.mark.parametrize(
    ("path", "line", "field", "expected"),
    [
        ("LifeCycle.Stage", STAGE, picklist("Open", "WON", "Never"), []),
        ("LifeCycle.Stage", STAGE, picklist("Open", "Lost"), [("warning", "picklist")]),
        ("LifeCycle.Stage", "{from: F__c, values: {Open: Prospect}, otherwise: Qualified}", picklist("Lost"), []),
        ("LifeCycle.Stage", "F__c", picklist("Prospect", "Qualified"), []),
        ("LifeCycle.Stage", "F__c", picklist("Prospect", "Lost"), [("warning", "picklist")]),
        ("LifeCycle.Stage", "F__c", picklist(), []),
        ("LifeCycle.Stage", "{from: F__c, when: {field: F__c, is_not: Lost}}", picklist("Prospect", "Lost"), []),
        ("LifeCycle.Stage", "{from: F__c, when: {field: G__c, is: Lost}}", picklist("Lost"), [("warning", "picklist")]),
        ("LifeCycle.Stage", "{from: [E__c, F__c]}", picklist("Lost"), [("warning", "picklist")]),
        ("Project.Title", "F__c", picklist("Anything"), []),
        ("Project.Title", '{template: "{F__c} of {G__c}"}', picklist("Anything"), []),
        ("LifeCycle.Stage", '{template: "{F__c} of {G__c}"}', picklist("Anything"), []),
        ("LifeCycle.Stage", '{template: "{F__c}"}', picklist("Lost"), [("warning", "picklist")]),
        ("LifeCycle.Stage", '{from: "Rows__r[0].F__c"}', picklist("Lost"), [("warning", "picklist")]),
        ("LifeCycle.Stage", '{from: "Rows__r[?Main__c].F__c | [0]"}', picklist("Lost"), []),
        ("Customer.Account.Address.CountryCode", "{from: F__c, transform: country_code}", picklist("Germany"), []),
        (
            "Customer.Account.Address.CountryCode",
            "{from: F__c, transform: country_code}",
            picklist("Germany", "Atlantis"),
            [("warning", "picklist")],
        ),
        (
            "Project.DeliveryModels",
            "{from: F__c, transform: split}",
            picklist("Resell", "Other", kind="multipicklist"),
            [],
        ),
        (
            "Project.DeliveryModels",
            "{from: F__c, transform: split}",
            picklist("Resell", "Rent", kind="multipicklist"),
            [("warning", "picklist")],
        ),
        (
            "Project.DeliveryModels",
            "F__c",
            picklist("Resell", "Other", kind="multipicklist"),
            [("error", "field-type")],
        ),
        ("LifeCycle.Stage", "F__c", picklist("Prospect", "Qualified", kind="multipicklist"), [("warning", "picklist")]),
    ],
)
def test_every_active_value_of_a_picklist_must_become_something_that_aws_takes(
    path: str, line: str, field: FieldInfo, expected: list[tuple[str, str]]
) -> None:
    leaf = leaf_at(path, line)
    source = next(one for one in leaf.paths if "F__c" in one.text)
    assert summed(misfits_of_leaf(leaf, source, field)) == expected


def test_the_values_are_listed_with_the_line_to_add() -> None:
    leaf = leaf_at("LifeCycle.Stage", STAGE)
    field = picklist("Open", "Qualifid", "Lost", "Parked", "Dead", "Gone")
    (misfit,) = misfits_of_leaf(leaf, leaf.sources[0], field)
    assert misfit.message == ": 'Qualifid', 'Lost', 'Parked' and 2 other values have no AWS value at LifeCycle.Stage."
    assert misfit.cure.startswith("Add below `values`, with lines such as `Qualifid: Qualified`, or set `otherwise`.")
    plain = leaf_at("LifeCycle.Stage", "F__c")
    (misfit,) = misfits_of_leaf(plain, plain.sources[0], picklist("Prospect", "Xyz"))
    assert misfit.message == ": 'Xyz' has no AWS value at LifeCycle.Stage."
    assert misfit.cure.startswith("Add a list of `values`, with lines such as `Xyz: …`.")


@pytest.mark.parametrize(
    ("path", "line", "field", "expected"),
    [
        ("NationalSecurity", "F__c", FieldInfo("F__c", "boolean"), [("error", "field-type")]),
        ("NationalSecurity", "{from: F__c, transform: yes_no}", FieldInfo("F__c", "boolean"), []),
        ("NationalSecurity", '{from: F__c, values: {"true": Yes, "false": No}}', FieldInfo("F__c", "boolean"), []),
        (
            "NationalSecurity",
            '{from: F__c, values: {"true": Yes}}',
            FieldInfo("F__c", "boolean"),
            [("error", "field-type")],
        ),
        ("LifeCycle.TargetCloseDate", "F__c", FieldInfo("F__c", "date"), []),
        ("LifeCycle.TargetCloseDate", "F__c", FieldInfo("F__c", "datetime"), [("error", "field-type")]),
        ("LifeCycle.TargetCloseDate", "{from: F__c, transform: date}", FieldInfo("F__c", "datetime"), []),
        ("LifeCycle.TargetCloseDate", "F__c", FieldInfo("F__c", "currency"), [("error", "field-type")]),
        ("LifeCycle.Stage", "F__c", FieldInfo("F__c", "double"), [("error", "field-type")]),
        ("LifeCycle.Stage", "F__c", FieldInfo("F__c", "reference", 18), [("error", "field-type")]),
        ("Project.ExpectedContractDuration.Value", "{from: F__c, transform: integer}", FieldInfo("F__c", "double"), []),
        ("Project.Title", "F__c", FieldInfo("F__c", "percent"), []),
        ("PartnerOpportunityIdentifier", "F__c", FieldInfo("F__c", "id", 18), []),
        ("Customer.Account.Address.City", "F__c", FieldInfo("F__c", "address"), [("error", "field-type")]),
        ("Project.Title", "F__c", FieldInfo("F__c", "textarea", 255, html=True), [("warning", "html")]),
        (
            "Project.CustomerBusinessProblem",
            "{from: F__c, transform: [html_text, {truncate: 2000}]}",
            FieldInfo("F__c", "textarea", 32768, html=True),
            [],
        ),
        ("Customer.Account.CompanyName", "F__c", FieldInfo("F__c", "string", 120), []),
        ("Customer.Account.CompanyName", "F__c", FieldInfo("F__c", "string", 121), [("warning", "field-too-long")]),
        (
            "Customer.Account.CompanyName",
            "{from: F__c, transform: {truncate: 120}}",
            FieldInfo("F__c", "string", 255),
            [],
        ),
        (
            "Project.CustomerBusinessProblem",
            "F__c",
            FieldInfo("F__c", "textarea", 32000),
            [("warning", "field-too-long")],
        ),
        ("Project.DeliveryModels", "{from: F__c, transform: split}", FieldInfo("F__c", "string", 255), []),
        ("LifeCycle.Stage", "F__c", FieldInfo("F__c", "string", 255), []),
        ("Customer.Account.Duns", "{from: F__c, transform: duns}", FieldInfo("F__c", "string", 255), []),
    ],
)
def test_types_and_lengths_are_held_against_what_aws_takes(
    path: str, line: str, field: FieldInfo, expected: list[tuple[str, str]]
) -> None:
    leaf = leaf_at(path, line)
    misfits = misfits_of_leaf(leaf, leaf.sources[0], field)
    assert summed(misfits) == expected
    assert all(misfit.message and misfit.cure for misfit in misfits)


STATE = "{from: F__c, transform: us_state, when: {path: Customer.Account.Address.CountryCode, is: US}}"


@pytest.mark.parametrize(
    ("line", "values", "is_dependent", "is_told"),
    [
        (STATE, ("CA", "ON"), True, False),
        (STATE, ("CA", "ON"), False, True),
        (STATE, ("ON", "QC"), True, True),
        ("{from: F__c, transform: us_state}", ("CA", "ON"), True, True),
        ("{from: F__c, transform: us_state, when: {field: RecordType.Name, is: US}}", ("CA", "ON"), False, False),
        ("{from: F__c, transform: us_state, when: {field: F__c, is: CA}}", ("CA", "ON"), True, False),
        ("{from: F__c, transform: us_state, when: {field: F__c, present: true}}", ("CA", "ON"), True, True),
    ],
)
def test_states_of_other_countries_are_none_of_a_leaf_that_waits_for_one(
    line: str, values: tuple[str, ...], is_dependent: bool, is_told: bool
) -> None:
    tree = f"Customer: {{Account: {{CompanyName: A__c, Address: {{CountryCode: C__c, StateOrRegion: {line}}}}}}}"
    leaf = next(one for one in leaves_of(compiled(tree).tree) if one.path.endswith("StateOrRegion"))
    field = replace(picklist(*values), dependent=is_dependent)
    assert bool(misfits_of_leaf(leaf, leaf.sources[0], field)) == is_told


@pytest.mark.parametrize("line", ["F__c", "{from: F__c, transform: {truncate: 10}}"])
def test_a_field_of_which_no_text_is_long_enough_is_told(line: str) -> None:
    leaf = leaf_at("Project.CustomerBusinessProblem", line)
    (misfit,) = misfits_of_leaf(leaf, leaf.sources[0], FieldInfo("F__c", "string", 19 if line == "F__c" else 255))
    assert (misfit.severity, misfit.kind) == ("error", "field-too-short")
    assert misfit.message.startswith(
        f"gives {19 if line == 'F__c' else 10} characters at most, and AWS wants at least 20"
    )


def test_the_length_that_aws_takes_is_told() -> None:
    leaf = leaf_at("Project.CustomerBusinessProblem", "F__c")
    (misfit,) = misfits_of_leaf(leaf, leaf.sources[0], FieldInfo("F__c", "textarea", 32000))
    assert misfit.message.startswith("takes 32000 characters, and AWS 2000 at Project.CustomerBusinessProblem")
    assert misfit.cure == "Add the transform {truncate: 2000}, or make the field shorter."


@pytest.mark.parametrize(
    ("test", "field", "expected"),
    [
        ("is: open", picklist("Open", "Lost"), ""),
        ("is: Opne", picklist("Open", "Lost"), "Did you mean 'Open'?"),
        ("not_in: [Open, Won]", picklist("Open", "Lost"), "Its values are 'Open' and 'Lost'."),
        ("is: Opne", picklist(), ""),
        ("is: Opne", FieldInfo("F__c", "string", 80), ""),
        ("is: Yes", FieldInfo("F__c", "boolean"), "Its values are 'true' and 'false'."),
        ("present: true", picklist("Open"), ""),
    ],
)
def test_a_leaf_tests_for_values_that_its_field_has(test: str, field: FieldInfo, expected: str) -> None:
    when = leaf_at("Project.Title", f"{{from: Name, when: {{field: F__c, {test}}}}}").when
    assert when is not None
    assert [misfit.cure for misfit in misfits_of_when(when, field)] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("operator", "values", "field", "is_told"),
    [
        ("=", ("open",), picklist("Open"), False),
        ("!=", ("Won",), picklist("Open"), True),
        ("NOT IN", ("Open", "Won"), picklist("Open"), True),
        ("LIKE", ("W%",), picklist("Open"), False),
        ("=", (None,), picklist("Open"), False),
        ("=", ("",), picklist("Open"), False),
        ("INCLUDES", ("A;B", "C"), picklist("A", "B", "C", kind="multipicklist"), False),
        ("INCLUDES", ("A;D",), picklist("A", "B", "C", kind="multipicklist"), True),
        ("=", ("Won",), FieldInfo("F__c", "string"), False),
    ],
)
def test_a_condition_compares_with_values_that_its_field_has(
    operator: str, values: tuple[str | None, ...], field: FieldInfo, is_told: bool
) -> None:
    assert bool(misfits_of_comparison(operator, values, field)) == is_told


def test_many_values_are_counted() -> None:
    assert listed(["a"]) == "'a'"
    assert listed(["a", "b"]) == "'a' and 'b'"
    assert listed(["a", "b", "c", "d"]) == "'a', 'b', 'c' and 'd'"
    assert listed(["a", "b", "c", "d", "e"]) == "'a', 'b', 'c' and 2 other values"


REVIEW = "opportunity.LifeCycle.ReviewStatus"
REVIEWS = ("Pending Submission", "Submitted", "In review", "Approved", "Rejected", "Action Required")


@pytest.mark.parametrize(
    ("fact", "field", "expected"),
    [
        ("opportunity.Id", FieldInfo("F__c", "string", 20), []),
        ("opportunity.Id", FieldInfo("F__c", "string", 19), [("error", "field-too-short")]),
        ("task.TaskId", FieldInfo("F__c", "string", 17), [("error", "field-too-short")]),
        ("task.EngagementId", FieldInfo("F__c", "string", 18), []),
        ("task.EngagementId", FieldInfo("F__c", "string", 17), [("error", "field-too-short")]),
        ("task.TaskArn", FieldInfo("F__c", "string", 80), [("error", "field-too-short")]),
        ("invitation.Id", FieldInfo("F__c", "string", 18), []),
        (REVIEW, FieldInfo("F__c", "string", 18), []),
        (REVIEW, FieldInfo("F__c", "string", 17), [("warning", "field-too-short")]),
        ("sync.status", FieldInfo("F__c", "string", 10), [("warning", "field-too-short")]),
        ("sync.message", FieldInfo("F__c", "string", 255), [("warning", "field-too-short")]),
        ("sync.message", FieldInfo("F__c", "textarea", 32768), []),
        ("task.StartTime", FieldInfo("F__c", "datetime"), []),
        ("task.StartTime", FieldInfo("F__c", "string", 40), []),
        ("sync.at", FieldInfo("F__c", "date"), [("warning", "field-type")]),
        ("sync.at", FieldInfo("F__c", "double"), [("error", "field-type")]),
        ("opportunity.LifeCycle.TargetCloseDate", FieldInfo("F__c", "date"), []),
        ("opportunity.LifeCycle.TargetCloseDate", FieldInfo("F__c", "datetime"), []),
        ("opportunity.LifeCycle.TargetCloseDate", FieldInfo("F__c", "currency"), [("error", "field-type")]),
        ("opportunity.LifeCycle.Stage", FieldInfo("F__c", "date"), [("error", "field-type")]),
        ("opportunity.NationalSecurity", FieldInfo("F__c", "boolean"), []),
        ("aws.Insights.EngagementScore", FieldInfo("F__c", "double"), [("error", "field-type")]),
        ("aws.Insights.OpportunityQuality.Score", FieldInfo("F__c", "double"), []),
        ("opportunity.SoftwareRevenue.Value.Amount", FieldInfo("F__c", "currency"), []),
        ("opportunity.Project.ExpectedContractDuration.Value", FieldInfo("F__c", "double"), []),
        ("aws.SoftwareRevenue.EffectiveDate", FieldInfo("F__c", "date"), []),
        ("opportunity.Id", FieldInfo("F__c", "reference", 18), [("error", "field-type")]),
        ("aws.OpportunityTeam[PDM].Name", FieldInfo("F__c", "string", 121), []),
        ("aws.OpportunityTeam[PDM].Name", FieldInfo("F__c", "string", 80), [("warning", "field-too-short")]),
        ("aws.OpportunityTeam[PDM].Email", FieldInfo("F__c", "email", 80), []),
        ("aws.OpportunityTeam[PDM].LastName", FieldInfo("F__c", "email", 80), [("error", "field-type")]),
        ("aws.OpportunityTeam.Email", FieldInfo("F__c", "email", 80), [("error", "field-type")]),
        (REVIEW, picklist(*REVIEWS, restricted=True), []),
        (REVIEW, picklist(*map(str.upper, REVIEWS), restricted=True), []),
        (REVIEW, picklist(*REVIEWS[:-1], restricted=True), [("error", "field-type")]),
        (REVIEW, picklist(*REVIEWS[:-1]), []),
        ("sync.message", picklist("Fine", restricted=True), [("error", "field-type")]),
        ("opportunity.Project.CustomerUseCase", picklist("Storage", restricted=True), []),
        ("opportunity.Project.DeliveryModels", picklist("Resell"), [("error", "field-type")]),
        ("opportunity.Project.DeliveryModels", picklist("Resell", kind="multipicklist"), []),
        ("opportunity.Project.DeliveryModels", FieldInfo("F__c", "boolean"), [("error", "field-type")]),
        ("opportunity.Project.DeliveryModels", FieldInfo("F__c", "string", 40), [("warning", "field-too-short")]),
    ],
)
def test_a_field_shows_all_that_a_fact_can_be(fact: str, field: FieldInfo, expected: list[tuple[str, str]]) -> None:
    misfits = misfits_of_fact(fact_at(fact, ROOTS), field)
    assert summed(misfits) == expected
    assert all(misfit.message and misfit.cure for misfit in misfits)


def test_what_a_restricted_picklist_lacks_is_named() -> None:
    (misfit,) = misfits_of_fact(fact_at(REVIEW, ROOTS), picklist(*REVIEWS[:-2], restricted=True))
    wanted = f"is a restricted picklist without 'Rejected' and 'Action Required', which {REVIEW} can be."
    assert misfit.message == wanted
    assert misfit.cure == "Add what is missing to the picklist, or make it a Text(18) or longer."


@pytest.mark.parametrize(
    ("line", "field", "expected"),
    [
        ("opportunity.LifeCycle.Stage", FieldInfo("F__c", "string", 10), [("warning", "field-too-short")]),
        (
            "{from: aws.LifeCycle.Stage, values: {Qualified: Hot}, otherwise: Cold}",
            picklist("Hot", "Cold", restricted=True),
            [],
        ),
        (
            "{from: aws.LifeCycle.Stage, values: {Qualified: Hot}, otherwise: Cold}",
            picklist("Hot", restricted=True),
            [("error", "field-type")],
        ),
        (
            "{from: aws.InvolvementType, values: {Co-Sell: true, For Visibility Only: false}}",
            FieldInfo("F__c", "boolean"),
            [],
        ),
        ("{from: aws.Visibility, transform: upper}", picklist("FULL", "LIMITED", restricted=True), []),
        ("{from: aws.Visibility, transform: lower}", picklist("full", restricted=True), [("error", "field-type")]),
        ("{from: aws.LifeCycle.NextSteps, transform: upper}", FieldInfo("F__c", "string", 20), []),
        (
            "{from: [aws.LifeCycle.NextSteps, opportunity.LifeCycle.NextSteps]}",
            FieldInfo("F__c", "date"),
            [("error", "field-type"), ("error", "field-type")],
        ),
    ],
)
def test_an_inbound_field_takes_what_its_line_makes_of_the_fact(
    line: str, field: FieldInfo, expected: list[tuple[str, str]]
) -> None:
    (entry,) = compiled("Project: {Title: Name}", f"inbound:\n  F__c: {line}\n").inbound
    found = [misfit for fact in facts_of_inbound(entry, ROOTS) for misfit in misfits_of_fact(fact, field)]
    assert summed(tuple(found)) == expected
