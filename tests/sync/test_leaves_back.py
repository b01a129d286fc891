"""Every leaf that AWS answers with is carried into a Salesforce field, and read back over Salesforce's own API.

The leaves are enumerated from the installed model, so that one that AWS adds is missed here. What the sandbox does not
fill by itself is laid over its answers.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.partner_central.model import output_shape
from connector.commands.story import logged_in
from connector.core.model import TASK_MEMBERS
from connector.core.schema import Shape
from connector.resources import packaged
from connector.sandbox.partner_central import service as serving
from connector.sandbox.partner_central.calls import Answer, Call
from connector.sandbox.salesforce.schema import Field
from connector.sync import Context, follow_invitations, follow_tasks, refresh
from connector.sync.settle import settle
from tests.world import ENVIRONMENT, ROW, World, world

START, TASKS = "StartEngagementFromOpportunityTask", "ListEngagementFromOpportunityTasks"
SUMMARY, INVITE = "GetAwsOpportunitySummary", "CreateEngagementInvitation"
INVITATION, INVITATIONS = "GetEngagementInvitation", "ListEngagementInvitations"
PARTNER, LENGTH = "222233334444", 4000
NOT_A_FIELD = frozenset({"Catalog", "NextToken", "ResultMetadata"})
"""Of the request, or of the list and not of what is listed."""


def listed(operation: str, member: str) -> Shape:
    """What one entry of a list tells."""
    shape = output_shape(operation).at(member)
    assert shape is not None
    assert shape.item is not None
    return shape.item


def leaves(*shapes: Shape, kind: str = "") -> list[str]:
    """Every leaf of these structures (of this kind only), a list's items by their index."""
    every = [pair for shape in shapes for pair in shape.leaves()]
    found = dict.fromkeys(path.replace("[]", "[0]") for path, leaf in every if kind in {"", leaf.kind})
    return [path for path in found if path not in NOT_A_FIELD]


TASK = leaves(output_shape(START), listed(TASKS, "TaskSummaries"))
TABLES = leaves(output_shape(SUMMARY), kind="map")
"""What AWS tells under names of its own choice is not one value: a mapping that names it as a fact is refused."""
AWS = [path for path in leaves(output_shape(SUMMARY)) if path not in TABLES]
BY_ROLE = [f"OpportunityTeam[{role}].{member}" for role in ("AWSSalesRep", "PDM") for member in ("Name", "Email")]
WHOLE = ["OpportunityTeam.Email", "Project.ExpectedCustomerSpend.Amount"]
"""Without an index: of every item, one after the other."""
SENT = leaves(
    output_shape(INVITE),
    output_shape(INVITATION),
    listed(INVITATIONS, "EngagementInvitationSummaries"),
)
LEAD = "invitation.Payload.LeadInvitation."
ONLY_LISTED = frozenset({"ParticipantType"})
"""No member of GetEngagementInvitation, by whose names a mapping calls the facts: who we are in it, always SENDER."""


def field_of(number: int, kind: str) -> str:
    return f"{kind}_{number:03}__c"


def fields(kind: str, facts: Sequence[str]) -> dict[str, str]:
    """Salesforce field → fact."""
    return {field_of(number, kind): fact for number, fact in enumerate(facts)}


TASK_FIELDS = fields("Task", [f"task.{path}" for path in TASK])
AWS_FIELDS = fields("Aws", [f"aws.{path}" for path in (*AWS, *BY_ROLE, *WHOLE)])
ROW_FIELDS = fields("Sent", [f"invitation.{path}" for path in SENT if path not in ONLY_LISTED])


def filled(shape: Shape, path: str, without: str = "") -> Any:
    """A value for all of a structure, each leaf with one of its own; ``without`` is left out of it."""
    if shape.kind == "structure":
        members = {name: f"{path}.{name}" if path else name for name in shape.members}
        return {name: filled(shape.members[name], at, without) for name, at in members.items() if at != without}
    if shape.kind == "list":
        assert shape.item is not None
        if shape.item.enum:
            return list(shape.item.enum[:2])
        return [filled(shape.item, f"{path}[{number}]", without) for number in range(2)]
    if shape.enum:
        return shape.enum[-1]
    number = zlib.crc32(path.encode()) % 9000 + 1000
    if shape.kind == "timestamp":
        return f"2027-03-04T05:{number % 60:02}:{number % 59:02}Z"
    if shape.kind != "string":
        return number % 100 if shape.kind == "integer" else {"a": f"{number}.50"}
    return next(text for text in texts(path.rpartition(".")[2], number) if re.fullmatch(shape.pattern or ".*", text))


def texts(name: str, number: int) -> Iterator[str]:
    """Texts of every form that AWS knows, each unlike those of other leaves."""
    yield f"<{name}> & {number}, more than twenty characters"
    yield f"{name} {number}"
    yield f"{number}.25"
    yield f"2027-06-{number % 28 + 1:02}"
    yield f"+1415555{number}"
    yield f"p{number}@aws.example"
    yield f"https://www.acme{number}.example"
    yield f"https://calculator.aws/#/estimate?id={number:032}"
    yield f"O{number}"
    yield f"{number:012}"
    yield f"eng-{number:014}"
    yield f"engi-{number:013}"
    yield f"S-{number}"
    yield f"arn:aws:{name}/{number}"
    yield "Sandbox"


