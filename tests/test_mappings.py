"""Every mapping that is shipped: right to the last line, complete, and tested by cases that can fail."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import CompiledMapping, compile_mapping, join, run_cases
from connector.core.mapping.case_runs import run_case
from connector.core.mapping.nodes import Case, Each, Items, Leaf, Node, Struct, leaves_of
from connector.mapping_files import transforms

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "mappings").glob("*.yaml"))
OPPORTUNITY, INVITATIONS = ROOT / "mappings" / "opportunity.yaml", ROOT / "mappings" / "invitations.yaml"
# AWS sets these itself; NextStepsHistory grows by NextSteps.
SET_BY_AWS = {"LifeCycle.ReviewComments", "LifeCycle.ReviewStatusReason"}
SET_BY_AWS |= {"LifeCycle.NextStepsHistory[].Time", "LifeCycle.NextStepsHistory[].Value"}


def compiled(*paths: Path) -> CompiledMapping:
    document = join([yamlfile.read(path, str(path.relative_to(ROOT))) for path in paths])
    mapping, problems = compile_mapping(document, mapping_shapes(), transforms())
    assert [str(problem) for problem in problems] == []
    assert mapping is not None
    return mapping


MAPPINGS = {"opportunity.yaml": compiled(OPPORTUNITY)}
JOINED = compiled(OPPORTUNITY, INVITATIONS)
CASES = [pytest.param(JOINED, case, id=f"{Path(case.file).name}: {case.name}") for case in JOINED.cases]


def test_every_shipped_file_is_tested_here() -> None:
    assert set(FILES) == {OPPORTUNITY, INVITATIONS}


def test_the_cases_of_both_files_hold_together() -> None:
    assert [str(problem) for problem in run_cases(JOINED)] == []
    assert {case.file for case in JOINED.cases} == {"mappings/opportunity.yaml", "mappings/invitations.yaml"}
    assert len({case.name for case in JOINED.cases}) == len(JOINED.cases)


def test_invitations_ask_for_rows_and_change_nothing_else() -> None:
    alone = MAPPINGS["opportunity.yaml"]
    assert alone.invitations is None
    assert JOINED.selection.fields == alone.selection.fields
    assert set(JOINED.selection.children) - set(alone.selection.children) == {"AWS_Partner_Invitations__r"}


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_the_cases_hold(mapping: CompiledMapping) -> None:
    assert [str(problem) for problem in run_cases(mapping)] == []
    assert len({case.name for case in mapping.cases}) == len(mapping.cases) > 0


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_everything_a_partner_may_send_is_mapped(mapping: CompiledMapping) -> None:
    wanted = {path for path, _ in mapping_shapes().create.leaves()} - {"Catalog", "ClientToken"} - SET_BY_AWS
    covered = {re.sub(r"\[\d+\]", "[]", leaf.path) for leaf in leaves_of(mapping.tree)}
    assert wanted - covered == set()
    assert set(mapping.associate) == set(mapping_shapes().entity_types)
    assert mapping.submission is not None
    assert set(mapping.submission.members.members) == set(mapping_shapes().submission.members)


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_what_aws_tells_of_a_record_and_its_task_is_written_back(mapping: CompiledMapping) -> None:
    facts = {entry.fact for entry in mapping.write_back}
    assert {"opportunity.Id", "sync.status", "sync.message", "sync.at"} <= facts
    members = ("TaskId", "TaskArn", "TaskStatus", "StartTime", "Message", "ReasonCode", "EngagementId")
    assert {f"task.{name}" for name in members} <= facts
    assert {f"opportunity.LifeCycle.Review{name}" for name in ("Status", "Comments", "StatusReason")} <= facts
    members = ("Origin", "InvolvementType", "InvolvementTypeChangeReason", "Visibility", "LifeCycle.Stage")
    members += ("LifeCycle.NextSteps", "LifeCycle.TargetCloseDate", "Insights.EngagementScore")
    assert {f"aws.{name}" for name in (*members, "Insights.NextBestActions")} <= facts
    for role in ("AWSSalesRep", "AWSAccountOwner", "PDM", "PSM"):
        assert {f"aws.OpportunityTeam[{role}].{name}" for name in ("Name", "Email")} <= facts
    assert len({entry.field.lower() for entry in mapping.write_back}) == len(mapping.write_back)


def test_the_examples_in_comments_are_right() -> None:
    text = OPPORTUNITY.read_text(encoding="utf-8")
    for section in ("assign", "inbound"):
        assert f"\n# {section}:\n" in text
        before, _, rest = text.partition(f"\n# {section}:\n")
        example, _, after = rest.partition("\n\n")
        lines = [line.removeprefix("# ") for line in example.splitlines()]
        text = "\n".join([before, f"{section}:", *lines, "", after])
    mapping, problems = compile_mapping(yamlfile.parse(text, "edited"), mapping_shapes(), transforms())
    assert [str(problem) for problem in problems] == []
    assert mapping is not None
    assert mapping.assign is not None
    assert [entry.field for entry in mapping.inbound] == ["NextStep", "CloseDate", "StageName"]
    (stage,) = [leaf for leaf in mapping.leaves if leaf.path == "LifeCycle.Stage"]
    assert set(mapping.inbound[2].leaf.values or ()) == set(stage.shape.enum)


def altered(value: Any) -> Iterator[Any]:
    """The same expectation with one of its values changed, once for each of them."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            for other in altered(inner):
                yield {**value, name: other}
    elif isinstance(value, list) and value:
        yield value[:-1]
        for index, inner in enumerate(value):
            for other in altered(inner):
                yield [*value[:index], other, *value[index + 1 :]]
    else:
        yield "something else entirely"


