"""The sample org: the records every Developer Edition comes with, their partner fields filled in as sellers do.

Most records shared with AWS are complete, some lack one thing each, and there is everyday dirt.
Close dates are days from `today`, so that the sample never ages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

from connector.sandbox.salesforce.org import Org

Entry = Mapping[str, Any]
_INVITATION = "AWS_Partner_Invitation__c"
_OWN_KEYS = frozenset({"ref", "account", "owner", "closes", "campaign", "note", "roles", "opportunity", "completes"})


@dataclass(frozen=True, slots=True)
class Sample:
    """What was loaded: record ids by the sample's own short names (`a1`, `c1`, `o1`, `u1`, `k1`, `i1`), and for
    each shared opportunity and each invitation that is not complete, by record id, what is wrong with it."""

    ids: Mapping[str, str]
    flaws: Mapping[str, str]


def load(org: Org, today: date) -> Sample:
    """Fills an empty org; close and completion dates count from `today`.

    Fields and objects of the partner's that the org does not have are left out.
    """
    text = files(__package__ or "").joinpath("seed.json").read_text(encoding="utf-8")
    data: dict[str, list[dict[str, Any]]] = json.loads(text)
    with org.lock:
        return _Loader(org, today).load(data)


class _Loader:
    def __init__(self, org: Org, today: date) -> None:
        self.org = org
        self.today = today
        self.ids: dict[str, str] = {}
        self.flaws: dict[str, str] = {}

    def load(self, data: Mapping[str, list[dict[str, Any]]]) -> Sample:
        for user in data["users"]:
            self.ids[user["ref"]] = self.org.add_user(user["first"], user["last"], user["email"])
        for campaign in data["campaigns"]:
            self.insert("Campaign", campaign, {})
        for account in data["accounts"]:
            self.insert("Account", account, {})
        for contact in data["contacts"]:
            self.insert("Contact", contact, {"AccountId": self.ids[contact["account"]]})
        for opportunity in data["opportunities"]:
            self.load_opportunity(opportunity)
        if self.org.schema.find(_INVITATION) is not None:
            for invitation in data["invitations"]:
                self.load_invitation(invitation)
        return Sample(self.ids, self.flaws)

    def load_opportunity(self, entry: Entry) -> None:
        links = {
            "AccountId": self.ids[entry["account"]],
            "OwnerId": self.ids[entry["owner"]],
            "CloseDate": (self.today + timedelta(days=entry["closes"])).isoformat(),
        }
        if "campaign" in entry:
            links["CampaignId"] = self.ids[entry["campaign"]]
        record_id = self.insert("Opportunity", entry, links, by=self.ids[entry["owner"]])
        if "note" in entry:
            self.flaws[record_id] = entry["note"]
        for contact, role, is_primary in entry["roles"]:
            made = {"OpportunityId": record_id, "ContactId": self.ids[contact]}
            self.org.insert("OpportunityContactRole", {**made, "Role": role, "IsPrimary": is_primary})

    def load_invitation(self, entry: Entry) -> None:
        links = {
            "Opportunity__c": self.ids[entry["opportunity"]],
            "Target_Completion_Date__c": (self.today + timedelta(days=entry["completes"])).isoformat(),
        }
        record_id = self.insert(_INVITATION, entry, links, by=self.ids[entry["owner"]])
        if "note" in entry:
            self.flaws[record_id] = entry["note"]

    def insert(self, name: str, entry: Entry, links: Entry, *, by: str | None = None) -> str:
        known = self.org.schema.get(name)
        fields = {key: value for key, value in entry.items() if key not in _OWN_KEYS and known.find(key)}
        self.ids[entry["ref"]] = self.org.insert(name, {**fields, **links}, by=by)
        return self.ids[entry["ref"]]
