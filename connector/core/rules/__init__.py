"""What AWS wants of an opportunity beyond its field table: one small function a rule, in visible tables.

``create`` holds the rules CreateOpportunity and UpdateOpportunity apply, ``associations`` those of what is attached,
``submission`` those of the engagement task. Types, enums, patterns and lengths are the field table's business
(``schema.check``) and not repeated here. Values that AWS calls sensitive are never quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from connector.core.model import Association, Blocks, Invitation, Problem, Structure
from connector.core.rules.associations import ASSOCIATIONS
from connector.core.rules.create import CREATE
from connector.core.rules.facts import Facts, Rule
from connector.core.rules.invitation import INVITATION, TOGETHER
from connector.core.rules.submission import SUBMISSION
from connector.core.rules.update import UPDATE
from connector.core.rules.use_cases import USE_CASES

__all__ = [
    "ASSOCIATIONS",
    "CREATE",
    "INVITATION",
    "SUBMISSION",
    "TOGETHER",
    "UPDATE",
    "USE_CASES",
    "Facts",
    "Rule",
    "check_create",
    "check_invitation",
    "check_submission",
    "check_together",
    "check_update",
]


def check_create(opportunity: Structure, today: date, associations: tuple[Association, ...] = ()) -> list[Problem]:
    """Every rule of CreateOpportunity that ``opportunity`` breaks, and of AssociateOpportunity that what it shall be
    associated with does. ``today`` is the date in UTC.
    """
    return _check((*CREATE, *ASSOCIATIONS), Facts(opportunity, today, associations), "create")


def check_submission(
    opportunity: Structure,
    associations: tuple[Association, ...],
    submission: Structure | None,
    today: date,
) -> list[Problem]:
    """Every rule of the submission that is broken; those of CreateOpportunity are not repeated.

    ``submission`` is the AwsSubmission; None checks only what holds whatever it says.
    """
    return _check(SUBMISSION, Facts(opportunity, today, associations, submission), "submit")


def check_invitation(invitation: Structure, today: date) -> list[Problem]:
    """Every rule that one invitation (Message, Payload, Receiver) breaks, whatever else the record wants."""
    return _check(INVITATION, Facts(invitation, today), "create")


def check_together(invitations: Sequence[Invitation]) -> list[tuple[int, Problem]]:
    """What is wrong with invitations of one record beside each other, as (index, problem)."""
    return [pair for rule in TOGETHER for pair in rule(invitations)]


def check_update(facts: Facts) -> list[Problem]:
    """Every rule of UpdateOpportunity that a whole body (``facts.opportunity``) breaks."""
    return _check(UPDATE, facts, "create")


def _check(rules: tuple[Rule, ...], facts: Facts, blocks: Blocks) -> list[Problem]:
    return [replace(problem, blocks=blocks) for rule in rules for problem in rule(facts)]