@dataclass
class Told:
    """What AWS answers beside what the sandbox has by itself, by operation; None: it hides that it has anything."""

    more: dict[str, Mapping[str, Any] | None]

    def install(self, patched: pytest.MonkeyPatch) -> None:
        for operation in self.more:
            handler = serving.OPERATIONS[operation]
            patched.setitem(serving.OPERATIONS, operation, self._over(operation, handler))  # type: ignore[arg-type]

    def _over(self, operation: str, handler: serving.Handler) -> serving.Handler:
        def laid_over(call: Call, body: Any) -> Any:
            answer = handler(call, body)
            if isinstance(answer, Answer):
                return Answer(lambda: self._lay(operation, answer.render()), answer.delay)
            return self._lay(operation, answer)

        return laid_over

    def _lay(self, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        more = self.more[operation]
        if more is None:
            return {name: answer[name] for name in ("Catalog", "RelatedOpportunityId") if name in answer}
        name = {TASKS: "TaskSummaries", INVITATIONS: "EngagementInvitationSummaries"}.get(operation)
        if name is None:
            return {**answer, **more}
        return {**answer, name: [{**row, **more} for row in answer[name]]}


def own_mapping(folder: Path) -> tuple[str, str]:
    """The shipped files, but that they write back to fields of ours."""
    for name, written in (("opportunity", TASK_FIELDS | AWS_FIELDS), ("invitations", ROW_FIELDS)):
        text = packaged("mappings", f"{name}.yaml").read_text(encoding="utf-8")
        mark = "\n  write_back:" if name == "invitations" else "\nwrite_back:"
        head = text.partition(mark)[0]
        lines = "".join(f"\n    {field}: {fact}" for field, fact in written.items())
        (folder / f"own-{name}.yaml").write_text(f"{head}{mark}{lines}\n", encoding="utf-8")
    return "own-opportunity.yaml", "own-invitations.yaml"


@dataclass
class Carried:
    """A deal whose every answer was carried to Salesforce: AWS's last ones by operation, and what Salesforce shows."""

    world: World
    context: Context
    told: Told
    deal: str
    row: str
    last: Mapping[str, Any]
    shown: Mapping[str, Any] = field(default_factory=dict)

    def read_back(self, sobject: str, salesforce_id: str, names: Sequence[str]) -> dict[str, Any]:
        """The fields as Salesforce's own API gives them."""
        found: dict[str, Any] = {}
        with logged_in(self.world.sandbox) as org:
            for start in range(0, len(names), 40):
                columns = ", ".join(names[start : start + 40])
                (row,) = org.query(f"SELECT Id, {columns} FROM {sobject} WHERE Id = '{salesforce_id}'")
                found |= row
        return found

    def again(self) -> None:
        """Everything is asked anew."""
        link = self.context.ledger.find(*self.context.key, self.deal)
        assert link is not None
        self.context.ledger.change(link, self.context.now, poll_at=self.context.now)
        assert follow_tasks(self.context) == 1
        follow_invitations(self.context, at_once=True)
        refresh(self.context, at_once=True)
        settle(self.context, [self.deal], patience=timedelta(seconds=10))


@pytest.fixture(scope="module", name="carried")
def _carried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carried]:
    folder = tmp_path_factory.mktemp("leaves")
    with pytest.MonkeyPatch.context() as patched, world(folder, mapping=own_mapping(folder)) as made:
        for name, value in ENVIRONMENT.items():
            patched.setenv(name, value)
        for sobject, names in (("Opportunity", [*TASK_FIELDS, *AWS_FIELDS]), (ROW, ROW_FIELDS)):
            for name in names:
                made.sandbox.org.add_field(sobject, Field(name, name, "textarea", LENGTH))
        told = Told(answers())
        told.install(patched)
        deal = made.opportunity()
        row = made.invite(deal, PARTNER)
        made.settle(deal)
        (identifier,) = (one["Id"] for one in made.at_aws(deal))
        made.sandbox.service.review(identifier, "In review")
        made.sandbox.service.review(identifier, "Approved")
        made.sandbox.service.summarise(identifier, **summary())
        (sent,) = made.invitations_of(PARTNER)
        made.sandbox.service.answer_invitation(sent["Id"], "REJECTED", "Unable to support")
        context = made.settle(deal)
        last = {entry.operation: entry.answer for entry in made.ours if entry.answer is not None}
        found = Carried(made, context, told, deal, row, last)
        found.shown = {
            **found.read_back("Opportunity", deal, [*TASK_FIELDS, *AWS_FIELDS]),
            **found.read_back(ROW, row, list(ROW_FIELDS)),
        }
        yield found


