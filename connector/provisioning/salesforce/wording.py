"""Labels, help texts and descriptions of custom fields, from their names and from what AWS calls them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from connector.core.schema import steps_of
from connector.provisioning.salesforce.field_types import FieldType
from connector.provisioning.salesforce.needs import Use

HELP_LENGTH, DESCRIPTION_LENGTH, LABEL_LENGTH = 510, 1000, 40
_STRUCTURE = frozenset(
    {"Invitation", "Payload", "OpportunityInvitation", "AwsSubmission", "RelatedEntityIdentifiers", "Assignee"}
)
_SYNC = {
    "sync.status": "whether Salesforce and AWS agree, or what it waits for",
    "sync.message": "why, and what to do",
    "sync.at": "when the sync status last changed",
}
_SIDES = {"aws": "AWS's own", "opportunity": "AWS's", "task": "the submission task's", "invitation": "the invitation's"}
_MIDDLE = "Value"
"""Says nothing of where a member stands: what holds it does."""
_HOW_TO_FILL = {"MultiselectPicklist": "Choose one or more.", "Picklist": "Choose one."}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ACRONYMS = re.compile(r"\b(aws|apn|arn|url|duns)\b", re.IGNORECASE)


def label_of(name: str) -> str:
    """``AWS_Sync_Status__c`` → ``AWS Sync Status``."""
    return name.removesuffix("__c").replace("_", " ")


def plural_of(label: str) -> str:
    """The label in the plural, unless that were longer than Salesforce takes."""
    made = _in_plural(label)
    return made if len(made) <= LABEL_LENGTH else label


def _in_plural(label: str) -> str:
    if label.endswith("y") and label[-2:-1] not in "aeiou":
        return f"{label[:-1]}ies"
    return label if label.endswith("s") else f"{label}s"


def help_of(uses: Sequence[Use], found: FieldType) -> str:
    """What a seller reads at the field's question mark."""
    written, sent, tested = _sorted(uses)
    parts = []
    if written:
        parts.append(f"Filled in by the connector: {' and '.join(map(_told, written))}.")
    if sent:
        parts.append(f"Sent to AWS as {' and as '.join(dict.fromkeys(map(_words_of, sent)))}.")
    if not written and not sent and "" in tested:
        parts.append("Decides whether, or when, a record goes to AWS.")
    elif not written and not sent:
        parts.append(f"Decides what AWS is sent as {', '.join(map(_words_of, tested))}.")
    if not written and found.kind in _HOW_TO_FILL:
        parts.append(_HOW_TO_FILL[found.kind])
    return _cut(" ".join(parts), HELP_LENGTH)


def description_of(uses: Sequence[Use]) -> str:
    """What an administrator reads in the set-up."""
    written, sent, tested = _sorted(uses)
    parts = ["AWS Partner Central connector."]
    if written:
        parts.append(f"Written: {', '.join(written)}. Nobody else should edit it.")
    if sent:
        parts.append(f"Read for {', '.join(sent)}.")
    if tested:
        parts.append(f"Looked at for {', '.join(path or 'a condition of the mapping' for path in tested)}.")
    return _cut(" ".join(parts), DESCRIPTION_LENGTH)


def _sorted(uses: Sequence[Use]) -> tuple[list[str], list[str], list[str]]:
    """What is written, what is sent, and what the field only decides, each once."""
    written = dict.fromkeys(use.about for use in uses if use.writes)
    sent = dict.fromkeys(use.about for use in uses if not use.writes and not use.tests)
    tested = dict.fromkeys(use.about for use in uses if use.tests)
    return list(written), list(sent), list(tested)


def _told(fact: str) -> str:
    if fact in _SYNC:
        return _SYNC[fact]
    root, _, path = fact.partition(".")
    role = re.search(r"\[([A-Za-z]\w*)\]", fact)
    if role:
        return f"{_to_words(steps_of(path)[-1])} of the {_to_words(role[1])}"
    return f"{_SIDES.get(root, 'AWS')} {_words_of(path)}"


def _words_of(path: str) -> str:
    """``Project.CustomerUseCase`` → ``customer use case (project)``."""
    *before, last = [step for step in steps_of(path) if step not in _STRUCTURE]
    before = [step for step in before if step != _MIDDLE]
    where = f" ({_to_words(before[-1])})" if before else ""
    return _to_words(last) + where


def _to_words(name: str) -> str:
    words = _HUMP.sub(" ", name)
    plain = " ".join(word if word.isupper() else word.lower() for word in words.split())
    return _ACRONYMS.sub(lambda match: match[0].upper(), plain)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
