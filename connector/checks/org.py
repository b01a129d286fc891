"""What ``connector check`` looks at in Salesforce: who we are there, every field, the flag, the clock, the API calls.

Reads only, in a handful of calls: one describe for each object, and two queries. The ledger is read and not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from connector.adapters.partner_central import mapping_shapes
from connector.app import SALESFORCE_CALLS, App
from connector.checks.clock import judge_clock
from connector.checks.org_fields import FieldCheck, Objects
from connector.checks.org_uses import Place, Places, uses_of
from connector.checks.report import Checked
from connector.core.eta import to_words
from connector.core.findings import Finding, Severity
from connector.errors import AccessDenied, ConnectorError, LoginFailed, UserError, WrongAccount
from connector.ports import ApiUsage, Organization
from connector.sync import Context

CLOCK_WRONG = timedelta(minutes=5)
"""From here on Salesforce takes no JWT of ours, and AWS no signature."""
NEARLY_SPENT = 0.8
"""Of our share of the org's API calls."""

_DAY = timedelta(days=1)
_QUERIES_IN_A_CALL = 5
_WRONG_CATALOG = {
    ("AWS", True): (
        "Salesforce is a sandbox org, and the catalog is AWS: its test records would become real opportunities.",
        "Set catalog to Sandbox, or connect the production org.",
    ),
    ("Sandbox", False): (
        "Salesforce is a production org, and the catalog is Sandbox: its real records would show what comes of tests.",
        "Connect a Salesforce sandbox; or flag test records only until you set catalog to AWS.",
    ),
}


def check_org(app: App, context: Context) -> tuple[Checked, ...]:
    """Everything that can be told of one connection's Salesforce org; never stops at the first finding.

    Only where Salesforce is out of reach, or is another org than the configured one, is nothing more asked of it.
    Raises UserError where a mapping file can no longer be read.
    """
    look = _Look(app, context)
    org = look.organization()
    if org is not None:
        look.attempt("fields", look.fields)
        look.attempt("flag", look.flag)
        look.attempt("API calls", look.allowance)
    return tuple(look.checked)


