"""Reads what AWS says when it refuses: task messages, field names, codes. Tells it in a seller's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from connector.core.schema import Shape

ReasonClass: TypeAlias = Literal["user", "admin", "retry", "later"]


class Detail(NamedTuple):
    """One part of a task's message; ``code`` and ``path`` are "" where AWS gave none."""

    code: str
    path: str
    text: str


class Reason(NamedTuple):
    """What a failed task's reason code means, and who can do something about it.

    ``user``: a seller edits the record; ``admin``: an administrator sets something right; ``retry``: the
    connector tries again soon; ``later``: it tries again after hours.
    """

    kind: ReasonClass
    sentence: str
    cure: str


class Meaning(NamedTuple):
    """What an error code means."""

    sentence: str
    cure: str


# <CODE> <camelCase.field.path>:<text>[;<CODE> <path>:<text>]*, as seen in AWS's recordings; every part but
# the text may be missing, and a text may itself hold semicolons and colons.
_CODE = r"(?P<code>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"
_STEP = r"[A-Za-z][A-Za-z0-9]*(?:\[\d+\])?"
_CODED = re.compile(rf"\s*{_CODE}(?:\s+(?P<path>{_STEP}(?:\.{_STEP})*)\s*:|\s*:|\s+|$)\s*(?P<text>.*)", re.DOTALL)
_PLACED = re.compile(rf"\s*(?P<path>[a-z][A-Za-z0-9]*(?:\[\d+\])?(?:\.{_STEP})+)\s*:\s*(?P<text>.*)", re.DOTALL)


def parse_task_message(text: str) -> tuple[Detail, ...]:
    """The parts of a failed task's message, in order; other text is one part."""
    details: list[Detail] = []
    for piece in text.split(";"):
        match = _CODED.match(piece) or _PLACED.match(piece)
        if match is not None:
            found = match.groupdict()
            details.append(Detail(found.get("code") or "", found["path"] or "", found["text"].strip()))
        elif details and piece.strip():
            last = details[-1]
            details[-1] = last._replace(text=f"{last.text}; {piece.strip()}".removeprefix("; "))
        elif piece.strip():
            details.append(Detail("", "", piece.strip()))
    return tuple(details)


