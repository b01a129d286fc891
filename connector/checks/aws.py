"""What ``connector check`` looks at in AWS: who we are there, what we may do, solutions, the clock and the quota.

Reads only: no write is ever tried out, since AWS keeps what was created. The ledger is read and not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from connector.app import App
from connector.checks.clock import judge_clock
from connector.checks.report import Checked
from connector.core.actions import CATALOG_KEY, Action, Use, needed
from connector.core.findings import Finding, Severity
from connector.core.mapping.nodes import Leaf
from connector.core.model import Structure
from connector.core.schema import suggest
from connector.errors import ConnectorError, RecordError, TemporaryError
from connector.ports import Identity
from connector.sync import Context

PAGE = 100
CLOCK_WRONG = timedelta(minutes=4)
"""AWS takes no signature that is more than five minutes off."""

_NOBODY = "O0"
"""An opportunity that nobody has. AWS asks first whether one may read, then whether it is there."""
PROBES: dict[str, Structure] = {
    "ListOpportunities": {"MaxResults": 1},
    "GetOpportunity": {"Identifier": _NOBODY},
    "ListEngagementFromOpportunityTasks": {"MaxResults": 1},
    "GetAwsOpportunitySummary": {"RelatedOpportunityIdentifier": _NOBODY},
    "ListSolutions": {"MaxResults": 1},
    "ListEngagementResourceAssociations": {"MaxResults": 1},
    "ListEngagementInvitations": {"ParticipantType": "SENDER", "MaxResults": 1},
    "GetEngagementInvitation": {"Identifier": "engi-0000000000000"},
}
"""For each read a call that costs nothing and changes nothing."""

_SOLUTIONS = ("Solutions", "AwsMarketplaceSolutions", "AwsMarketplaceProducts")
"""Kinds of which AWS takes any one for a solution."""


def check_aws(app: App, context: Context) -> tuple[Checked, ...]:
    """Everything that can be told of one connection's side at AWS; never stops at the first finding.

    Only where AWS is out of reach, or takes the credentials for nobody's, is nothing more asked of it.
    """
    look = _Look(app, context)
    look.catalog()
    try:
        identity = look.identity()
        look.permissions(identity)
        look.solutions()
    except ConnectorError as error:
        look.add("answers", look.finding(Severity.HALT, "aws", error.message, error.cure))
    look.clock()
    look.quota()
    return tuple(look.checked)


@dataclass(slots=True)
class _Look:
    """One look at one connection; ``checked`` grows as it goes on."""

    app: App
    context: Context
    checked: list[Checked] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)

    def add(self, name: str, *findings: Finding) -> None:
        self.checked.append(Checked(f"connection {self.context.name}", f"AWS: {name}", findings))

    def finding(self, severity: Severity, kind: str, message: str, cure: str = "", **place: Any) -> Finding:
        return Finding(severity, kind, message, cure, connection=self.context.name, **place)

    # where we are

    def catalog(self) -> None:
        """Which catalog it is, and that it is the one the ledger was filled from."""
        name = self.context.catalog
        meaning = "production: AWS's sellers see what is submitted" if name == "AWS" else "for tests"
        found = [self.finding(Severity.NOTE, "catalog", f"Partner Central's catalog is {name}, {meaning}.")]
        section = self.app.connections[self.context.name].partner_central
        if section.endpoint_url:
            message = f"Partner Central is looked for at {section.endpoint_url} ({section.region}), not at AWS itself."
            found.append(self.finding(Severity.NOTE, "catalog", message))
        try:
            self.app.verify_catalog(self.context)
        except ConnectorError as error:
            found.append(self.finding(Severity.HALT, "catalog", error.message, error.cure))
        self.add("catalog", *found)

    def identity(self) -> Identity | None:
        """Who AWS takes us for. Raises Halt or TemporaryError without credentials."""
        identity = self.context.partner_central.identity()
        account = identity.account if identity is not None else self.context.partner_central.account()
        self.add("identity", self._told_of(identity, account), *self._as_root(identity), *self._other_account(account))
        return identity

    def _told_of(self, identity: Identity | None, account: str) -> Finding:
        if identity is not None:
            message = f"AWS takes the credentials for {identity.arn} of account {identity.account}."
        elif account:
            message = f"The AWS account is {account}; STS does not tell as whom the connector is known there."
        else:
            message = "The AWS account cannot be told: STS is not asked or does not answer."
        return self.finding(Severity.NOTE, "identity", message)

    def _as_root(self, identity: Identity | None) -> Iterator[Finding]:
        if identity is not None and identity.arn.endswith(":root"):
            message = "The credentials are those of the account's root user, which may do everything."
            cure = "Make a role with the policy that `connector iam-policy` prints, and use that."
            yield self.finding(Severity.WARNING, "identity", message, cure)

    def _other_account(self, account: str) -> Iterator[Finding]:
        try:
            self.app.verify_account(self.context, account)
        except ConnectorError as error:
            yield self.finding(Severity.HALT, "identity", error.message, error.cure)

    # what we may do

    def permissions(self, identity: Identity | None) -> None:
        """Each action the mapping needs. Raises Halt or TemporaryError where AWS does not let us look."""
        actions = needed(self.context.mapping)
        allowed: list[Action] = []
        for action in actions:
            if action.use is not Use.READ:
                continue
            try:
                denial = self.context.partner_central.probe(action.operation, PROBES[action.operation])
            except TemporaryError as error:
                if not (allowed or self.denied):
                    raise  # nothing has been answered yet, and to wait for each of the others in turn takes long
                self.add(action.name, self.finding(Severity.HALT, "aws", error.message, error.cure))
                continue
            if denial is None:
                allowed.append(action)
                self.add(action.name)
            elif denial.is_unregistered:
                self._unregistered(denial.message, actions)
                return
            else:
                self._deny(action, denial.message)
        message = f"Partner Central answers in the catalog {self.context.catalog}."
        self.add("answers", self.finding(Severity.NOTE, "aws", message))
        self._simulate(identity, allowed, [action for action in actions if action.use is not Use.READ])

    def _unregistered(self, words: str, actions: Sequence[Action]) -> None:
        self.denied |= {action.name for action in actions}
        cure = (
            f"Link this AWS account to your Partner Central account, and finish its registration as a partner in the "
            f"catalog {self.context.catalog}; no IAM policy helps here."
        )
        self.add("registration", self.finding(Severity.HALT, "registration", f"{words.rstrip('.')}.", cure))

    def _deny(self, action: Action, words: str) -> None:
        """``words`` are who says so."""
        self.denied.add(action.name)
        severity = Severity.ERROR if action.is_vital else Severity.WARNING
        doubt = f" ({action.doubt})" if action.doubt else ""
        message = f"{action.name}, which {action.reason}, is not granted{doubt}: {words.rstrip('.')}."
        scope = f" with {CATALOG_KEY} = {self.context.catalog}" if action.has_catalog else ""
        cure = f"Grant {action.name}{scope}; `connector iam-policy` prints the whole policy."
        self.add(action.name, self.finding(severity, "permission", message, cure))

    def _simulate(self, identity: Identity | None, allowed: Sequence[Action], others: Sequence[Action]) -> None:
        """Of writes only IAM's policy simulator can tell; it is believed where it is right about the reads."""
        told = self.context.partner_central.may([action.name for action in (*allowed, *others)])
        if not all(told.get(action.name, True) for action in allowed):
            told = {}
        words = f"IAM's policy simulator says so of {identity.arn if identity is not None else 'the caller'}"
        for action in others:
            if action.name in told:
                if told[action.name]:
                    self.add(action.name)
                else:
                    self._deny(action, words)
        if unknown := [action.name for action in others if action.name not in told]:
            message = f"Whether these are granted cannot be told without a write: {', '.join(unknown)}."
            cure = (
                "Compare with `connector iam-policy`, or let the caller ask iam:SimulatePrincipalPolicy about itself."
            )
            self.add("writes", self.finding(Severity.NOTE, "permission", message, cure))

    # what there is

    def solutions(self) -> None:
        """The partner's solutions, and whether those that the mapping names are among them.

        Raises Halt or TemporaryError where AWS does not answer.
        """
        if "partnercentral:ListSolutions" in self.denied:
            return
        try:
            listed = self._listed()
        except RecordError as error:
            self.add("solutions", self.finding(Severity.WARNING, "solutions", error.message, error.cure))
            return
        active = {str(one["Id"]) for one in listed if one.get("Status") == "Active"}
        message = f"{len(active)} of the partner's {len(listed)} solutions are active."
        found = [self.finding(Severity.NOTE, "solutions", message)]
        if not active and not set(self.context.mapping.associate) & set(_SOLUTIONS[1:]):
            message = "The partner has no active solution: what is submitted can only describe one in words."
            cure = "AWS wants one from the stage Committed on: have one approved in Partner Central."
            found.append(self.finding(Severity.WARNING, "solutions", message, cure))
        leaf = self.context.mapping.associate.get("Solutions")
        found += [self._unusable(one, leaf, listed) for one in named(leaf) if one not in active] if leaf else []
        self.add("solutions", *found)

    def _listed(self) -> list[Structure]:
        found: list[Structure] = []
        parameters: Structure = {"MaxResults": PAGE}
        while True:
            answer = self.context.partner_central.call("ListSolutions", parameters)
            found += answer.get("SolutionSummaries") or ()
            if not answer.get("NextToken"):
                return found
            parameters["NextToken"] = answer["NextToken"]

    def _unusable(self, identifier: str, leaf: Leaf, listed: Sequence[Structure]) -> Finding:
        names = {str(one["Id"]): str(one.get("Name", "")) for one in listed}
        origin = leaf.origin
        place = {"file": origin.file, "line": origin.line, "column": origin.column, "aws_path": leaf.path}
        if identifier in names:
            status = next(str(one.get("Status")) for one in listed if one["Id"] == identifier)
            message = f"The solution {identifier} ({names[identifier]}) is {status}, AWS associates active ones only."
            return self.finding(
                Severity.ERROR, "solutions", message, "Activate it in Partner Central, or name another.", **place
            )
        message = f"The partner has no solution {identifier!r} in the catalog {self.context.catalog}."
        return self.finding(Severity.ERROR, "solutions", message, _meant(identifier, names), **place)

    # what it is measured by

    def clock(self) -> None:
        """Our clock against AWS's, as its last answer told it."""
        ahead = self.context.partner_central.clock_ahead()
        if ahead is not None:
            self.add("clock", judge_clock(self.context.name, "AWS", ahead, CLOCK_WRONG))

    def quota(self) -> None:
        """What the last 24 hours took of the day's calls, as far as the ledger knows."""
        if not self.app.has_ledger:
            return
        try:
            quota = self.app.quota(self.context.name)
            reads = self.app.reads_today(self.context.name)
        except ConnectorError as error:
            self.add("quota", self.finding(Severity.HALT, "ledger", error.message, error.cure))
            return
        reads_per_day = self.context.reads_per_day
        message = (
            f"Of AWS's quota for 24 hours {quota.per_day - quota.free_today} of {quota.per_day} writes and {reads} of "
            f"{reads_per_day} reads are used."
        )
        self.add("quota", self.finding(Severity.NOTE, "quota", message))


def named(leaf: Leaf) -> list[str]:
    """The identifiers that a line of the mapping itself names, each once; sellers may enter others."""
    said = [leaf.constant, *(leaf.values or {}).values(), leaf.otherwise, leaf.default]
    return list(dict.fromkeys(_texts_in(said)))


def _texts_in(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list):
            yield from _texts_in(value)
        elif isinstance(value, str):
            yield from filter(None, map(str.strip, re.split(r"[;,\n]", value)))


def _meant(identifier: str, names: dict[str, str]) -> str:
    """What the person may have meant: a solution's id, or the one whose name they wrote."""
    by_name = {name.casefold(): one for one, name in names.items()}
    if identifier.casefold() in by_name:
        return f"That is a name; write its id, {by_name[identifier.casefold()]}."
    near = suggest(identifier, [*names, *names.values()])
    one = next((one for one, name in names.items() if repr(name) in near), "")
    return f"{near} Its id is {one}." if one else near or "See ListSolutions, or Partner Central, for their ids."
