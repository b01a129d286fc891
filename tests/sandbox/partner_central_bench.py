"""What the Partner Central tests share: a real https server, a real boto3 client, a clock, and a body AWS accepts."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import boto3
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.types import Receive, Scope, Send

from connector.sandbox.faults import FaultInjection, Faults
from connector.sandbox.partner_central.api import create_app
from connector.sandbox.partner_central.service import PartnerCentral
from connector.sandbox.partner_central.settings import Settings
from connector.sandbox.server import HttpsServer

START = datetime(2027, 1, 15, 12, 0, 0, 250_000, UTC)
CO_SELL = {"InvolvementType": "Co-Sell", "Visibility": "Full"}
VISIBILITY_ONLY = {"InvolvementType": "For Visibility Only"}
SECOND = "444455556666"
INVITATION: dict[str, Any] = {
    "Message": "Join us",
    "Receiver": {"Account": {"AwsAccountId": SECOND}},
    "Payload": {
        "OpportunityInvitation": {
            "ReceiverResponsibilities": ["Reseller"],
            "Customer": {
                "Industry": "Retail",
                "CompanyName": "Burlington Textiles",
                "WebsiteUrl": "https://burlington.example",
                "CountryCode": "US",
            },
            "Project": {
                "Title": "Weaving plant",
                "BusinessProblem": "Looms report late and by hand.",
                "TargetCompletionDate": "2027-06-30",
                "ExpectedCustomerSpend": [],
            },
        }
    },
}

COMPLETE: dict[str, Any] = {
    "Catalog": "Sandbox",
    "Origin": "Partner Referral",
    "OpportunityType": "Net New Business",
    "NationalSecurity": "No",
    "PartnerOpportunityIdentifier": "006000000000001AAA",
    "PrimaryNeedsFromAws": ["Co-Sell - Architectural Validation"],
    "Customer": {
        "Account": {
            "CompanyName": "Burlington Textiles",
            "Industry": "Software and Internet",
            "WebsiteUrl": "https://burlington.example",
            "Address": {"CountryCode": "US", "StateOrRegion": "New York", "PostalCode": "10003"},
        }
    },
    "LifeCycle": {"Stage": "Qualified", "ReviewStatus": "Pending Submission", "TargetCloseDate": "2027-06-30"},
    "Marketing": {"Source": "None"},
    "Project": {
        "Title": "Weaving plant",
        "CustomerBusinessProblem": "Looms report late and by hand.",
        "CustomerUseCase": "Security & Compliance",
        "DeliveryModels": ["SaaS or PaaS"],
        "SalesActivities": ["Initialized discussions with customer"],
        "ExpectedCustomerSpend": [
            {"Amount": "1000.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
        ],
        "OtherSolutionDescription": "A loom gateway",
    },
}

READ_ONLY = ("Id", "Arn", "CreatedDate", "OpportunityTeam", "RelatedEntityIdentifiers", "ResponseMetadata")


def changed(body: dict[str, Any], *changes: tuple[str, Any]) -> dict[str, Any]:
    """A copy of a body with values set at dotted paths of member names; None takes the member away."""
    result = copy.deepcopy(body)
    for path, value in changes:
        *parents, last = path.split(".")
        block: Any = result
        for parent in parents:
            block = block[int(parent)] if isinstance(block, list) else block.setdefault(parent, {})
        if value is None:
            block.pop(last, None)
        else:
            block[last] = value
    return result


def make_body(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The complete create body with changes."""
    return changed(COMPLETE, *changes)


def problems_of(error: ClientError) -> set[tuple[str, str]]:
    """(FieldName, Code) of a ValidationException's ErrorList."""
    return {(entry.get("FieldName", ""), entry["Code"]) for entry in error.response["ErrorList"]}


class Bench:
    """One server for many tests; `reset` gives each its own service."""

    def __init__(self, directory: Path) -> None:
        self.server = HttpsServer(self._serve, directory / "ca.pem")
        self.reset()

    def reset(self, accounts: Mapping[str, str] | None = None, **settings: Any) -> None:
        self.now = START
        self.faults = Faults()
        chosen = Settings(**{"quotas": False, **settings})
        self.service = PartnerCentral(chosen, lambda: self.now, accounts)
        self._app = FaultInjection(create_app(self.service), self.faults)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def client_of(self, access_key: str, read_timeout: float = 20) -> Any:
        return boto3.client(
            "partnercentral-selling",
            region_name="us-east-1",
            endpoint_url=self.server.url,
            verify=str(self.server.ca_bundle),
            aws_access_key_id=access_key,
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout),
        )

    def post(self, operation: str, content: object, **headers: str) -> requests.Response:
        """A raw request, signed well enough."""
        scope = "KEY/20270115/us-east-1/partnercentral-selling/aws4_request"
        sent = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AWSPartnerCentralSelling.{operation}",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            **headers,
        }
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        return requests.post(self.server.url, data, headers=sent, verify=str(self.server.ca_bundle), timeout=20)

    def create(self, *changes: tuple[str, Any]) -> str:
        identifier: str = self.client.create_opportunity(**make_body(*changes))["Id"]
        return identifier

    def start(self, identifier: str, submission: dict[str, str] = CO_SELL, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.start_engagement_from_opportunity_task(
            Catalog="Sandbox", Identifier=identifier, AwsSubmission=submission, **more
        )
        return answer

    def read(self, identifier: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get_opportunity(Catalog="Sandbox", Identifier=identifier)
        return answer

    def echo(self, identifier: str) -> dict[str, Any]:
        """An update body that changes nothing, built from GetOpportunity as AWS advises."""
        body = {key: value for key, value in self.read(identifier).items() if key not in READ_ONLY}
        body["Project"]["CustomerUseCase"] = body["Project"]["CustomerUseCase"].replace("&amp;", "&")
        return {**body, "Identifier": identifier}

    def update(self, identifier: str, *changes: tuple[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.update_opportunity(**changed(self.echo(identifier), *changes))
        return answer

    def status(self, identifier: str) -> str | None:
        status: str | None = self.read(identifier)["LifeCycle"].get("ReviewStatus")
        return status

    def approve(self, *changes: tuple[str, Any]) -> str:
        """A new record that AWS has approved."""
        identifier = self.create(*changes)
        assert self.start(identifier)["TaskStatus"] == "COMPLETE"
        self.service.review(identifier, "Approved")
        return identifier

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def __enter__(self) -> Self:
        self.server.start()
        self.client = self.client_of("ANY")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.server.stop()