@dataclass(slots=True)
class _Look:
    """One look at one connection; ``checked`` grows as it goes on. ``flag_at``: where the mapping names its records,
    once all that it names was looked at.
    """

    app: App
    context: Context
    checked: list[Checked] = field(default_factory=list)
    flag_at: tuple[Place, ...] = ()

    def add(self, name: str, *findings: Finding) -> None:
        self.checked.append(Checked(f"connection {self.context.name}", f"Salesforce: {name}", findings))

    def finding(self, severity: Severity, kind: str, message: str, cure: str = "") -> Finding:
        return Finding(severity, kind, message, cure, connection=self.context.name)

    def note(self, kind: str, message: str) -> Finding:
        return self.finding(Severity.NOTE, kind, message)

    def attempt(self, name: str, part: Callable[[], None]) -> None:
        """One part of the look; where Salesforce does not let us, that is what is told."""
        try:
            part()
        except UserError:
            raise
        except ConnectorError as error:
            self.add(name, self.finding(Severity.HALT, "salesforce", error.message, error.cure))

    # who we are there

    def organization(self) -> Organization | None:
        """The org, if it may be looked at."""
        began = self.context.now
        try:
            org = self.context.salesforce.identify()
        except ConnectorError as error:
            kind = "login" if isinstance(error, LoginFailed) else "salesforce"
            self.add("login", self.finding(Severity.HALT, kind, error.message, error.cure))
            return None
        now = began + (self.context.now - began) / 2
        kind = "a sandbox" if org.is_sandbox else "production"
        version = self.app.connections[self.context.name].salesforce.api_version
        message = f"Salesforce is the org {org.organization_id} ({org.name}), {kind}; it serves API version {version}."
        wrong = self._another_org(org)
        self.add("org", self.note("org", message), *wrong, *self._another_catalog(org))
        if org.server_now is not None:
            self.add("clock", judge_clock(self.context.name, "Salesforce", org.server_now - now, CLOCK_WRONG))
        return None if wrong else org

    def _another_org(self, org: Organization) -> list[Finding]:
        """Whether it is another org than config.yaml names, or than the ledger was filled from."""
        try:
            self.app.verify_org(self.context, org)
        except WrongAccount as error:
            return [self.finding(Severity.HALT, "org", error.message, error.cure)]
        return []

    def _another_catalog(self, org: Organization) -> list[Finding]:
        """Whether test and production are mixed."""
        wrong = _WRONG_CATALOG.get((self.context.catalog, org.is_sandbox))
        return [self.finding(Severity.WARNING, "catalog", *wrong)] if wrong is not None else []

    # the mapping

    def fields(self) -> None:
        """Every field that the mapping names."""
        context = self.context
        shapes = mapping_shapes()
        roots = {"opportunity": shapes.opportunity, "aws": shapes.aws, "task": shapes.task}
        roots["invitation"] = shapes.invitation_answer
        places = Places.of(self.app.connections[context.name].mapping)
        objects = Objects(context.salesforce, context.mapping.selection.sobject)
        before = len(self.checked)
        for one in FieldCheck(context.name, objects).check(uses_of(context.mapping, places, roots)):
            self.checked.append(one)
        self.flag_at = (places.at("salesforce", "object"), places.at("salesforce", "where"))
        wrong = sum(bool(one.problems) for one in self.checked[before:])
        count, names = len(self.checked) - before, ", ".join(objects.names())
        message = f"The mapping names {count} fields of {names}; {count - wrong} are there as it needs them."
        self.add("fields", self.note("fields", message))

    def flag(self) -> None:
        """How many records are shared now."""
        if broken := self._broken_flag():
            reason = f"The flagged records are not counted. {broken}"
            self.checked.append(Checked(f"connection {self.context.name}", "Salesforce: flag", skipped=reason))
            return
        selection = self.context.mapping.selection
        condition = " ".join(selection.where.split())
        try:
            count = self.context.salesforce.count(selection)
        except AccessDenied:
            if not self.flag_at:  # its fields were not looked at
                raise
            self.add("flag", self._refused(condition, self.flag_at[-1]))
            return
        message = f"{count:,} records are flagged ({condition})."
        if not count:
            message = f"No record is flagged yet: {condition} holds for none that the connector's user sees."
        self.add("flag", self.note("flag", message if count != 1 else message.replace("records are", "record is")))

    def _refused(self, condition: str, place: Place) -> Finding:
        message = f"Salesforce refuses the condition {condition}, though it knows every field in it."
        cure = "Compare each field with values of its own type: text in single quotes, dates without."
        told = self.finding(Severity.ERROR, "flag", message, cure)
        return replace(told, file=place.file, line=place.line, column=place.column)

    def _broken_flag(self) -> str:
        """What the flag's condition needs and Salesforce does not give, in a sentence; "" where there is nothing."""
        lacking = {"object-missing", "relationship-missing", "field-missing", "not-filterable"}
        problems = (problem for one in self.checked for problem in one.problems if problem.kind in lacking)
        here = (one.message for one in problems if Place(one.file, one.line, one.column) in self.flag_at)
        return next(here, "")

    # the allowance

    def allowance(self) -> None:
        """What is left of the org's API calls, against what a day of ours needs."""
        usage, name = self.context.salesforce.usage(), self.context.name
        if not usage.org_limit:
            self.add("API calls", self.note("api-calls", "Salesforce does not tell how many API calls are left."))
            return
        before = self.app.ledger.usage(name, SALESFORCE_CALLS, self.context.now) if self.app.has_ledger else 0
        spent = before + usage.calls
        allowed = int(self.app.connections[name].salesforce.daily_api_share * usage.org_limit)
        needed = self._needed()
        pull = to_words(self.app.config.schedule.pull)
        message = (
            f"Of {usage.org_limit:,} Salesforce API calls in 24 hours {usage.org_used:,} are used. The connector may "
            f"make {allowed:,}, has made {spent:,}, and needs {needed:,} to look every {pull}."
        )
        found = [self.note("api-calls", message)]
        for told, cure in _too_few(usage, spent, allowed, needed):
            found.append(self.finding(Severity.WARNING, "api-calls", told, cure))
        self.add("API calls", *found)

    def _needed(self) -> int:
        """The calls of a day in which nothing changes."""
        selection = self.context.mapping.selection
        queries = 1 + bool(selection.linked_fields) + bool(selection.parents) + len(selection.children)
        calls = -(-queries // _QUERIES_IN_A_CALL)
        return int(_DAY / self.app.config.schedule.pull) * calls


def _too_few(usage: ApiUsage, spent: int, allowed: int, needed: int) -> Iterator[tuple[str, str]]:
    """Why the API calls of a day will not do, each with its cure."""
    if needed > allowed:
        told = f"The connector's share of {allowed:,} API calls is less than the {needed:,} that a day needs."
        yield told, "Raise daily_api_share, or pull less often (schedule.pull)."
    elif usage.org_limit - usage.org_used + spent < needed:
        told = f"Others leave fewer of the org's {usage.org_limit:,} API calls than the {needed:,} that a day needs."
        yield told, "Find out under Setup, System Overview, who uses them; or pull less often (schedule.pull)."
    if spent >= NEARLY_SPENT * allowed:
        told = f"The connector has made {spent:,} of the {allowed:,} API calls that it may make in 24 hours."
        yield told, "Raise daily_api_share, pull less often (schedule.pull), or wait."
