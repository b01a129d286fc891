"""The parts of a compiled mapping. Plain data; ``compiler`` builds them, ``mapper`` applies them to a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Literal, TypeAlias

from connector.core.condition import Condition
from connector.core.model import Origin, Structure
from connector.core.paths import Path, Template
from connector.core.schema import Shape
from connector.core.selection import Selection
from connector.core.text import to_text
from connector.core.transforms import Transform

Owner = Literal["salesforce", "aws"]
NOTHING: tuple[Any, ...] = (None, "", [], {})
ASSIGNEE, INVITATION, ENGAGEMENT = "Assignee", "Invitation", "EngagementIdentifier"
ASSOCIATED, SUBMITTED, ADOPTED = "RelatedEntityIdentifiers", "AwsSubmission", "PartnerOpportunityIdentifier"
"""Where the AWS paths of the parts begin that are not the opportunity's own."""


@dataclass(frozen=True, slots=True)
class When:
    """A leaf's own condition on one value: of another leaf (an AWS path) or of a Salesforce field.

    ``wanted`` has each text as ``str.casefold`` gives it, with the mapping's own spelling.
    """

    aws_path: str
    field: Path | None
    test: Literal["is", "is_not", "in", "not_in", "present", "empty"]
    wanted: Mapping[str, str]

    def holds(self, value: Any) -> bool:
        empty = value in NOTHING
        if self.test in {"present", "empty"}:
            return empty == (self.test == "empty")
        among = not empty and to_text(value).casefold() in self.wanted
        return among == (self.test in {"is", "in"})


@dataclass(frozen=True, slots=True)
class Step:
    """One transform with its arguments; those in ``aws_paths`` name other leaves and are looked up first."""

    transform: Transform
    arguments: Mapping[str, Any]
    aws_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of the payload: a constant, the first non-empty of some paths, or a template.

    ``like`` is the leaf of the opportunity whose value stands in where these are empty (in invitations only).
    ``folded`` are ``values`` without regard to case.
    """

    path: str
    origin: Origin
    shape: Shape
    sources: tuple[Path, ...] = ()
    template: Template | None = None
    constant: Any = None
    values: Mapping[str, Any] | None = None
    otherwise: Any = None
    default: Any = None
    steps: tuple[Step, ...] = ()
    when: When | None = None
    owner: Owner = "salesforce"
    like: Leaf | None = None
    is_sourced: bool = field(init=False, compare=False)
    folded: Mapping[str, Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_like_sourced = self.like is not None and self.like.is_sourced
        object.__setattr__(self, "is_sourced", bool(self.sources) or self.template is not None or is_like_sourced)
        object.__setattr__(self, "folded", {name.casefold(): found for name, found in (self.values or {}).items()})

    @property
    def depends(self) -> tuple[str, ...]:
        """The AWS paths of the leaves that must be known first."""
        named = tuple(step.arguments[name] for step in self.steps for name in step.aws_paths)
        return (*named, self.when.aws_path) if self.when and self.when.aws_path else named

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every Salesforce path it reads."""
        tested = (self.when.field,) if self.when and self.when.field else ()
        return (*self.sources, *(self.template.paths if self.template else ()), *tested)


@dataclass(frozen=True, slots=True)
class Struct:
    """A structure with members; ``is_sourced`` when any leaf below it comes from the record."""

    members: Mapping[str, Node]
    is_sourced: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_sourced", any(leaf.is_sourced for leaf in leaves_of(self)))


@dataclass(frozen=True, slots=True)
class Items:
    """A list written out item by item."""

    path: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """A list with one item for each row of a child relationship."""

    path: str
    relationship: str
    item: Node
    origin: Origin
    where: Condition | None = None
    order_by: tuple[tuple[Path, bool], ...] = ()
    limit: int | None = None


Node: TypeAlias = Leaf | Struct | Items | Each


@dataclass(frozen=True, slots=True)
class Submission:
    """When and how to submit; ``members`` are the leaves of AwsSubmission."""

    members: Struct
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class WriteBack:
    """One Salesforce field and the fact it shows; ``file`` and ``line`` are where the mapping says so."""

    field: str
    fact: str
    line: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One Salesforce field that takes a value of AWS: ``leaf`` reads it from the facts, not from the record."""

    field: str
    leaf: Leaf
    line: int

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts it is read from, e.g. ``opportunity.LifeCycle.TargetCloseDate``, the first non-empty one counts."""
        return tuple(name for path in self.leaf.sources for name in path.fields)


