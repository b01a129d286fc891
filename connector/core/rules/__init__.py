"""What AWS wants of an opportunity beyond its field table: one small function a rule, in two visible tables.

``create`` holds the rules CreateOpportunity and UpdateOpportunity apply, ``submission`` those of the
engagement task. Types, enums, patterns and lengths are the field table's business (``schema.check``) and not
repeated here. Values that AWS calls sensitive are never quoted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from connector.core.model import Association, Blocks, Problem, Structure
from connector.core.rules.create import CREATE
from connector.core.rules.facts import Facts, Rule
from connector.core.rules.submission import SUBMISSION, USE_CASES

__all__ = ["CREATE", "SUBMISSION", "USE_CASES", "Facts", "Rule", "check_create", "check_submission"]


def check_create(opportunity: Structure, today: date) -> list[Problem]:
    """Every rule of CreateOpportunity that ``opportunity`` breaks. ``today`` is the date in UTC."""
    return _check(CREATE, Facts(opportunity, today), "create")


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


def _check(rules: tuple[Rule, ...], facts: Facts, blocks: Blocks) -> list[Problem]:
    return [replace(problem, blocks=blocks) for rule in rules for problem in rule(facts)]
