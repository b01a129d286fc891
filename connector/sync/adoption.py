"""Takes over what AWS has already, and gives each opportunity to one record only. Creates nothing.

A record's own id is found in AWS's list by itself. What an earlier integration called the record stands in fields that
the mapping names under ``salesforce.adopt``.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace

from connector.core.mapping.nodes import ADOPTED
from connector.core.model import Link, Problem, Refusal, fingerprint
from connector.core.plan import ADOPTION
from connector.errors import NotFound
from connector.sync.context import Context

logger = logging.getLogger(__name__)

_OPPORTUNITY_ID = re.compile(r"O[0-9]{1,19}")


def is_opportunity_id(name: str) -> bool:
    """Whether this is AWS's own id of an opportunity, and no partner identifier."""
    return _OPPORTUNITY_ID.fullmatch(name) is not None


def find_earlier(context: Context, link: Link) -> Link | None:
    """The link with the opportunity that was made for it earlier as its candidate; None where there is none.

    What the record names and AWS does not have holds it: somebody meant an opportunity, so no new one is made.
    """
    for name in link.mapped.known_as if link.mapped is not None else ():
        if is_opportunity_id(name) and not _exists(context, name):
            return _refuse(context, link, missing_at_aws(context, link, name))
        found = name if is_opportunity_id(name) else context.ledger.sighted(*context.key, name)
        if found:
            return context.ledger.change(link, context.now, candidate_id=found)
    return None


def missing_at_aws(context: Context, link: Link, opportunity_id: str) -> Refusal:
    """Why nothing is done for a record that names an opportunity which AWS does not have."""
    message = f"AWS has no opportunity {opportunity_id}, which the record names as its own."
    return refusal_of(context, link, message, "Correct or clear it.")


def _exists(context: Context, opportunity_id: str) -> bool:
    try:
        context.partner_central.call("GetOpportunity", {"Identifier": opportunity_id})
    except NotFound:
        return False
    return True


def take_over(context: Context, link: Link, opportunity_id: str) -> Link:
    """Link the record with an opportunity that AWS has, unless another record is linked with it."""
    with context.creating:  # of two records that name the same one, only the first may have it
        taken = taken_by_another(context, link, opportunity_id)
        if taken is not None:
            return _refuse(context, link, taken)
        extra = {"event": "adopted", "connection": context.name, "salesforce_id": link.salesforce_id}
        logger.warning("%s exists at AWS already as %s: taken over.", link.salesforce_id, opportunity_id, extra=extra)
        return context.ledger.change(
            link,
            context.now,
            adopted=f"AWS had {opportunity_id} already",
            opportunity_id=opportunity_id,
            candidate_id="",
            existing=None,
            base=None,
            refusal=None,
        )


def taken_by_another(context: Context, link: Link, opportunity_id: str) -> Refusal | None:
    """Why this record may not have an opportunity: another one is linked with it. None where it may."""
    other = context.ledger.find(*context.key, opportunity_id)
    if other is None or other.salesforce_id == link.salesforce_id:
        return None
    return belongs_to(context, link, opportunity_id, other)


def belongs_to(context: Context, link: Link, opportunity_id: str, other: Link) -> Refusal:
    """Why this record may not have an opportunity that is another one's.

    It stays with this record when the other one is forgotten, so the other one's name is not in it.
    """
    message = f"AWS's {opportunity_id} belongs to another record already: {other.salesforce_id}."
    return refusal_of(context, link, message, "Clear what names it here if this is another deal, for instance a clone.")


def refusal_of(context: Context, link: Link, message: str, cure: str) -> Refusal:
    """What holds the record until what it names changes, or a person says so."""
    adopt, mapped = context.mapping.adopt, link.mapped
    problem = Problem(ADOPTED, message, cure, "adoption").located(adopt.origin if adopt is not None else None)
    return Refusal("Adopt", fingerprint(mapped.known_as if mapped is not None else ()), str(problem), (problem,))


def with_refusal(link: Link, refusal: Refusal) -> Link:
    """The link as it is once nothing can be taken over for it."""
    return replace(link, candidate_id="", refusals={**link.refusals, ADOPTION: refusal})


def _refuse(context: Context, link: Link, refusal: Refusal) -> Link:
    refused = with_refusal(link, refusal)
    return context.ledger.change(link, context.now, candidate_id="", refusals=refused.refusals)
