"""What ``connector check`` finds in a Salesforce org: everything that does not fit the mapping, in one run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from connector import yamlfile
from connector.app import SALESFORCE_CALLS, App
from connector.checks.org import check_org
from connector.checks.org_fields import Objects
from connector.checks.org_uses import Place, Use
from connector.checks.report import Checked
from connector.core.findings import Finding, Severity, in_order
from connector.errors import Unavailable
from connector.ports import FieldInfo, Organization
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.rules import WireFault
from connector.sandbox.salesforce.schema import read_fields
from tests.world import ENVIRONMENT, INVITING, ROW, World, quick_starts, world

ROOT = Path(__file__).parents[1]
OPPORTUNITY, INVITATIONS = INVITING
NAME = "sandbox"


@pytest.fixture(scope="module", autouse=True)
def quickly() -> Iterator[None]:
    """Nothing is read twice from disk: neither mapping nor model."""
    with quick_starts(), mock.patch.object(yamlfile, "read", cache(yamlfile.read)):
        yield


@pytest.fixture(name="inviting")
def inviting_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An org, and a connector with the shipped mapping and its invitations."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with world(tmp_path, mapping=INVITING) as made:
        yield made


@pytest.fixture(name="calm", scope="module")
def calm_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for all tests that leave org and ledger as they were."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with world(tmp_path_factory.mktemp("calm")) as made:
            yield made


def look(world: World, app: App | None = None) -> tuple[Checked, ...]:
    app = app or world.app()
    return check_org(app, app.contexts[NAME])


def problems(checked: tuple[Checked, ...]) -> list[Finding]:
    return in_order([finding for one in checked for finding in one.problems])


def findings(checked: tuple[Checked, ...], kind: str) -> list[Finding]:
    return [finding for one in checked for finding in one.findings if finding.kind == kind]


def place_of(file: str, text: str) -> tuple[int, int]:
    """Line and column of the only line of a shipped mapping that has this text, "…" for what stands before it."""
    above, _, wanted = text.rpartition("…")
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if above in line) if above else 0
    number = next(number for number in range(start, len(lines)) if lines[number].strip().startswith(wanted))
    indent = len(lines[number]) - len(lines[number].lstrip())
    return number + 1, indent + 1


def add_values(org: Org, sobject: str, name: str, *values: str, **changes: Any) -> None:
    """An admin adds values to a picklist."""
    known = org.schema.get(sobject).fields[name.lower()].values
    org.change_field(sobject, name, values=(*known, *((value, value) for value in values)), **changes)


# a clean org


def test_a_clean_org_has_nothing_above_a_note(calm: World) -> None:
    checked = look(calm)
    assert problems(checked) == []
    assert "Salesforce: Opportunity.AWS_Business_Problem__c" in {one.name for one in checked}
    assert {one.suite for one in checked} == {"connection sandbox"}


def test_a_clean_org_has_nothing_above_a_note_with_invitations(inviting: World) -> None:
    checked = look(inviting)
    assert problems(checked) == []
    names = {one.name for one in checked}
    assert {f"Salesforce: {ROW}.Message__c", "Salesforce: User.Title", "Salesforce: Contact.Email"} <= names


def test_it_reads_each_description_once_and_writes_nothing(inviting: World) -> None:
    app = inviting.app()
    before = inviting.ledger_content
    look(inviting, app)
    calls = [label for label, _ in inviting.sandbox.org.calls]
    assert calls.count("POST composite") == 2
    assert calls.count("GET sobjects/{name}/describe") == len(calls) - 2 == 7
    assert app.ledger.watermark(NAME, "organization") == ""
    assert inviting.ledger_content == before


# what is planted in the org

NEW_STAGES = ("Parked", "Renewal", "On Hold", "Won back", "Dormant")
PLANTED: list[tuple[str, str, str, str, str, str]] = [
    # file, where it stands, severity, kind, field, words of the message
    (OPPORTUNITY, "CustomerBusinessProblem:", "error", "field-missing", "AWS_Business_Problem__c", "hidden"),
    (OPPORTUNITY, "CountryCode:", "error", "field-missing", "Account.BillingCountry", "Account.BillingCountry does"),
    (
        OPPORTUNITY,
        "Contacts:…Email:",
        "error",
        "field-missing",
        "OpportunityContactRoles.Contact.Email",
        "Contact.Email",
    ),
    (OPPORTUNITY, "CampaignName:", "error", "relationship-missing", "Campaign.Name", "no relationship Campaign"),
    (OPPORTUNITY, "AWS_Review_Status__c:", "error", "field-missing", "AWS_Review_Status__c", "does not exist"),
    (OPPORTUNITY, "AWS_Task_Id__c:", "error", "field-read-only", "AWS_Task_Id__c", "may not be edited"),
    (OPPORTUNITY, "AWS_Synced_At__c:", "error", "field-read-only", "AWS_Synced_At__c", "is a formula"),
    (OPPORTUNITY, "AWS_Opportunity_Id__c:", "error", "field-too-short", "AWS_Opportunity_Id__c", "can have 20"),
    (OPPORTUNITY, "AWS_Stage__c:", "warning", "field-too-short", "AWS_Stage__c", "takes 10 characters"),
    (OPPORTUNITY, "AWS_Sync_Status__c:", "error", "field-type", "AWS_Sync_Status__c", "without 'Held' and 'Stopped'"),
    (OPPORTUNITY, "AWS_Task_Start_Time__c:", "error", "field-type", "AWS_Task_Start_Time__c", "type double"),
    (OPPORTUNITY, "AWS_Close_Date__c:", "error", "field-type", "AWS_Close_Date__c", "a date"),
    (OPPORTUNITY, "CompetitorName:", "error", "field-type", "AWS_Competitor__c", "is a checkbox"),
    (OPPORTUNITY, "OpportunityType:", "warning", "picklist", "Type", "Opportunity.Type: 'Renewal' has no AWS value"),
    (OPPORTUNITY, "Stage:", "warning", "picklist", "StageName", "'Parked', 'Renewal', 'On Hold' and 2 other values"),
    (OPPORTUNITY, "Industry:", "warning", "picklist", "Account.Industry", "'Space' has no AWS value at Customer"),
    (OPPORTUNITY, "DeliveryModels:", "warning", "picklist", "AWS_Delivery_Models__c", "'Rent'"),
    (OPPORTUNITY, "PrimaryNeedsFromAws:", "warning", "picklist", "AWS_Involvement__c", "'For Visibility Only'"),
    (OPPORTUNITY, "PostalCode:", "warning", "field-too-long", "Account.BillingPostalCode", "takes 80 characters"),
    (OPPORTUNITY, "OtherSolutionDescription:", "warning", "html", "AWS_Other_Solution__c", "rich text"),
    (INVITATIONS, "Message:", "error", "field-missing", "AWS_Partner_Invitations__r.Message__c", f"{ROW}.Message__c"),
    (
        INVITATIONS,
        "ReceiverResponsibilities:",
        "warning",
        "picklist",
        "AWS_Partner_Invitations__r.Responsibilities__c",
        "",
    ),
    (INVITATIONS, "Invitation_Id__c:", "error", "field-too-short", "AWS_Partner_Invitations__r.Invitation_Id__c", "18"),
    (
        INVITATIONS,
        "Rejection_Reason__c:",
        "error",
        "field-read-only",
        "AWS_Partner_Invitations__r.Rejection_Reason__c",
        "",
    ),
]


def plant(org: Org) -> None:
    """Everything that can be wrong in an org, and some things that only look like it."""
    for name in ("AWS_Business_Problem__c", "CampaignId"):
        org.hide_field("Opportunity", name)
    org.hide_field("Account", "BillingCountry")
    org.hide_field("Contact", "Email")
    org.remove_field("Opportunity", "AWS_Review_Status__c")
    org.protect_field("Opportunity", "AWS_Task_Id__c")
    org.change_field("Opportunity", "AWS_Synced_At__c", formula=True, updateable=False)
    org.change_field("Opportunity", "AWS_Opportunity_Id__c", length=15)
    org.change_field("Opportunity", "AWS_Stage__c", length=10)
    shown = tuple((value, value) for value in ("Pending", "In progress", "Synced"))
    org.change_field("Opportunity", "AWS_Sync_Status__c", type="picklist", length=255, restricted=True, values=shown)
    org.change_field("Opportunity", "AWS_Task_Start_Time__c", type="double", precision=18)
    org.change_field("Opportunity", "AWS_Close_Date__c", type="boolean")
    org.change_field("Opportunity", "AWS_Competitor__c", type="boolean", values=())
    add_values(org, "Opportunity", "Type", "Renewal")
    add_values(org, "Opportunity", "StageName", *NEW_STAGES, "Long gone", inactive=frozenset({"Long gone"}))
    add_values(org, "Account", "Industry", "Space")
    add_values(org, "Opportunity", "AWS_Delivery_Models__c", "Rent")
    org.change_field("Opportunity", "AWS_Involvement__c", values=(("Co-Sell", "Co-Sell"),))
    org.change_field("Account", "BillingPostalCode", length=80)
    org.change_field("Opportunity", "AWS_Other_Solution__c", type="textarea", length=32768, html=True)
    org.change_field("Opportunity", "AWS_Software_Effective__c", type="datetime")  # the mapping makes a date of it
    org.change_field("Opportunity", "AWS_Other_Competitors__c", type="textarea", length=32768)  # truncated there
    org.protect_field("Opportunity", "AWS_Primary_Needs__c")  # only read
    org.hide_field("Opportunity", "IsPrivate")  # not used
    org.hide_field(ROW, "Message__c")
    add_values(org, ROW, "Responsibilities__c", "Consultant")
    org.change_field(ROW, "Invitation_Id__c", length=10)
    org.protect_field(ROW, "Rejection_Reason__c")


def test_everything_that_is_planted_is_found_in_one_run_and_nothing_else(inviting: World) -> None:
    plant(inviting.sandbox.org)
    found = problems(look(inviting))
    expected = {
        (severity, kind, field, file, *place_of(file, text)) for file, text, severity, kind, field, _ in PLANTED
    }
    told = {(str(one.severity), one.kind, one.salesforce_field, one.file, one.line, one.column) for one in found}
    assert told == expected
    assert len(found) == len(PLANTED)
    for *_, kind, field, words in PLANTED:
        (one,) = [one for one in found if (one.kind, one.salesforce_field) == (kind, field)]
        assert words in one.message
        assert one.cure
        assert one.connection == NAME
        assert one.aws_path


def test_a_hidden_object_is_told_once_with_every_place_that_needs_it(inviting: World) -> None:
    org = inviting.sandbox.org
    seen = [kind.name for kind in org.schema if kind.name not in {"Campaign", "Contact", ROW}]
    fields = {(kind.name, field.name): True for kind in org.schema for field in kind.fields.values()}
    org.permissions.restrict(dict.fromkeys(seen, ("read", "edit")), fields)
    found = {one.message.split(" does ")[0]: one for one in problems(look(inviting))}
    relationship = "The child relationship Opportunity.AWS_Partner_Invitations__r"
    assert {name: (one.kind, one.file, one.line, one.column) for name, one in found.items()} == {
        "The object Campaign": ("object-missing", OPPORTUNITY, *place_of(OPPORTUNITY, "CampaignName:")),
        "The object Contact": ("object-missing", OPPORTUNITY, *place_of(OPPORTUNITY, "Contacts:…FirstName:")),
        relationship: ("relationship-missing", INVITATIONS, *place_of(INVITATIONS, "invitations:")),
    }
    first, *_ = place_of(OPPORTUNITY, "Contacts:…FirstName:")
    lines = f"Lines {first + 1}, {first + 2}, {first + 3} and {first + 4} need it too."
    assert found["The object Contact"].message.endswith(lines)
    assert re.search(r"Lines (\d+, ){4}\d+ and \d+ others need it too\.$", found[relationship].message)


# a mapping that names what the org does not have

TYPOS = """\
version: 1
salesforce:
  where: StageName != 'Closed Lots' AND AWS_Sync_Message__c != null