@dataclass(frozen=True, slots=True)
class InvitationItem:
    """One kind of invitation: ``tree`` has Message, Payload and Receiver; ``engagement`` an engagement id given on the
    record; ``write_back`` the fields of the row (of the opportunity, where it is a written-out item) that show it.
    """

    tree: Struct
    engagement: Leaf | None = None
    write_back: tuple[WriteBack, ...] = ()


@dataclass(frozen=True, slots=True)
class Invitations:
    """The partners to invite: one for each row of ``relationship``, or, where that is "", the items written out.

    Of a relationship there is exactly one item.
    """

    relationship: str
    items: tuple[InvitationItem, ...]
    origin: Origin
    where: Condition | None = None
    order_by: tuple[tuple[Path, bool], ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One of the mapping's own tests."""

    name: str
    line: int
    given: Structure
    today: date
    expect: Structure | None = None
    expect_problems: tuple[str, ...] | None = None
    file: str = ""


@dataclass(frozen=True)
class CompiledMapping:
    """One or more mapping files, ready to be applied; ``file`` is the first.

    ``leaves`` are those of the opportunity outside any ``each``, in the order they depend. ``adopt`` reads what an
    earlier integration may have called the record.
    """

    file: str
    selection: Selection
    tree: Struct
    leaves: tuple[Leaf, ...]
    associate: Mapping[str, Leaf]
    submission: Submission | None
    write_back: tuple[WriteBack, ...]
    cases: tuple[Case, ...]
    shape: Shape
    submission_shape: Shape
    assign: Struct | None = None
    invitations: Invitations | None = None
    inbound: tuple[Inbound, ...] = ()
    adopt: Leaf | None = None
    assign_shape: Shape = field(default_factory=lambda: Shape("structure"))
    invitation_shape: Shape = field(default_factory=lambda: Shape("structure"))

    @cached_property
    def told_by_us(self) -> tuple[WriteBack, ...]:
        """The lines of ``write_back`` that show something other than AWS's own side."""
        return tuple(entry for entry in self.write_back if not entry.fact.startswith("aws."))

    @cached_property
    def owned_by_aws(self) -> frozenset[str]:
        """Top-most paths with ``owner: aws``."""
        associated = (leaf.path for leaf in self.associate.values() if leaf.owner == "aws")
        return frozenset([*owned(self.tree, "", "aws"), *associated])

    @cached_property
    def owned_paths(self) -> frozenset[str]:
        """Top-most paths that Salesforce decides; list contents are decided as a whole."""
        associated = (leaf.path for leaf in self.associate.values() if leaf.owner == "salesforce")
        return frozenset([*owned(self.tree, ""), *associated])


def owned(node: Node, path: str, owner: Owner = "salesforce") -> list[str]:
    """The paths below ``node`` with this owner; a list of structures is Salesforce's as a whole."""
    if isinstance(node, Struct):
        found = []
        for name, member in node.members.items():
            found += owned(member, f"{path}.{name}" if path else name, owner)
        return found
    if isinstance(node, Leaf):
        return [path] if node.owner == owner else []
    return [path] if owner == "salesforce" else []


def leaves_of(node: Node) -> Sequence[Leaf]:
    """Every leaf below a node, those inside ``each`` too."""
    if isinstance(node, Leaf):
        return [node]
    if isinstance(node, Struct):
        return [leaf for member in node.members.values() for leaf in leaves_of(member)]
    if isinstance(node, Items):
        return [leaf for item in node.items for leaf in leaves_of(item)]
    return leaves_of(node.item)


def leaves_outside_eaches(node: Node) -> Sequence[Leaf]:
    """The leaves below a node that read the record itself, not the rows of an ``each``."""
    if isinstance(node, Leaf):
        return [node]
    if isinstance(node, Struct):
        return [leaf for member in node.members.values() for leaf in leaves_outside_eaches(member)]
    if isinstance(node, Items):
        return [leaf for item in node.items for leaf in leaves_outside_eaches(item)]
    return []


def eaches_of(node: Node) -> Sequence[Each]:
    """Every ``each`` below a node."""
    if isinstance(node, Each):
        return [node]
    if isinstance(node, Struct):
        return [each for member in node.members.values() for each in eaches_of(member)]
    if isinstance(node, Items):
        return [each for item in node.items for each in eaches_of(item)]
    return []
