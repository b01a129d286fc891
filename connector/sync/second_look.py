"""A second look at Salesforce before what nobody can take back: an opportunity, its submission, an invitation.

A record may have waited for long since it was read: for a quota, a permission, a person. A poll learns that a flag is
gone from what was once written into the record, and of one that never came to rest that is nothing; of a deleted row
it learns nothing at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.core.model import Link
from connector.core.plan import Action, Create, Invite, Resume, Submit
from connector.errors import ConnectorError, Halt, LedgerUnavailable, TemporaryError, UnsafePlan
from connector.sync.context import Context
from connector.sync.guards import TRY_SOON, has_room, is_judged
from connector.sync.pull import is_shared, pull_ids

PAUSE = 60.0
"""Seconds after which Salesforce is asked again where it cannot be asked now."""
_FINAL = (Create, Submit, Invite)
_OPERATIONS = {"CreateOpportunity", "StartEngagementFromOpportunityTask", "CreateEngagementInvitation"}


def is_due(context: Context, link: Link, action: Action) -> bool:
    """Whether this cannot be taken back, and the record was read too long ago."""
    return _is_final(action) and not context.readings.has(link.salesforce_id, context.instant)


def _is_final(action: Action) -> bool:
    if isinstance(action, Resume):  # one that may have been carried out has to be brought to its end in any case
        return not action.operation.ambiguous and action.operation.action in _OPERATIONS
    return isinstance(action, _FINAL)


def look_again(context: Context, link: Link) -> Link:
    """The link once its record was read anew, to be planned again.

    Raises TemporaryError where Salesforce cannot be asked, whatever the reason: AWS's side of other records goes on.
    """
    if not is_judged(context):
        raise TemporaryError("A changed mapping is looked at first.", delay=TRY_SOON.total_seconds())
    try:
        _look(context, link)
    except LedgerUnavailable:
        raise
    except Halt as error:
        words = f"Salesforce cannot be asked whether the record is still shared. {error}"
        raise TemporaryError(words, delay=PAUSE) from error
    return context.ledger.link(link.id)


def _look(context: Context, link: Link) -> None:
    """Read the record. While a changed mapping waits for a person, nothing that was not released may be stored.

    What was wanted before the change goes on all the same, but not of a record that is no longer there, and of what
    was released only what it was then.
    """
    try:
        pull_ids(context, [link.salesforce_id])
    except UnsafePlan as error:
        if not is_shared(context, link.salesforce_id):
            raise TemporaryError("It is not shared any more, as the changed mapping has it.", delay=PAUSE) from error
        context.readings.note([link.salesforce_id], context.instant)
        return
    if not context.readings.has(link.salesforce_id, context.instant):
        raise TemporaryError("It has changed since it was released, so it waits for the mapping.", delay=PAUSE)


def look_at_many(context: Context, planned: Sequence[tuple[Link, Action]]) -> bool:
    """Read together the records that are next in line and were read too long ago. Gives whether any was read.

    Where that cannot be done, each is looked at when its turn comes.
    """
    # Those that a limit stops are not read again and again. Each look at one of them is worth its call.
    waiting = Invite if has_room(context) else (Create, Invite)
    next_in_line = [(link, action) for link, action in planned if not isinstance(action, waiting)]
    wanted = [link.salesforce_id for link, action in next_in_line if is_due(context, link, action)]
    if not wanted or not is_judged(context):
        return False
    try:
        pull_ids(context, wanted)
    except LedgerUnavailable:
        raise
    except ConnectorError:
        return False
    return True
