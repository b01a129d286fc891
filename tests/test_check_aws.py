"""What ``connector check`` finds at AWS: the sandbox over HTTPS, with STS and IAM beside Partner Central."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from connector import config as configuration
from connector.adapters.partner_central.simulator import principal_of
from connector.app import AWS_ACCOUNT, CATALOG, App
from connector.checks import aws
from connector.checks.aws import check_aws
from connector.checks.report import Checked
from connector.core.actions import Use, needed
from connector.core.findings import Finding, Severity
from connector.sandbox.partner_central.offerings import SOLUTIONS
from tests import databases
from tests.world import ENVIRONMENT, FAST, World, quick_starts, world

ACCOUNT, OTHER = "111122223333", "444455556666"
LIVE_CLOCK = 300.0
WITH_SOLUTIONS = """
version: 1
salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}
opportunity: {PartnerOpportunityIdentifier: Id}
associate:
  Solutions:
    from: Type
    values: {New Customer: S-0001111, Existing Customer: S-0001112}
    otherwise: S-0001119
    default: [Neptune Network Strategies]
"""
PLAIN = WITH_SOLUTIONS.partition("associate:")[0]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One sandbox for all; each mapping is read once only."""
    with quick_starts(), world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(name="world")
def _world(shared: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Services that are as they were at first, and no ledger yet."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    shared.sandbox.service.settings = FAST
    shared.sandbox.service.journal.clear()
    shared.sandbox.faults.clear()
    shared.folder, shared.mapping = tmp_path, ()
    with databases.database(tmp_path) as shared.database:
        shared.write_config()
        yield shared


@pytest.fixture
def identity(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same world, in which STS and IAM are there as well."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", world.sandbox.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_IAM", world.sandbox.url)
    return world


def use(world: World, mapping: str) -> None:
    path = world.folder / f"own{len(mapping)}.yaml"
    path.write_text(mapping, encoding="utf-8")
    world.mapping = (str(path),)
    world.write_config()


def look(world: World, app: App | None = None) -> tuple[Checked, ...]:
    """One check with an application of its own, which has a ledger."""
    app = app or world.app()
    return check_aws(app, app.contexts["sandbox"])


def findings(checked: Sequence[Checked], *severities: Severity) -> list[Finding]:
    found = [finding for one in checked for finding in one.findings]
    return [finding for finding in found if not severities or finding.severity in severities]


def worse(checked: Sequence[Checked]) -> list[Finding]:
    """All that is more than a note."""
    return findings(checked, Severity.HALT, Severity.ERROR, Severity.WARNING)


def told(checked: Sequence[Checked], kind: str) -> list[Finding]:
    return [finding for finding in findings(checked) if finding.kind == kind]


def written(world: World) -> int:
    return world.sandbox.service.writes


# All is well


def test_nothing_is_found_where_all_is_well(identity: World) -> None:
    checked = look(identity)
    assert worse(checked) == []
    notes = " ".join(finding.message for finding in findings(checked))
    assert f"arn:aws:iam::{ACCOUNT}:user/sandbox" in notes
    assert "Partner Central answers in the catalog Sandbox." in notes
    assert "9 of the partner's 9 solutions are active" in notes
    assert "0 of 10000 writes" in notes
    assert "cannot be told" not in notes
    names = {one.name for one in checked}
    assert {"AWS: partnercentral:CreateOpportunity", "AWS: aws-marketplace:DescribeEntity", "AWS: clock"} <= names
    assert {one.suite for one in checked} == {"connection sandbox"}
    assert {finding.connection for finding in findings(checked)} == {"sandbox"}


def test_nothing_is_written_anywhere(identity: World) -> None:
    deal = identity.opportunity()
    identity.settle(deal)
    app = identity.app()
    before, rows = written(identity), identity.calls[1]
    ledger = identity.ledger_content
    service = identity.sandbox.service
    seen = len(service.journal)
    look(identity, app)
    assert written(identity) == before
    assert identity.calls[1] == rows
    assert identity.ledger_content == ledger
    assert {entry.operation for entry in service.journal[seen:]} == set(aws.PROBES) - {
        "ListEngagementResourceAssociations",
        "ListEngagementInvitations",
        "GetEngagementInvitation",
    }


def test_it_goes_without_a_ledger(identity: World) -> None:
    identity.without_ledger()
    app = App(configuration.load(identity.config, ENVIRONMENT))
    checked = look(identity, app)
    assert worse(checked) == []
    assert told(checked, "quota") == []
    assert not identity.has_ledger


# Who we are


def test_what_cannot_be_told_of_the_caller_is_a_note(world: World) -> None:
    checked = look(world)
    (finding,) = told(checked, "identity")
    assert finding.severity is Severity.NOTE
    assert "cannot be told" in finding.message
    (unknown,) = told(checked, "permission")
    assert unknown.severity is Severity.NOTE
    for name in ("partnercentral:CreateOpportunity", "partnercentral:StartResourceSnapshotJob"):
        assert name in unknown.message
    assert "partnercentral:GetOpportunity" not in unknown.message, "that was tried out"


def test_the_account_may_be_known_without_sts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", OTHER)
    (finding,) = told(look(world), "identity")
    assert OTHER in finding.message


def test_root_is_warned_of(identity: World) -> None:
    identity.sandbox.service.configure(caller="root")
    checked = look(identity)
    assert [finding.kind for finding in worse(checked)] == ["identity"]
    assert "iam-policy" in worse(checked)[0].cure


def test_another_account_than_before_halts_and_is_not_noted(identity: World) -> None:
    app = identity.app()
    app.ledger.set_watermark("sandbox", AWS_ACCOUNT, OTHER)
    (halt,) = worse(look(identity, app))
    assert (halt.severity, halt.kind) == (Severity.HALT, "identity")
    assert ACCOUNT in halt.message
    assert OTHER in halt.message
    assert app.ledger.watermark("sandbox", AWS_ACCOUNT) == OTHER


def test_another_catalog_than_before_halts(identity: World) -> None:
    app = identity.app()
    app.ledger.set_watermark("sandbox", CATALOG, "AWS")
    (halt,) = worse(look(identity, app))
    assert (halt.severity, halt.kind) == (Severity.HALT, "catalog")


def test_production_is_told(identity: World) -> None:
    text = identity.config.read_text(encoding="utf-8").replace("catalog: Sandbox", "catalog: AWS")
    identity.config.write_text(text, encoding="utf-8")
    notes = [finding.message for finding in told(look(identity), "catalog")]
    assert any("production" in note for note in notes)
    assert any(identity.sandbox.url in note for note in notes)


def test_no_account_number_reaches_the_log(identity: World, caplog: pytest.LogCaptureFixture) -> None:
    identity.sandbox.service.configure(denied_operations=["ListSolutions", "SimulatePrincipalPolicy"])
    with caplog.at_level(logging.DEBUG, "connector"):
        look(identity)
    ours = [record for record in caplog.records if record.name.startswith("connector")]
    assert ours
    assert ACCOUNT not in str([vars(record) for record in ours])


# What we may do


def test_every_read_that_is_denied_is_told_at_once(identity: World) -> None:
    identity.mapping = ("mappings/opportunity.yaml", "mappings/invitations.yaml")
    identity.write_config()
    identity.sandbox.service.configure(denied_operations=list(aws.PROBES))
    checked = look(identity)
    found = {finding.message.partition(",")[0]: finding for finding in told(checked, "permission")}
    assert set(found) == {f"partnercentral:{name}" for name in aws.PROBES}
    for name, finding in found.items():
        expected = Severity.WARNING if name.endswith("ListSolutions") else Severity.ERROR
        assert finding.severity is expected, name
        assert f"Grant {name} with partnercentral:Catalog = Sandbox" in finding.cure
        assert "iam-policy" in finding.cure
        assert ACCOUNT not in finding.message
    assert told(checked, "solutions") == []


def test_a_write_that_is_denied_is_found_without_trying_it(identity: World) -> None:
    app = identity.app()
    for action in needed(app.mappings["sandbox"]):
        if action.use is Use.READ:
            continue
        identity.sandbox.service.configure(denied_operations=[action.operation])
        (finding,) = worse(look(identity, app))
        expected = Severity.ERROR if action.is_vital else Severity.WARNING
        assert (finding.severity, finding.kind) == (expected, "permission")
        assert finding.message.startswith(f"{action.name}, which ")
        assert "simulator" in finding.message
        assert ("partnercentral:Catalog" in finding.cure) == action.has_catalog
    assert written(identity) == 0


def test_only_what_the_mapping_needs_is_asked_for(identity: World) -> None:
    use(identity, PLAIN)
    identity.sandbox.service.configure(
        denied_operations=["AssociateOpportunity", "StartEngagementFromOpportunityTask", "ListEngagementInvitations"]
    )
    assert worse(look(identity)) == []


def test_awss_own_side_is_not_missed_by_a_mapping_that_does_not_show_it(identity: World) -> None:
    use(identity, PLAIN)
    identity.sandbox.service.configure(denied_operations=["GetAwsOpportunitySummary"])
    (finding,) = worse(look(identity))
    assert finding.severity is Severity.WARNING


def test_who_can_be_asked_about(identity: World) -> None:
    app = identity.app()
    for caller, is_told in (
        ("user/a/path/sandbox", True),
        ("assumed-role/partner-central/session", True),
        ("federated-user/somebody", False),
        ("root", True),
    ):
        identity.sandbox.service.configure(caller=caller)
        notes = [finding for finding in told(look(identity, app), "permission") if finding.severity is Severity.NOTE]
        assert (notes == []) == is_told, caller


@pytest.mark.parametrize(
    ("arn", "role_arn", "expected"),
    [
        ("arn:aws:iam::111122223333:user/a/path/x", "", "arn:aws:iam::111122223333:user/a/path/x"),
        ("arn:aws:sts::111122223333:assumed-role/r/s", "", "arn:aws:iam::111122223333:role/r"),
        ("arn:aws-cn:sts::111122223333:assumed-role/r/s", "", "arn:aws-cn:iam::111122223333:role/r"),
        (
            "arn:aws:sts::111122223333:assumed-role/r/s",
            "arn:aws:iam::111122223333:role/a/path/r",
            "arn:aws:iam::111122223333:role/a/path/r",
        ),
        (
            "arn:aws:sts::111122223333:assumed-role/r/s",
            "arn:aws:iam::444455556666:role/r",
            "arn:aws:iam::111122223333:role/r",
        ),
        ("arn:aws:sts::111122223333:federated-user/x", "", ""),
        ("arn:aws:iam::111122223333:root", "", ""),
        ("", "", ""),
    ],
)
def test_whose_policies_are_asked_for(arn: str, role_arn: str, expected: str) -> None:
    assert principal_of(arn, role_arn) == expected


@pytest.mark.parametrize("denied", ["SimulatePrincipalPolicy", "GetCallerIdentity"])
def test_who_may_not_ask_iam_is_told_what_is_left_open(identity: World, denied: str) -> None:
    identity.sandbox.service.configure(denied_operations=[denied, "CreateOpportunity"])
    checked = look(identity)
    assert worse(checked) == []
    (note,) = told(checked, "permission")
    assert "partnercentral:CreateOpportunity" in note.message
    assert "iam:SimulatePrincipalPolicy" in note.cure


def test_a_simulator_that_is_wrong_about_the_reads_is_not_believed(
    identity: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = identity.app()
    context = app.contexts["sandbox"]

    def deny(actions: Sequence[str]) -> Mapping[str, bool]:
        return dict.fromkeys(actions, False)

    monkeypatch.setattr(context.partner_central, "may", deny)
    checked = check_aws(app, context)
    assert worse(checked) == []
    (note,) = told(checked, "permission")
    assert "cannot be told" in note.message


def test_an_account_that_is_not_registered_is_one_halt_with_its_own_cure(identity: World) -> None:
    identity.sandbox.service.configure(registered=False)
    (halt,) = worse(look(identity))
    assert (halt.severity, halt.kind) == (Severity.HALT, "registration")
    assert "Link this AWS account" in halt.cure
    assert identity.sandbox.service.reads == 1, "one answer is enough"


# Out of reach


def test_aws_out_of_reach_is_one_halt(world: World) -> None:
    world.sandbox.faults.add(on="ListOpportunities", do="status", status=503, times=None)
    (halt,) = worse(look(world))
    assert (halt.severity, halt.kind) == (Severity.HALT, "aws")


def test_one_operation_that_fails_hides_no_other(identity: World) -> None:
    identity.sandbox.faults.add(on="GetOpportunity", do="status", status=503, times=None)
    identity.sandbox.service.configure(denied_operations=["GetAwsOpportunitySummary", "CreateOpportunity"])
    found = worse(look(identity))
    assert [finding.severity for finding in found] == [Severity.HALT, Severity.ERROR, Severity.ERROR]


def test_missing_credentials_are_a_halt(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    (halt,) = worse(look(world))
    assert halt.severity is Severity.HALT
    assert "credentials" in halt.message


# Solutions


def test_solutions_that_the_mapping_names_must_exist(identity: World) -> None:
    use(identity, WITH_SOLUTIONS)
    found = worse(look(identity))
    assert {(finding.severity, finding.kind) for finding in found} == {(Severity.ERROR, "solutions")}
    unknown, by_name = found
    assert "'S-0001119'" in unknown.message
    assert "Did you mean 'S-000111" in unknown.cure
    assert "write its id, S-0001111" in by_name.cure
    for finding in found:
        assert (finding.line, finding.aws_path) == (6, "RelatedEntityIdentifiers.Solutions")
        assert finding.file == identity.mapping[0]


@pytest.mark.parametrize("page", [1, 2, 100])
def test_all_pages_are_read(identity: World, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(aws, "PAGE", page)
    identity.sandbox.service.configure(token_on_last_page=True)
    use(identity, WITH_SOLUTIONS.replace("S-0001112", "S-1234567"))
    messages = [finding.message for finding in worse(look(identity))]
    assert len(messages) == 2
    assert "S-1234567" not in str(messages), "the last one listed"


def test_a_solution_that_was_taken_back_is_an_error(identity: World) -> None:
    use(identity, WITH_SOLUTIONS.replace("S-0001119", "S-0001113").replace("Neptune Network Strategies", "S-0001111"))
    identity.sandbox.service.configure(inactive_solutions=["S-0001112"])
    (finding,) = worse(look(identity))
    assert finding.severity is Severity.ERROR
    assert "S-0001112 (BioTech Innovations on Cloud Nine) is Inactive" in finding.message


def test_a_name_that_is_nearly_right_leads_to_the_id(identity: World) -> None:
    use(identity, WITH_SOLUTIONS.replace("Neptune Network Strategies", "Neptun Network Strategy"))
    cures = [finding.cure for finding in worse(look(identity))]
    assert "Did you mean 'Neptune Network Strategies'? Its id is S-0001111." in cures


def test_a_partner_without_an_active_solution_is_warned(identity: World) -> None:
    identity.sandbox.service.configure(inactive_solutions=list(SOLUTIONS))
    use(identity, PLAIN)
    (finding,) = worse(look(identity))
    assert (finding.severity, finding.kind) == (Severity.WARNING, "solutions")
    assert "Committed" in finding.cure
    use(identity, PLAIN + "associate: {AwsMarketplaceSolutions: Solution_Arn__c}\n")
    assert worse(look(identity)) == [], "those of AWS Marketplace count as well"


# The clock and the quota


def test_the_clock(identity: World) -> None:
    use(identity, PLAIN)
    app = identity.app()
    for ahead, severity in (
        (0, None),
        (55, None),
        (-55, None),
        (65, Severity.WARNING),
        (-65, Severity.WARNING),
        (230, Severity.WARNING),
        (245, Severity.ERROR),
        (-245, Severity.ERROR),
    ):
        identity.sandbox.service.configure(clock_ahead=ahead)
        found = worse(look(identity, app))
        assert [finding.severity for finding in found] == ([severity] if severity else []), ahead
        if found:
            assert ("behind" if ahead > 0 else "ahead of") in found[0].message


def test_the_clock_is_told_also_where_everything_is_refused(identity: World) -> None:
    identity.sandbox.service.configure(clock_ahead=LIVE_CLOCK, registered=False)
    kinds = [finding.kind for finding in worse(look(identity))]
    assert kinds == ["registration", "clock"]


def test_the_quota_is_told_from_the_ledger(identity: World) -> None:
    deal = identity.opportunity()
    identity.settle(deal)
    (finding,) = told(look(identity), "quota")
    assert f"{written(identity)} of 10000 writes" in finding.message


def test_a_day_without_reads_left_is_a_halt(identity: World) -> None:
    app = identity.app()
    app.ledger.add_usage("sandbox", "aws_reads", 100_000, app.clock.now())
    found = worse(look(identity, app))
    assert [finding.severity for finding in found] == [Severity.HALT]
    assert identity.sandbox.service.reads == 0
