"""Partner Central with faults and an STS beside it, as one ASGI app; and a body that AWS accepts."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from connector.sandbox.faults import FaultInjection, Faults
from connector.sandbox.partner_central.api import create_app
from connector.sandbox.partner_central.service import PartnerCentral
from connector.sandbox.partner_central.settings import Settings

DEAL: dict[str, Any] = {
    "ClientToken": "token-1",
    "Origin": "Partner Referral",
    "OpportunityType": "Net New Business",
    "NationalSecurity": "No",
    "PartnerOpportunityIdentifier": "006000000000001AAA",
    "PrimaryNeedsFromAws": ["Co-Sell - Architectural Validation"],
    "Customer": {
        "Account": {
            "CompanyName": "Bürli Textilien",
            "Industry": "Software and Internet",
            "WebsiteUrl": "https://buerli.example",
            "Address": {"CountryCode": "US", "StateOrRegion": "New York", "PostalCode": "10003"},
        }
    },
    "LifeCycle": {"Stage": "Qualified", "ReviewStatus": "Pending Submission", "TargetCloseDate": "2099-06-30"},
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
ROLE = "arn:aws:iam::111122223333:role/partner-central"
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ROLEKEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>role-token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/p/c</Arn>
<AssumedRoleId>A:c</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"""
DENIED = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code>'
    "<Message>User: arn:aws:iam::111122223333:user/x is not authorized to perform: sts:AssumeRole</Message>"
    "</Error></ErrorResponse>"
)


class Front:
    """Partner Central with faults, and an STS beside it; remembers every request's headers by operation."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.service = PartnerCentral(Settings(quotas=False))
        self.faults = Faults()
        self.seen: list[tuple[str, Headers]] = []
        self.assumed: list[dict[str, list[str]]] = []
        self.sts: tuple[int, str] = (200, ASSUMED)
        self._app = FaultInjection(create_app(self.service), self.faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        target = headers.get("x-amz-target", "").rpartition(".")[2]
        if target:
            self.seen.append((target, headers))
            await self._app(scope, receive, send)
            return
        message: Message = await receive()
        self.assumed.append(parse_qs(message["body"].decode()))
        await Response(self.sts[1], self.sts[0], media_type="text/xml")(scope, receive, send)

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.seen)