@pytest.mark.parametrize(("mapping", "case"), CASES)
def test_a_case_fails_when_any_part_of_its_expectation_is_altered(mapping: CompiledMapping, case: Case) -> None:
    given = copy.deepcopy(case.given)
    wrong = [replace(case, expect=other) for other in altered(case.expect)] if case.expect is not None else []
    if case.expect_problems is not None:
        wrong.append(replace(case, expect_problems=(*case.expect_problems, "No.Such.Path")))
    if case.expect_problems:
        wrong.append(replace(case, expect_problems=()))
    assert wrong
    assert [other for other in wrong if not run_case(mapping, other)] == []
    assert case.given == given


def without(node: Node, path: str) -> Node | None:
    """The tree without one leaf."""
    if isinstance(node, Leaf):
        return None if node.path == path else node
    if isinstance(node, Struct):
        members = {name: kept for name, inner in node.members.items() if (kept := without(inner, path)) is not None}
        return Struct(members)
    if isinstance(node, Items):
        return Items(node.path, tuple(kept for item in node.items if (kept := without(item, path)) is not None))
    item = without(node.item, path)
    return replace(node, item=item) if isinstance(node, Each) and item is not None else None


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_every_line_is_proven_by_some_case(mapping: CompiledMapping) -> None:
    unproven = []
    for leaf in leaves_of(mapping.tree):
        tree = without(mapping.tree, leaf.path)
        assert isinstance(tree, Struct)
        if not run_cases(replace(mapping, tree=tree)):
            unproven.append(leaf.path)
    for name in mapping.associate:
        associate = {other: leaf for other, leaf in mapping.associate.items() if other != name}
        if not run_cases(replace(mapping, associate=associate)):
            unproven.append(f"RelatedEntityIdentifiers.{name}")
    assert unproven == []


def test_every_line_of_an_invitation_is_proven_by_some_case() -> None:
    invitations = JOINED.invitations
    assert invitations is not None
    (item,) = invitations.items
    mapping = replace(JOINED, cases=tuple(case for case in JOINED.cases if case.file.endswith("invitations.yaml")))
    unproven = []
    for leaf in leaves_of(item.tree):
        tree = without(item.tree, leaf.path)
        assert isinstance(tree, Struct)
        changed = replace(invitations, items=(replace(item, tree=tree),))
        if not run_cases(replace(mapping, invitations=changed)):
            unproven.append(leaf.path)
    changed = replace(invitations, items=(replace(item, engagement=None),))
    assert run_cases(replace(mapping, invitations=changed))
    assert unproven == []


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_every_pair_of_a_value_list_is_one_of_awss_values(mapping: CompiledMapping) -> None:
    for leaf in leaves_of(mapping.tree):
        shape = leaf.shape.item if leaf.shape.kind == "list" else leaf.shape
        assert shape is not None
        if leaf.values is not None and shape.enum:
            assert set(leaf.values.values()) <= set(shape.enum), leaf.path


def test_awss_own_industries_map_to_themselves() -> None:
    (industry,) = [leaf for leaf in MAPPINGS["opportunity.yaml"].leaves if leaf.path == "Customer.Account.Industry"]
    assert industry.values is not None
    assert {name: industry.values.get(name) for name in industry.shape.enum} == {n: n for n in industry.shape.enum}