def to_aws_path(field_name: str, shape: Shape) -> str:
    """AWS's name of a field, in the spelling of ``shape``.

    ``customer.account.address.stateOrRegion`` gives ``Customer.Account.Address.StateOrRegion``, and so does
    ``address.stateOrRegion``, where no other path ends so. Indices are kept. The name itself
    when nothing or several fit.
    """
    steps = [step for step in re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", field_name.strip()).split(".") if step]
    wanted = [step.partition("[")[0].casefold() for step in steps]
    if not wanted:
        return field_name
    paths = list(_paths(shape))
    fitting = [path for path in paths if [step.casefold() for step in path] == wanted]
    fitting = fitting or [path for path in paths if [step.casefold() for step in path[-len(wanted) :]] == wanted]
    if len(fitting) != 1:
        return field_name
    (path,) = fitting
    indices = [step.partition("[")[1] + step.partition("[")[2] for step in steps]
    indices = [""] * (len(path) - len(indices)) + indices
    return ".".join(name + index for name, index in zip(path, indices, strict=True))


def _paths(shape: Shape, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    while shape.kind == "list" and shape.item is not None:
        shape = shape.item
    for name, member in shape.members.items():
        yield (*above, name)
        yield from _paths(member, (*above, name))


def normalise_code(code: str) -> str:
    """``OPPORTUNITY_VALIDATION_FAILED`` and ``OpportunityValidationFailed`` as one; ``null`` is none."""
    text = re.sub(r"[\W_]", "", code).casefold()
    return "" if text == "null" else text


_EDIT = "Correct the record; it is sent again as soon as it changes."
_POLICY = "Ask an administrator to check the IAM policy of the connector's role."
_WAIT = "Nothing to do; it is tried again by itself."

# Source: enum ReasonCode of the partnercentral-selling model, read 2026-11-21. AWS documents no meanings;
# these follow from the names and from the steps of StartEngagementFromOpportunityTask.
REASON_CODES: Mapping[str, Reason] = {
    "OpportunityValidationFailed": Reason("user", "AWS finds the opportunity incomplete or wrong.", _EDIT),
    "OpportunitySubmissionFailed": Reason("user", "AWS did not accept the submission.", _EDIT),
    "EngagementValidationFailed": Reason("user", "AWS finds the title or description unfit.", _EDIT),
    "InvitationValidationFailed": Reason("user", "AWS finds the invitation incomplete or wrong.", _EDIT),
    "ResourceSnapshotValidationFailed": Reason(
        "admin",
        "AWS could not take a snapshot of the opportunity.",
        "Ask an administrator to read AWS's message.",
    ),
    "ResourceSnapshotJobValidationFailed": Reason(
        "admin",
        "AWS could not set up the snapshot job.",
        "Ask an administrator to check the resource snapshot job role in Partner Central's settings.",
    ),
    "OpportunityAccessDenied": Reason(
        "admin",
        "The connector may not read or submit opportunities.",
        f"{_POLICY} It needs SubmitOpportunity.",
    ),
    "EngagementAccessDenied": Reason(
        "admin", "The connector may not create engagements.", f"{_POLICY} It needs CreateEngagement."
    ),
    "InvitationAccessDenied": Reason(
        "admin", "The connector may not invite AWS.", f"{_POLICY} It needs CreateEngagementInvitation."
    ),
    "ResourceSnapshotAccessDenied": Reason(
        "admin", "The connector may not create snapshots.", f"{_POLICY} It needs CreateResourceSnapshot."
    ),
    "ResourceSnapshotJobAccessDenied": Reason(
        "admin",
        "The connector may not create or start snapshot jobs.",
        f"{_POLICY} It needs CreateResourceSnapshotJob and StartResourceSnapshotJob.",
    ),
    "OpportunityConflict": Reason("retry", "The opportunity was being changed at the same time.", _WAIT),
    "EngagementConflict": Reason("retry", "The engagement was being changed or exists already.", _WAIT),
    "EngagementInvitationConflict": Reason("retry", "AWS was being invited already.", _WAIT),
    "ResourceSnapshotConflict": Reason("retry", "A snapshot was being taken already.", _WAIT),
    "ResourceSnapshotJobConflict": Reason("retry", "A snapshot job was being set up already.", _WAIT),
    "ServiceQuotaExceeded": Reason(
        "later",
        "A limit of the AWS account is reached.",
        "It is tried again later; an administrator can ask AWS for a higher limit.",
    ),
    "RequestThrottled": Reason("retry", "AWS asked to slow down.", _WAIT),
    "InternalError": Reason("retry", "AWS had an internal error.", _WAIT),
    "ContextNotFound": Reason("user", "The lead this came from no longer exists at AWS.", _EDIT),
    "CustomerProjectContextNotPermitted": Reason(
        "user", "AWS makes no opportunity of this kind of engagement.", "Create the opportunity by itself."
    ),
    "DisqualifiedLeadNotPermitted": Reason(
        "user", "The lead is disqualified at AWS.", "Qualify the lead first, or clear the flag."
    ),
}
UNKNOWN_REASON = Reason("user", "AWS did not accept the submission.", "Read AWS's message and correct the record.")


def explain_reason(code: str) -> Reason:
    """What a reason code means, in either spelling; ``UNKNOWN_REASON`` when there is none or it is new."""
    wanted = normalise_code(code)
    known = (reason for name, reason in REASON_CODES.items() if normalise_code(name) == wanted)
    return next(known, UNKNOWN_REASON)


# Source: enum ValidationExceptionErrorCode of the same model; the last one occurs in task messages only.
ERROR_CODES: Mapping[str, Meaning] = {
    "REQUIRED_FIELD_MISSING": Meaning("AWS needs a value here.", "Fill it in."),
    "INVALID_ENUM_VALUE": Meaning("AWS does not know this value.", "Choose one of AWS's values."),
    "INVALID_STRING_FORMAT": Meaning("This is not written as AWS wants it.", "Correct the format."),
    "INVALID_VALUE": Meaning("AWS does not accept this value.", "Use another value."),
    "NOT_ENOUGH_VALUES": Meaning("AWS wants more values here.", "Add some."),
    "TOO_MANY_VALUES": Meaning("AWS takes fewer values here.", "Remove some."),
    "INVALID_RESOURCE_STATE": Meaning(
        "AWS does not allow this in the opportunity's present state.", "Wait until AWS's review has moved on."
    ),
    "DUPLICATE_KEY_VALUE": Meaning(
        "AWS already has an opportunity with this identifier.", "Look for the duplicate in Partner Central."
    ),
    "VALUE_OUT_OF_RANGE": Meaning("The value is too large or too small for AWS.", "Correct it."),
    "ACTION_NOT_PERMITTED": Meaning(
        "AWS does not allow this now.", "Set the value back, or wait until AWS's review has moved on."
    ),
    "BUSINESS_VALIDATION_EXCEPTION": Meaning("This breaks one of AWS's rules.", "Correct it as AWS's text says."),
}
UNKNOWN_ERROR = Meaning("AWS does not accept this.", "Correct it as AWS's text says.")


def explain_error(code: str) -> Meaning:
    """What an error code means, in either spelling; ``UNKNOWN_ERROR`` when it is new."""
    wanted = normalise_code(code)
    known = (meaning for name, meaning in ERROR_CODES.items() if normalise_code(name) == wanted)
    return next(known, UNKNOWN_ERROR)
