"""What a person asks of the process that owns the ledger, wherever they ask: at the terminal or on the page.

Nothing here reads Salesforce or writes to AWS. The ledger is told what is wanted, and by whom.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.ports import Ledger
from connector.sync import guards
from connector.sync.context import Context


def retry(
    ledger: Ledger, connection: str, catalog: str, salesforce_ids: Sequence[str] | None, now: datetime, by: str
) -> list[str]:
    """Clear what holds these records (None: every held one), and have them read and looked at again. Gives their ids.

    ``by`` is who asks for it, for the audit trail.
    """
    cleared = ledger.wake(connection, catalog, salesforce_ids, now, by)
    ledger.request(connection, cleared, now)
    return cleared


def resync(context: Context, salesforce_ids: Sequence[str], by: str) -> None:
    """Have these records read from Salesforce again now. Raises UnsafePlan where an edited mapping stops that."""
    require_free(context)
    context.ledger.request(context.name, salesforce_ids, context.now, by)


def require_free(context: Context) -> None:
    """Raises UnsafePlan while the owner would refuse what is asked of it: an edited mapping touches too much."""
    refusal = guards.guarded_mapping(context)
    if refusal is not None:
        raise refusal
