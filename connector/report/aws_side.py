"""What AWS has, where a plan depends on it and the ledger does not know it yet. Reads only; stores nothing.

A plan has to say whether a record is created or taken over, and what is sent to an opportunity that has to be read
first. Where AWS cannot be asked the plan is made all the same, and ``trouble`` says what it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from connector.app import App
from connector.core.model import Link, Structure
from connector.core.plan import Act, Action, Adopt, Read, plan_link
from connector.core.selection import is_id
from connector.errors import ConnectorError, NotFound
from connector.sync import Context
from connector.sync.adoption import is_opportunity_id, missing_at_aws, with_refusal
from connector.sync.learn import seen_whole
from connector.sync.lookup import tasks_of
from connector.sync.observe import has_observed

_PAGE = 100


@dataclass(slots=True)
class AwsSide:
    """AWS's side of one connection during one plan. ``is_fresh``: read what is known, too, before writes are planned.

    ``trouble`` is "" or why AWS could not be asked: then creates may turn out to be taken over.
    """

    app: App
    context: Context
    is_fresh: bool = False
    trouble: str = ""
    claimed: dict[str, Link] = field(default_factory=dict, repr=False)
    """Which record of this plan takes an opportunity over: a clone that names the same one gets nothing."""
    _is_listed_in_ledger: bool | None = field(default=None, repr=False)
    _listed: dict[str, str] | None = field(default=None, repr=False)

    def candidate_of(self, link: Link) -> str:
        """The opportunity that carries this record's id, or a name that an earlier integration gave it; "" for none."""
        if link.opportunity_id or link.candidate_id:
            return link.candidate_id
        names = (link.salesforce_id, *(link.mapped.known_as if link.mapped is not None else ()))
        return next(
            (found for name in names if (found := name if is_opportunity_id(name) else self._sighted(name))), ""
        )

    def as_it_is(self, link: Link) -> Link:
        """The link with what AWS has now, where its plan begins with reading that or goes over it."""
        if link.mapped is None or link.presence != "flagged":
            return link
        actions = plan_link(link, self.context.policy, self.context.now)
        if isinstance(actions[0], Adopt | Read):
            return self._read(replace(link, opportunity_id=actions[0].opportunity_id, candidate_id=""), link)
        if self.is_fresh and link.opportunity_id and any(map(_is_write, actions)):
            return self._read(link, link)
        return link

    def _read(self, link: Link, otherwise: Link) -> Link:
        try:
            existing = self.context.partner_central.call("GetOpportunity", {"Identifier": link.opportunity_id})
            tasks = tasks_of(self.context, link.opportunity_id)
        except NotFound:
            if otherwise.mapped is not None and otherwise.candidate_id in otherwise.mapped.known_as:
                return with_refusal(otherwise, missing_at_aws(self.context, otherwise, otherwise.candidate_id))
            self.trouble = f"AWS does not show {link.opportunity_id}."
            return otherwise
        except ConnectorError as error:
            self.trouble = str(error)
            return otherwise
        facts = seen_whole(self.context, link, existing)
        return replace(
            link,
            existing=facts["existing"],
            attached=facts["attached"],
            base=facts.get("base", link.base),
            task=tasks[-1] if tasks else link.task,
        )

    def _sighted(self, name: str) -> str:
        if self._is_listed_in_ledger is None:
            self._is_listed_in_ledger = self.app.has_ledger and has_observed(self.context)
        if self._is_listed_in_ledger:
            return self.context.ledger.sighted(*self.context.key, name)
        if self._listed is None:
            self._listed = {}
            try:
                self._listed = _by_partner_identifier(self.context)
            except ConnectorError as error:
                self.trouble = str(error)
        forms = (name, name[:15]) if is_id(name) else (name,)  # as the ledger looks: the short form of an id counts
        return min((self._listed[form] for form in forms if form in self._listed), key=_age, default="")


def _is_write(action: Action) -> bool:
    return isinstance(action, Act) and not isinstance(action, Adopt | Read)


def _by_partner_identifier(context: Context) -> dict[str, str]:
    """Every opportunity that carries an id of the partner's; of several with the same the oldest, as in the ledger."""
    found: dict[str, str] = {}
    parameters: Structure = {"MaxResults": _PAGE}
    while True:
        answer = context.partner_central.call("ListOpportunities", parameters)
        for summary in answer["OpportunitySummaries"]:
            name, number = str(summary.get("PartnerOpportunityIdentifier") or ""), str(summary["Id"])
            if name:
                found[name] = min(found.get(name, number), number, key=_age)
        if not answer.get("NextToken"):
            return found
        parameters = {"MaxResults": _PAGE, "NextToken": answer["NextToken"]}


def _age(opportunity_id: str) -> tuple[int, str]:
    """Sorts opportunity ids as they were given out."""
    return len(opportunity_id), opportunity_id
