"""Which IAM actions a mapping needs, and what for: one table for the policy that is printed and for what is checked.

Names actions and asks nobody. An action that no line of it needs is granted to nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from connector.core.mapping import CompiledMapping

CATALOG_KEY = "partnercentral:Catalog"
"""The condition key that tells production from the Sandbox. All actions of Partner Central have it, no others."""


class Use(StrEnum):
    """How an action is used: the connector calls it, or AWS does in the connector's name within another call."""

    READ = "read"
    WRITE = "write"
    WITHIN = "within another"


@dataclass(frozen=True, slots=True)
class Action:
    """One IAM action with its service (``partnercentral:GetOpportunity``); ``reason`` says what it does for us.

    ``is_vital`` is False where everything else goes on without it, or where nobody knows whether AWS asks for it.
    """

    name: str
    use: Use
    reason: str
    is_vital: bool = True

    @property
    def operation(self) -> str:
        """The API operation of the same name."""
        return self.name.rpartition(":")[2]

    @property
    def doubt(self) -> str:
        """Why one may do without it; "" where one may not."""
        if self.is_vital:
            return ""
        is_ours = self.use is not Use.WITHIN
        return "everything else goes on without it" if is_ours else "whether AWS asks for it is not documented"

    @property
    def has_catalog(self) -> bool:
        """Whether it can be granted for one catalog only."""
        return self.name.startswith("partnercentral:")


def _always(_mapping: CompiledMapping) -> bool:
    return True


def _associates(mapping: CompiledMapping) -> bool:
    return bool(mapping.associate)


def _associates_marketplace(mapping: CompiledMapping) -> bool:
    return any(kind.startswith("AwsMarketplace") for kind in mapping.associate)


def _assigns(mapping: CompiledMapping) -> bool:
    return mapping.assign is not None


def _submits(mapping: CompiledMapping) -> bool:
    return mapping.submission is not None


def _invites(mapping: CompiledMapping) -> bool:
    return mapping.invitations is not None


def _tags(mapping: CompiledMapping) -> bool:
    return "Tags" in mapping.tree.members


def _shows_aws_side(mapping: CompiledMapping) -> bool:
    facts = [entry.fact for entry in mapping.write_back]
    facts += [fact for entry in mapping.inbound for fact in entry.facts]
    return any(fact.startswith("aws.") for fact in facts)


_Row = tuple[Callable[[CompiledMapping], bool], Action]


def _row(is_needed: Callable[[CompiledMapping], bool], name: str, use: Use, reason: str, *, vital: bool = True) -> _Row:
    service = "" if ":" in name else "partnercentral:"
    return is_needed, Action(service + name, use, reason, vital)


_R, _W, _IN = Use.READ, Use.WRITE, Use.WITHIN

# Sources: the service authorization reference of AWS Partner Central Selling and of AWS Marketplace Catalog (which
# actions there are, which know the catalog, what StartEngagementFromOpportunityTask depends on), the operation's own
# documentation (CreateResourceSnapshot) and the managed policy AWSPartnerCentralOpportunityManagement (Marketplace,
# tags); read 2026-11-22.
_TABLE: tuple[_Row, ...] = (
    _row(_always, "ListOpportunities", _R, "sees what is there already, and what changed at AWS"),
    _row(_always, "GetOpportunity", _R, "reads an opportunity before it is changed"),
    _row(_always, "ListEngagementFromOpportunityTasks", _R, "sees how a submission ended"),
    _row(_shows_aws_side, "GetAwsOpportunitySummary", _R, "shows AWS's own side of a deal"),
    _row(_always, "GetAwsOpportunitySummary", _R, "sees whether AWS takes part in a deal", vital=False),
    _row(_always, "ListSolutions", _R, "lets `connector check` look up your solutions", vital=False),
    _row(_always, "CreateOpportunity", _W, "creates opportunities"),
    _row(_always, "UpdateOpportunity", _W, "sends what was edited in Salesforce"),
    _row(_associates, "AssociateOpportunity", _W, "adds solutions, products and offers"),
    _row(_associates, "DisassociateOpportunity", _W, "takes solutions, products and offers away"),
    _row(_assigns, "AssignOpportunity", _W, "makes a Partner Central user the owner"),
    _row(_submits, "StartEngagementFromOpportunityTask", _W, "submits opportunities to AWS"),
    _row(_invites, "ListEngagementResourceAssociations", _R, "finds the engagement to invite into"),
    _row(_invites, "ListEngagementInvitations", _R, "sees who is invited, and the answers"),
    _row(_invites, "GetEngagementInvitation", _R, "reads why an invitation was declined"),
    _row(_invites, "CreateEngagementInvitation", _W, "invites other partners"),
    _row(_submits, "SubmitOpportunity", _IN, "is a step of submitting"),
    _row(_submits, "CreateEngagement", _IN, "is a step of submitting"),
    _row(_submits, "CreateEngagementInvitation", _IN, "is a step of submitting, which invites AWS"),
    _row(_submits, "CreateResourceSnapshot", _IN, "is a step of submitting"),
    _row(_submits, "CreateResourceSnapshotJob", _IN, "is a step of submitting"),
    _row(_submits, "StartResourceSnapshotJob", _IN, "is a step of submitting"),
    _row(_tags, "TagResource", _IN, "puts the tags of the mapping on a new opportunity", vital=False),
    _row(_associates_marketplace, "aws-marketplace:DescribeEntity", _IN, "looks at what is associated", vital=False),
    _row(_associates_marketplace, "aws-marketplace:ListEntities", _IN, "looks for what is associated", vital=False),
)


def needed(mapping: CompiledMapping) -> tuple[Action, ...]:
    """The actions that this mapping needs, each once, in the order of the table.

    Of several reasons the first is told. What is called by us and within another counts as called by us.
    """
    found: dict[str, Action] = {}
    for is_needed, action in _TABLE:
        if is_needed(mapping):
            known = found.get(action.name)
            found[action.name] = action if known is None else _both(known, action)
    return tuple(found.values())


def _both(known: Action, other: Action) -> Action:
    return replace(known, is_vital=known.is_vital or other.is_vital)


def table() -> tuple[Action, ...]:
    """Every action that any mapping could need."""
    return tuple(action for _, action in _TABLE)
