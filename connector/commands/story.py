"""Who acts in the demo beside the connector: sellers at Salesforce's own API, AWS's people, and invited partners."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from connector.sandbox.server import Sandbox

API = "/services/data/v66.0"
DEAL = "United Oil Refinery Generators"
"""The deal whose whole life is told."""
LOST = "United Oil SLA"
REJECTED = "Pyramid Emergency Generators"


@dataclass(frozen=True, slots=True)
class Org:
    """Salesforce as a seller has it before him, asked over its own API without the connector."""

    session: requests.Session
    url: str

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Rows without their attributes. Raises requests.HTTPError."""
        answer = self.session.get(f"{self.url}{API}/query", params={"q": soql}, timeout=10)
        answer.raise_for_status()
        return [{n: v for n, v in row.items() if n != "attributes"} for row in answer.json()["records"]]

    def edit(self, sobject: str, salesforce_id: str, **fields: Any) -> None:
        """Set fields of a row. Raises requests.HTTPError."""
        address = f"{self.url}{API}/sobjects/{sobject}/{salesforce_id}"
        self.session.patch(address, json=fields, timeout=10).raise_for_status()

    def deal(self, name: str, *fields: str) -> dict[str, Any]:
        """These fields of the shared opportunity of that name."""
        columns = ", ".join(("Id", "AccountId", "AWS_Opportunity_Id__c", *fields))
        shared = f"FROM Opportunity WHERE Share_With_AWS__c = TRUE AND Name = '{name}'"  # a sample record's name
        (row,) = self.query(f"SELECT {columns} {shared}")
        return row


@contextmanager
def logged_in(sandbox: Sandbox) -> Iterator[Org]:
    """A session at the sample org."""
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(sandbox.ca_bundle)
        login = {
            "grant_type": "client_credentials",
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
        answer = session.post(f"{sandbox.url}/services/oauth2/token", data=login, timeout=10)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Org(session, sandbox.url)


@dataclass(frozen=True, slots=True)
class Act:
    """One part of the story: what others do, before the connector looks again."""

    title: str
    text: str

    def play(self, sandbox: Sandbox, org: Org) -> None:
        """Nobody does anything."""


class Review(Act):
    def play(self, sandbox: Sandbox, org: Org) -> None:
        """AWS asks for a change of the deal, rejects one and approves the others."""
        words = "The customer's web site does not answer. Which systems hold the sensor data?"
        deal, rejected = (org.deal(name)["AWS_Opportunity_Id__c"] for name in (DEAL, REJECTED))
        for row in org.query("SELECT AWS_Opportunity_Id__c FROM Opportunity WHERE AWS_Review_Status__c = 'Submitted'"):
            opportunity = row["AWS_Opportunity_Id__c"]
            sandbox.service.review(opportunity, "In review")
            if opportunity == deal:
                sandbox.service.review(deal, "Action Required", words)
            elif opportunity == rejected:
                sandbox.service.review(rejected, "Rejected", "AWS serves this customer already.")
            else:
                sandbox.service.review(opportunity, "Approved")


class Fix(Act):
    def play(self, sandbox: Sandbox, org: Org) -> None:
        """The seller mends what AWS asked for, and changes something else on the way."""
        deal = org.deal(DEAL)
        org.edit("Account", deal["AccountId"], Website="https://www.unitedoil.example")
        problem = "Sensor data of six refineries sits in Historian, SAP PM and two databases; no report covers it all."
        org.edit("Opportunity", deal["Id"], AWS_Business_Problem__c=problem, NextStep="Workshop in the first week")


class Approval(Act):
    def play(self, sandbox: Sandbox, org: Org) -> None:
        """AWS approves the deal and puts people on it; one invited partner comes, the other does not."""
        opportunity = org.deal(DEAL)["AWS_Opportunity_Id__c"]
        sandbox.service.review(opportunity, "Approved")
        team = [
            {"BusinessTitle": "AWSSalesRep", "FirstName": "Robin", "LastName": "Rep", "Email": "rep@aws.example"},
            {"BusinessTitle": "PDM", "FirstName": "Dana", "LastName": "Manager", "Email": "pdm@aws.example"},
        ]
        insights = {"EngagementScore": "High", "NextBestActions": "Introduce the migration program."}
        sandbox.service.summarise(opportunity, OpportunityTeam=team, Insights=insights)
        answers = iter([("ACCEPTED", None), ("REJECTED", "Unable to support")])
        for row in org.query("SELECT Invitation_Id__c FROM AWS_Partner_Invitation__c WHERE Invitation_Id__c != null"):
            invitation = row["Invitation_Id__c"]
            status, reason = next(answers, (None, None))
            if status is not None:
                sandbox.service.answer_invitation(invitation, status, reason)


class Launch(Act):
    def play(self, sandbox: Sandbox, org: Org) -> None:
        """The deal is won and runs on AWS; another one is lost."""
        deal = org.deal(DEAL)["Id"]
        org.edit("Opportunity", deal, StageName="Closed Won", AWS_Customer_Account_Id__c="111122223333")
        lost = org.deal(LOST)["Id"]
        org.edit("Opportunity", lost, StageName="Closed Lost", AWS_Closed_Lost_Reason__c="Price")


ACTS: tuple[Act, ...] = (
    Act(
        "Sellers have flagged some opportunities",
        "The connector maps, creates, associates and submits them and follows the tasks. Once AWS has taken a deal\n"
        "up, it invites the partners that the record names.",
    ),
    Review("AWS reviews", f"It asks for a change of {DEAL}, rejects one deal and approves the others."),
    Fix(
        "The seller mends what AWS asked for",
        "Website and business problem may be changed now and go. The next step may not: it waits for the approval.",
    ),
    Approval(
        "AWS approves, and the partners answer",
        "AWS puts its people on the deal, one partner accepts, another declines; the next step that waited goes now.",
    ),
    Launch("Won, and lost", f"{DEAL} is launched, {LOST} is lost: each in one update, with what AWS wants for it."),
)