def answers() -> dict[str, Mapping[str, Any] | None]:
    """What the sandbox leaves out of a task and of an invitation."""
    task = {"Message": "It is <done> & sent.", "ReasonCode": "None needed"}
    whole = filled(output_shape(INVITATION), "", "Payload.LeadInvitation")
    members = ("EngagementDescription", "EnrichmentContext", "ExistingMembers", "Payload")
    related = {"RelatedEntityIds": filled(output_shape(SUMMARY).members["RelatedEntityIds"], "RelatedEntityIds")}
    more = {name: whole[name] for name in members}
    return {START: task, TASKS: task, SUMMARY: related, INVITATION: more, INVITATIONS: {}}


def summary() -> dict[str, Any]:
    """AWS's own side, whole."""
    whole = filled(output_shape(SUMMARY), "")
    kept = ("Catalog", "Origin", "RelatedEntityIds", "RelatedOpportunityId")
    side = {name: value for name, value in whole.items() if name not in kept}
    for member, role in zip(side["OpportunityTeam"], ("AWSSalesRep", "PDM"), strict=True):
        member["BusinessTitle"] = role
    return side


def test_these_are_all_the_leaves_there_are() -> None:
    assert set(TASK) == set(TASK_MEMBERS)
    assert len(TABLES) == 3
    tops = {re.split(r"[.[]", path)[0] for path in AWS}
    assert tops == set(output_shape(SUMMARY).members) - NOT_A_FIELD
    assert set(leaves(output_shape(INVITE))) == {"Id", "Arn"}
    assert set(SENT) - set(leaves(output_shape(INVITATION))) == ONLY_LISTED
    assert (len(TASK), len(AWS) > 25, len(SENT) > 30) == (10, True, True)


@pytest.mark.parametrize(("field", "fact"), TASK_FIELDS.items(), ids=TASK_FIELDS.values())
def test_a_leaf_of_the_task_is_shown(carried: Carried, field: str, fact: str) -> None:
    _assert_shown(carried, field, carried.last[START][fact.partition(".")[2]])


@pytest.mark.parametrize(("field", "fact"), AWS_FIELDS.items(), ids=AWS_FIELDS.values())
def test_a_leaf_of_awss_own_side_is_shown(carried: Carried, field: str, fact: str) -> None:
    _assert_shown(carried, field, at(carried.last[SUMMARY], fact.partition(".")[2]))


OFFERED = {name: fact for name, fact in ROW_FIELDS.items() if not fact.startswith(LEAD)}


@pytest.mark.parametrize(("field", "fact"), OFFERED.items(), ids=OFFERED.values())
def test_a_leaf_of_an_invitation_is_shown(carried: Carried, field: str, fact: str) -> None:
    _assert_shown(carried, field, at(carried.last[INVITATION], fact.partition(".")[2]))


def _assert_shown(carried: Carried, name: str, value: Any) -> None:
    assert value not in (None, "", []), "AWS tells a value"
    assert is_same(value, carried.shown[name]), (value, carried.shown[name])


def is_same(value: Any, shown: str) -> bool:
    """Whether a text field shows this value; a list's values stand one after the other."""
    text = ";".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        return shown == text or datetime.fromisoformat(shown) == datetime.fromisoformat(text)
    except ValueError:
        return False


def at(value: Any, path: str) -> Any:
    """The value at a path as the facts name it, read without the code that is tested."""
    for position, step in enumerate(path.split(".")):
        if isinstance(value, list):
            rest = ".".join(path.split(".")[position:])
            return [at(item, rest) for item in value]
        if step == "Name":
            return f"{value['FirstName']} {value['LastName']}"
        name, _, which = step.rstrip("]").partition("[")
        value = (value or {}).get(name)
        if which.isdecimal():
            value = value[int(which)]
        elif which:
            (value,) = (item for item in value if item["BusinessTitle"] == which)
    return value


def test_a_lead_is_carried_too_and_what_aws_leaves_out_later_blanks_nothing(carried: Carried) -> None:
    """Last in this file: it changes what AWS tells."""
    names = {"Opportunity": [*TASK_FIELDS, *AWS_FIELDS], ROW: list(ROW_FIELDS)}
    before = carried.read_back("Opportunity", carried.deal, names["Opportunity"])
    carried.told.more[SUMMARY] = None
    carried.told.more[TASKS] = dict.fromkeys(TASK_MEMBERS[1:], None)
    whole = filled(output_shape(INVITATION), "", "Payload.OpportunityInvitation")
    carried.told.more[INVITATION] = {"Payload": whole["Payload"]}
    again = carried.world.invite(carried.deal, "333344445555")
    carried.again()
    carried.again()
    assert carried.read_back("Opportunity", carried.deal, names["Opportunity"]) == before
    assert all(value not in (None, "") for value in before.values())
    shown = carried.read_back(ROW, again, names[ROW])
    for name, fact in ROW_FIELDS.items():
        if fact.startswith(LEAD):
            value = at(whole, fact.partition(".")[2])
            assert is_same(value, shown[name]), fact