opportunity:
  PartnerOpportunityIdentifier: Id
  Customer:
    Account:
      CompanyName: Acount.Name
      WebsiteUrl: AccountId.Website
      Duns: Amount.Duns
    Contacts:
      each: ContactRoles
      item: {FirstName: Contact.FirstName}
  OpportunityTeam:
    - Email: Owner.Emial
      LastName: Owner.Manager.LastName
      FirstName: {from: Asker__r.FirstName, when: {field: AWS_Submit__c, is: Yes}}
  Project:
    Title: {template: "{Nam} of {Nam}"}
    AdditionalComments: {from: Gone__r.Name, transform: {truncate: 255}}
    OtherSolutionDescription: {from: Nam, transform: {truncate: 255}}
    CustomerUseCase: "OpportunityContactRoles[?Rolle == 'x'].Contact.Title | [0]"
submission:
  when: AWS_Submitt__c = TRUE
  InvolvementType: {value: Co-Sell}
write_back:
  AWS_Sync_Message__c: sync.status
inbound:
  NextStep: opportunity.LifeCycle.NextSteps
"""


@pytest.fixture(name="mistyped")
def mistyped_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "typos.yaml").write_text(TYPOS, encoding="utf-8")
    with world(tmp_path, mapping=("typos.yaml",)) as made:
        asker = "Asker__c | Asker | reference(User) | up:Asker__r\nGone__c | Gone | reference(Gone__c) | up:Gone__r"
        for field in read_fields(asker):
            made.sandbox.org.add_field("Opportunity", field)
        yield made


def test_names_that_the_org_does_not_have_are_told_with_what_was_meant(mistyped: World) -> None:
    found = problems(look(mistyped))
    told = {(one.kind, one.line, one.column): (one.message, one.cure) for one in found}
    expected = {
        ("picklist", 3, 3): ("is compared with 'Closed Lots'", "Did you mean 'Closed Lost'?"),
        ("not-filterable", 3, 3): ("Opportunity.AWS_Sync_Message__c", "long text areas"),
        ("relationship-missing", 8, 7): ("no relationship Acount", "Did you mean 'Account'?"),
        ("relationship-missing", 9, 7): ("no relationship AccountId", "Write Account instead of AccountId"),
        ("relationship-missing", 10, 7): ("no relationship Amount", "Amount is a field"),
        ("relationship-missing", 11, 5): ("Opportunity.ContactRoles does not exist", "Deploy it"),
        ("field-missing", 15, 7): ("User.Emial does not exist", "Did you mean 'Email'?"),
        ("picklist", 17, 7): ("Opportunity.AWS_Submit__c is compared with 'Yes'", "'true' and 'false'"),
        ("field-missing", 19, 5): ("Opportunity.Nam does not exist", "Did you mean 'Name'?"),
        ("object-missing", 20, 5): ("The object Gone__c does not exist", "Deploy it"),
        ("field-missing", 22, 5): ("OpportunityContactRole.Rolle", "Did you mean 'Role'?"),
        ("field-missing", 24, 3): ("Opportunity.AWS_Submitt__c", "Did you mean 'AWS_Submit__c'?"),
    }
    assert told.keys() == expected.keys()
    assert len(found) == len(expected)
    for key, (words, cure) in expected.items():
        assert words in told[key][0], key
        assert cure in told[key][1], key


def test_of_the_owners_of_a_record_the_user_is_meant() -> None:
    described = {
        "Deal__c": [FieldInfo("OwnerId", "reference", relationship_name="Owner", reference_to=("Group", "User"))],
        "Group": [FieldInfo(name, "string") for name in ("Name", "Email")],
        "User": [FieldInfo(name, "string") for name in ("Name", "Email", "FirstName", "LastName")],
    }
    org = mock.Mock(describe=lambda name: {one.name: one for one in described[name]})
    objects = Objects(org, "Deal__c")
    missing = objects.find(Use("Owner.FirstNam", Place("m.yaml", 1, 1)))
    assert (missing.subject, "Did you mean 'FirstName'?" in getattr(missing, "cure", "")) == ("User.FirstNam", True)
    assert objects.find(Use("Owner.FirstName", Place("m.yaml", 1, 1))).subject == "User.FirstName"


def test_the_other_places_that_need_a_missing_field_are_named(mistyped: World) -> None:
    (one,) = [one for one in problems(look(mistyped)) if one.salesforce_field == "Nam"]
    assert one.message.endswith("Line 21 needs it too.")
    (one,) = [one for one in problems(look(mistyped)) if one.message.startswith("The child relationship")]
    assert one.salesforce_field == "ContactRoles.Id"


# the flag


def test_the_flagged_records_are_counted_in_one_call(world: World) -> None:
    for _ in range(3):
        world.opportunity()
    world.opportunity(Share_With_AWS__c=False)
    (note,) = findings(look(world), "flag")
    assert note.message == "3 records are flagged (Share_With_AWS__c = TRUE)."
    assert [label for label, _ in world.sandbox.org.calls][-1] == "POST composite"


def test_one_and_no_flagged_records_have_their_own_words(world: World) -> None:
    app = world.app()
    (note,) = findings(look(world, app), "flag")
    assert note.message.startswith("No record is flagged yet: Share_With_AWS__c = TRUE")
    world.opportunity()
    (note,) = findings(look(world, app), "flag")
    assert note.message == "1 record is flagged (Share_With_AWS__c = TRUE)."


def test_a_hidden_flag_is_told_once_and_nothing_is_counted(world: World) -> None:
    world.sandbox.org.hide_field("Opportunity", "Share_With_AWS__c")
    checked = look(world)
    (one,) = problems(checked)
    assert (one.kind, one.salesforce_field) == ("field-missing", "Share_With_AWS__c")
    assert (one.line, one.column) == place_of(OPPORTUNITY, "where:")
    (flag,) = [one for one in checked if one.name == "Salesforce: flag"]
    assert "Share_With_AWS__c" in flag.skipped


def test_a_field_that_finds_linked_records_must_be_one_that_salesforce_searches(world: World) -> None:
    world.sandbox.org.change_field("Opportunity", "AWS_Sync_Status__c", type="textarea", length=32768)
    (one,) = problems(look(world))
    assert (one.kind, one.severity) == ("not-filterable", Severity.ERROR)
    assert (one.line, one.column) == place_of(OPPORTUNITY, "AWS_Sync_Status__c:")


def test_a_condition_that_salesforce_cannot_judge_is_told_at_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    text = "version: 1\nsalesforce:\n  where: CloseDate > 'soon'\nopportunity:\n  PartnerOpportunityIdentifier: Id\n"
    (tmp_path / "soon.yaml").write_text(text, encoding="utf-8")
    with world(tmp_path, mapping=("soon.yaml",)) as made:
        (one,) = problems(look(made))
    assert (one.severity, one.kind, one.line, one.column) == (Severity.ERROR, "flag", 3, 3)
    assert "CloseDate > 'soon'" in one.message
    assert "single quotes" in one.cure


# who we are there


def test_refused_credentials_are_a_halt_and_end_the_look(world: World) -> None:
    world.sandbox.org.sessions.clients.clear()
    (one,) = look(world)
    (finding,) = one.findings
    assert (finding.severity, finding.kind, finding.connection) == (Severity.HALT, "login", NAME)
    assert finding.cure


def test_an_api_version_that_is_not_served_is_a_halt_with_its_cure(world: World) -> None:
    body = '[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
    fault = WireFault(404, body, "application/json", matches=lambda _method, path: path.endswith("/composite"))
    world.sandbox.org.rules.wire_faults.append(fault)
    (one,) = look(world)
    (finding,) = one.findings
    assert (finding.severity, finding.kind) == (Severity.HALT, "salesforce")
    assert "api_version" in finding.cure


def test_the_org_is_named(calm: World) -> None:
    (note,) = findings(look(calm), "org")
    for words in ("00D000000000001EAA", "Sample Partner", "a sandbox", "66.0"):
        assert words in note.message


@pytest.mark.parametrize(
    ("catalog", "is_sandbox", "words"),
    [
        ("AWS", True, "would become real opportunities"),
        ("Sandbox", False, "production org"),
        ("AWS", False, ""),
        ("Sandbox", True, ""),
    ],
)
def test_a_mixture_of_test_and_production_is_a_warning(
    calm: World, monkeypatch: pytest.MonkeyPatch, catalog: str, is_sandbox: bool, words: str
) -> None:
    text = calm.write_config().read_text(encoding="utf-8").replace("catalog: Sandbox", f"catalog: {catalog}")
    calm.config.write_text(text, encoding="utf-8")
    app = calm.app()
    calm.write_config()  # as the other tests of this module find it
    context = app.contexts[NAME]
    org = replace(context.salesforce.identify(), is_sandbox=is_sandbox)
    monkeypatch.setattr(context.salesforce, "identify", lambda: org)
    found = problems(look(calm, app))
    assert [(one.severity, one.kind) for one in found] == ([(Severity.WARNING, "catalog")] if words else [])
    assert all(words in one.message for one in found)


def test_another_org_than_before_is_a_halt_and_ends_the_look(world: World) -> None:
    app = world.app()
    app.ledger.set_watermark(NAME, "organization", "00D000000000009EAA")
    checked = look(world, app)
    (one,) = problems(checked)
    assert (one.severity, one.kind) == (Severity.HALT, "org")
    assert "the ledger was filled from 00D000000000009EAA" in one.message
    assert len(checked) == 2
    assert app.ledger.watermark(NAME, "organization") == "00D000000000009EAA"


@pytest.mark.parametrize(
    ("seconds", "severity"), [(30, None), (-45, None), (90, "warning"), (-200, "warning"), (400, "error")]
)
def test_a_clock_that_is_off_is_told(
    calm: World, monkeypatch: pytest.MonkeyPatch, seconds: int, severity: str | None
) -> None:
    monkeypatch.setattr(calm.sandbox.org, "clock", lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    found = problems(look(calm))
    assert [str(one.severity) for one in found if one.kind == "clock"] == ([severity] if severity else [])
    if severity:
        assert ("behind" if seconds > 0 else "ahead of") in found[0].message


def test_trouble_with_one_part_does_not_hide_the_others(calm: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app = calm.app()
    salesforce = app.contexts[NAME].salesforce

    def fail(_sobject: str) -> None:
        raise Unavailable("Salesforce had trouble of its own.", "Try again.")

    monkeypatch.setattr(salesforce, "describe", fail)
    checked = look(calm, app)
    (one,) = problems(checked)
    assert (one.severity, one.message, one.cure) == (Severity.HALT, "Salesforce had trouble of its own.", "Try again.")
    assert [len(findings(checked, kind)) for kind in ("org", "clock", "flag", "api-calls")] == [1, 1, 1, 1]


# the allowance


@pytest.mark.parametrize(
    ("limit", "spent", "words"),
    [
        (15_000, 0, ()),
        (2_000, 0, ("share of 500 API calls is less than the 1,440",)),
        (15_000, 3_000, ("has made 3,0",)),
    ],
)
def test_api_calls_that_do_not_last_a_day_are_a_warning(
    world: World, limit: int, spent: int, words: tuple[str, ...]
) -> None:
    world.sandbox.org.usage.limit = limit
    app = world.app()
    if spent:
        app.ledger.add_usage(NAME, SALESFORCE_CALLS, spent, datetime.now(UTC))
    checked = look(world, app)
    assert [str(one.severity) for one in problems(checked)] == ["warning"] * len(words)
    assert all(text in one.message for text, one in zip(words, problems(checked), strict=True))
    note = next(one for one in findings(checked, "api-calls") if one.severity is Severity.NOTE)
    assert f"Of {limit:,} Salesforce API calls" in note.message


def test_an_org_that_others_have_used_up_is_a_warning(world: World) -> None:
    org = world.sandbox.org
    for _ in range(14_000):
        org.usage.spend(org.now())
    (one,) = problems(look(world))
    assert (one.kind, "Others leave fewer" in one.message) == ("api-calls", True)


def test_an_org_without_a_clock_and_a_limit_is_looked_at_all_the_same(
    calm: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = calm.app()
    context = app.contexts[NAME]
    silent = Organization("00D000000000001EAA", "Sample Partner", is_sandbox=True)
    monkeypatch.setattr(context.salesforce, "identify", lambda: silent)
    checked = look(calm, app)
    assert findings(checked, "clock") == []
    assert problems(checked) == []
