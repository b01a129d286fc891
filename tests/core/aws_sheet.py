"""What AWS's own field sheet says of each field that a partner sends or is told, in a form of our own.

Source: Opportunity-Fields.csv (88 fields), Opportunity-StandardValues.csv, PostalCodeValidations.csv and
CountriesWithoutPostalCode.csv of aws-samples/partner-crm-integration-samples, read 2026-11-22. The sheet is older than
the API: `name` is what it calls a field of the API, `path` what the API has become, in which most names are others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Wanted = Literal["mandatory", "conditional", "optional", "told"]
"""Of what a partner sends; ``told``: AWS tells it only."""
Listed = tuple[str, ...] | tuple[int, str]
"""Standard values, or where they are many, how many and their digest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field.

    ``editable``: A where AWS requires action, O until it is launched or lost, L once it is launched. ``when`` names the
    condition, or the exception of a mandatory one. ``is_created``: whether a create takes it. ``takes`` and ``refuses``
    are examples of its format.
    """

    name: str
    path: str
    wanted: Wanted
    editable: str = ""
    when: str = ""
    is_created: bool = True
    values: Listed = ()
    takes: tuple[Any, ...] = ()
    refuses: tuple[Any, ...] = ()


def digest(values: Iterable[str]) -> tuple[int, str]:
    """How many there are, and what they come to whatever their order."""
    ordered = sorted(values)
    return len(ordered), hashlib.sha256("\n".join(ordered).encode()).hexdigest()[:16]


YES_NO = ("Yes", "No")
NEEDS = (
    "Co-Sell - Architectural Validation",
    "Co-Sell - Business Presentation",
    "Co-Sell - Competitive Information",
    "Co-Sell - Pricing Assistance",
    "Co-Sell - Technical Consultation",
    "Co-Sell - Total Cost of Ownership Evaluation",
    "Co-Sell - Deal Support",
    "Co-Sell - Support for Public Tender / RFx",
    "Do Not Need Support from AWS Sales Rep",
)
INDUSTRIES = (
    *("Aerospace", "Agriculture", "Automotive", "Computers & Electronics", "Consumer Goods", "Education"),
    *("Energy - Oil & Gas", "Energy - Power & Utilities", "Financial Services", "Gaming", "Government", "Healthcare"),
    *("Hospitality", "Life Sciences", "Manufacturing", "Marketing & Advertising", "Media & Entertainment", "Mining"),
    *("Non-Profit Organization", "Other", "Professional Services", "Real Estate & Construction", "Retail"),
    *("Software & Internet", "Telecommunications", "Transportation & Logistics", "Travel", "Wholesale & Distribution"),
)
COMPETITORS = (
    *("Oracle Cloud", "On-Prem", "Co-location", "Akamai", "AliCloud", "Google Cloud Platform", "IBM Softlayer"),
    *("Microsoft Azure", "Other- Cost Optimization", "No Competition", "*Other"),
)
ACTIVITIES = (
    "Initialized discussions with customer",
    "Customer has shown interest in solution",
    "Conducted POC / Demo",
    "In evaluation / planning stage",
    "Agreed on solution to Business Problem",
    "Completed Action Plan",
    "Finalized Deployment Need",
    "SOW Signed",
)
MODELS = ("SaaS or PaaS", "BYOL or AMI", "Managed Services", "Professional Services", "Resell", "Other")
STAGES = (
    *("Prospect", "Qualified", "Technical Validation", "Business Validation", "Committed", "Launched", "Closed Lost"),
)
LOST = (
    *("Customer Deficiency", "Delay / Cancellation of Project", "Legal / Tax / Regulatory"),
    *(f"Lost to Competitor \N{EN DASH} {name}" for name in ("Google", "Microsoft", "SoftLayer", "VMWare", "Other")),
    *("No Opportunity", "On Premises Deployment", "Partner Gap", "Price", "Security / Compliance", "Other"),
    *("Technical Limitations", "Customer Experience", "People/Relationship/Governance", "Product/Technology"),
    "Financial/Commercial",
)
CHANNELS = (
    *("AWS Marketing Central", "Content Syndication", "Display", "Email", "Live Event", "Out Of Home (OOH)", "Print"),
    *("Search", "Social", "Telemarketing", "TV", "Video", "Virtual Event"),
)
REVENUE = ("Contract", "Pay-as-you-go", "Subscription")
ACTIVITY_USE_CASES, PROGRAMS = (26, "71dcb1ca9a255ff8"), (16, "d5cd3a94ead25732")
USE_CASES, STATES, CURRENCIES = (39, "e63d598976497b9a"), (62, "63496b8ea23bbc80"), (168, "b28718558a661a10")

_ACCOUNT, _ADDRESS = "Customer.Account", "Customer.Account.Address"
_RELATED, _SPEND = "RelatedEntityIdentifiers", "Project.ExpectedCustomerSpend[]"
_SECRET = "but for national security"
_PROGRAM = "launched, in a special program"
SHEET: tuple[Row, ...] = (
    Row("AccessControls.NationalSecurity", "NationalSecurity", "optional", values=YES_NO),
    Row("Customer.Account.Address.City", f"{_ADDRESS}.City", "optional", "AO"),
    Row(
        "Customer.Account.Address.Country",
        f"{_ADDRESS}.CountryCode",
        "mandatory",
        "A",
        values=("Germany", "United States"),
    ),
    Row(
        "Customer.Account.WebsiteUrl",
        f"{_ACCOUNT}.WebsiteUrl",
        "mandatory",
        "A",
        _SECRET,
        takes=("https://customer.example",),
    ),
    Row(
        "Customer.Account.Duns",
        f"{_ACCOUNT}.Duns",
        "optional",
        "O",
        takes=("123456789",),
        refuses=("12345678", "1234567890"),
    ),
    Row("Customer.Account.Industry", f"{_ACCOUNT}.Industry", "mandatory", values=INDUSTRIES),
    Row("Customer.Account.OtherIndustry", f"{_ACCOUNT}.OtherIndustry", "conditional", "", "industry Other"),
    Row("Customer.Account.CompanyName", f"{_ACCOUNT}.CompanyName", "mandatory", "", _SECRET),
    Row("Customer.Account.Address.PostalCode", f"{_ADDRESS}.PostalCode", "mandatory", "A", "but for countries without"),
    Row(
        "Customer.Account.Address.StateOrRegion",
        f"{_ADDRESS}.StateOrRegion",
        "conditional",
        "A",
        "United States",
        values=STATES,
    ),
    Row("Customer.Account.Address.StreetAddress", f"{_ADDRESS}.StreetAddress", "optional", "AO"),
    Row(
        "Marketing.CampaignName", "Marketing.CampaignName", "optional", "O", "marketing activity", refuses=("Anything",)
    ),
    Row(
        "RelatedEntityIdentifiers.AWSProducts",
        f"{_RELATED}.AwsProducts",
        "optional",
        "O",
        takes=("AWSLambda", "AmazonWorkLink"),
    ),
    Row(
        "TargetCloseDate",
        "LifeCycle.TargetCloseDate",
        "mandatory",
        "AO",
        takes=("2026-11-21", "2026-11-22"),
        refuses=("2026-11-20",),
    ),
    Row("Project.DeliveryModel", "Project.DeliveryModels", "mandatory", "OL", values=MODELS),
    Row("Marketing.Source", "Marketing.Source", "mandatory", "O", values=YES_NO),
    Row("Marketing.ActivityChannels", "Marketing.Channels", "optional", "O", "marketing activity", values=CHANNELS),
    Row(
        "Marketing.ActivityUseCases",
        "Marketing.UseCases",
        "optional",
        "O",
        "marketing activity",
        values=ACTIVITY_USE_CASES,
    ),
    Row(
        "Marketing.AWSFundingUsed", "Marketing.AwsFundingUsed", "conditional", "O", "marketing activity", values=YES_NO
    ),
    Row("LifeCycle.StepsHistory", "opportunity.LifeCycle.NextStepsHistory", "told"),
    Row("LifeCycle.NextSteps", "LifeCycle.NextSteps", "optional", "O"),
    Row(
        "OpportunityType", "OpportunityType", "optional", "O", values=("Flat Renewal", "Expansion", "Net New Business")
    ),
    Row(
        "Project.OtherSolutionDescription",
        "Project.OtherSolutionDescription",
        "conditional",
        "O",
        "no solution",
        takes=("x" * 255,),
        refuses=("x" * 256,),
    ),
    Row(
        "Project.RelatedOpportunityIdentifier",
        "Project.RelatedOpportunityIdentifier",
        "conditional",
        "O",
        "Flat Renewal",
        takes=("O" + "1" * 19,),
        refuses=("O" + "1" * 20,),
    ),
    Row("PrimaryNeedsFromAWS", "PrimaryNeedsFromAws", "mandatory", "O", values=NEEDS),
    Row("Project.Title", "Project.Title", "mandatory"),
    Row("Project.SalesActivities", "Project.SalesActivities", "mandatory", "O", values=ACTIVITIES),
    Row(
        "Project.ExpectedMonthlyAWSRevenue.Amount",
        f"{_SPEND}.Amount",
        "mandatory",
        "AO",
        takes=("1", "9" * 18),
        refuses=("0", "-1", "1.5", "1" + "0" * 18),
    ),
    Row(
        "Project.CustomerBusinessProblem",
        "Project.CustomerBusinessProblem",
        "mandatory",
        "A",
        takes=("x" * 20,),
        refuses=("x" * 19,),
    ),
    Row(
        "RelatedEntityIdentifiers.Solutions",
        f"{_RELATED}.Solutions",
        "mandatory",
        "O",
        takes=("S-0001234",),
        refuses=("0001234", "S-1234"),
    ),
    Row("Project.CustomerUseCase", "Project.CustomerUseCase", "mandatory", "O", values=USE_CASES),
    Row("Project.AdditionalComments", "Project.AdditionalComments", "optional", "OL"),
    Row(
        "Customer.Account.AWSAccountId",
        f"{_ACCOUNT}.AwsAccountId",
        "conditional",
        "O",
        "launched, by a services partner",
        takes=("111122223333",),
        refuses=("11112222333",),
    ),
    Row("Project.APNPrograms", "Project.ApnPrograms", "optional", "O", values=PROGRAMS),
    Row("Project.CompetitorNames", "Project.CompetitorName", "optional", "O", values=COMPETITORS),
    Row("Project.OtherCompetitorNames", "Project.OtherCompetitorNames", "conditional", "O", "competitor *Other"),
    Row("PartnerOpportunityIdentifier", "PartnerOpportunityIdentifier", "conditional", "AO", "update"),
    Row("AWSOpportunityTeam.AWSAccountOwner.Email", "aws.OpportunityTeam[].Email", "told"),
    Row("AWSOpportunityTeam.AWSAccountOwner.FirstName, LastName", "aws.OpportunityTeam[].LastName", "told"),
    Row("AWSOpportunityTeam.ISVSM.Email", "aws.OpportunityTeam[].Email", "told"),
    Row("AWSOpportunityTeam.ISVSM.FirstName, LastName", "aws.OpportunityTeam[].LastName", "told"),
    Row("AWSOpportunityTeam.AWSSalesRep.Email", "aws.OpportunityTeam[].Email", "told"),
    Row("AWSOpportunityTeam.AWSSalesRep.FirstName, LastName", "aws.OpportunityTeam[].LastName", "told"),
    Row("Customer.Contact.Email", "Customer.Contacts[].Email", "optional", "O"),
    Row("Customer.Contact.FirstName", "Customer.Contacts[].FirstName", "optional", "O"),
    Row("Customer.Contact.LastName", "Customer.Contacts[].LastName", "optional", "O"),
    Row("Customer.Contact.Phone", "Customer.Contacts[].Phone", "optional", "O"),
    Row("Customer.Contact.Title", "Customer.Contacts[].BusinessTitle", "optional", "O"),
    Row("AWSOpportunityTeam.PDM.Email", "aws.OpportunityTeam[].Email", "told"),
    Row("AWSOpportunityTeam.PDM.FirstName, LastName", "aws.OpportunityTeam[].LastName", "told"),
    Row("PartnerOpportunityContact.PartnerAccountManager.Email", "OpportunityTeam[].Email", "optional", "O"),
    Row("PartnerOpportunityContact.PartnerAccountManager.FirstName", "OpportunityTeam[].FirstName", "optional", "O"),
    Row("PartnerOpportunityContact.PartnerAccountManager.LastName", "OpportunityTeam[].LastName", "optional", "O"),
    Row("PartnerOpportunityContact.PartnerAccountManager.Phone", "OpportunityTeam[].Phone", "optional", "O"),
    Row("PartnerOpportunityContact.PartnerAccountManager.Title", "OpportunityTeam[].BusinessTitle", "optional", "O"),
    Row("AWSOpportunityTeam.PSM.Email", "aws.OpportunityTeam[].Email", "told"),
    Row("AWSOpportunityTeam.PSM.FirstName, LastName", "aws.OpportunityTeam[].LastName", "told"),
    Row("AWSOpportunityTeam.WWPSPDM.Email", "aws.OpportunityTeam[].Email", "told"),
    Row("AWSOpportunityTeam.WWPSPDM.FirstName, LastName", "aws.OpportunityTeam[].LastName", "told"),
    Row("Identifier", "Identifier", "conditional", "", "update", is_created=False),
    Row("Origin", "aws.Origin", "told", values=("Partner Referral", "AWS Referral")),
    Row("AccessControls.Owner.Email", "Assignee.Email", "optional", "O"),
    Row("AccessControls.Owner.FirstName, LastName", "Assignee.LastName", "optional", "O"),
    Row("LifeCycle.PropensityToBuyScore", "aws.Insights.EngagementScore", "told", values=("Low", "Medium", "High")),
    Row("LifeCycle.NextBestActions", "aws.Insights.NextBestActions", "told"),
    Row("LifeCycle.Stage", "LifeCycle.Stage", "mandatory", "O", "but for a create", is_created=False, values=STAGES),
    Row(
        "LifeCycle.ApprovalStatus",
        "opportunity.LifeCycle.ReviewStatus",
        "told",
        values=("Draft", "Submitted", "In review", "Approved", "Rejected", "Action Required"),
    ),
    Row(
        "RelatedEntityIdentifiers.AWSMarketplaceOffers",
        f"{_RELATED}.AwsMarketplaceOffers",
        "optional",
        "O",
        is_created=False,
        takes=("offer-xxxxxx",),
    ),
    Row(
        "SoftwareRevenue.ExpirationDate",
        "SoftwareRevenue.ExpirationDate",
        "conditional",
        "OL",
        _PROGRAM,
        is_created=False,
    ),
    Row(
        "SoftwareRevenue.Value.Currency",
        "SoftwareRevenue.Value.CurrencyCode",
        "conditional",
        "OL",
        _PROGRAM,
        is_created=False,
        values=CURRENCIES,
    ),
    Row(
        "SoftwareRevenue.Value.Amount",
        "SoftwareRevenue.Value.Amount",
        "conditional",
        "OL",
        _PROGRAM,
        is_created=False,
        takes=("99000.50", "9" * 14 + ".99"),
        refuses=("1.555", "9" * 15 + ".99"),
    ),
    Row(
        "SoftwareRevenue.EffectiveDate",
        "SoftwareRevenue.EffectiveDate",
        "conditional",
        "OL",
        _PROGRAM,
        is_created=False,
    ),
    Row(
        "SoftwareRevenue.DeliveryModel",
        "SoftwareRevenue.DeliveryModel",
        "conditional",
        "OL",
        _PROGRAM,
        is_created=False,
        values=REVENUE,
    ),
    Row("LifeCycle.AcceptBy", "invitation.ExpirationDate", "told"),
    Row("LifeCycle.PartnerAcceptanceStatus", "", "conditional", "", "AWS's own referral", is_created=False),
    Row("RejectionReason", "", "conditional", "", "AWS's own referral", is_created=False),
    Row("LifeCycle.ReviewComments", "opportunity.LifeCycle.ReviewComments", "told"),
    Row(
        "LifeCycle.ClosedLostReason",
        "LifeCycle.ClosedLostReason",
        "conditional",
        "O",
        "Closed Lost",
        is_created=False,
        values=LOST,
    ),
    Row("", "", "optional", "O"),  # the id of an AWS lead that becomes an opportunity
    Row("AWSSalesLifeCycle.ClosedLostReason", "aws.LifeCycle.ClosedLostReason", "told"),
    Row("AWSSalesLifeCycle.TargetCloseDate", "aws.LifeCycle.TargetCloseDate", "told"),
    Row("AWSSalesLifeCycle.Stage", "aws.LifeCycle.Stage", "told"),
    Row("", "", "told"),  # who created it
    Row("CreatedDate", "opportunity.CreatedDate", "told"),
    Row("", "", "told"),  # who last modified it
    Row("LastModifiedDate", "opportunity.LastModifiedDate", "told"),
    Row(
        "PrimaryNeedsFromAWSChangeReason",
        "aws.InvolvementTypeChangeReason",
        "told",
        values=(
            "Expansion Opportunity",
            "Change in Deal Information",
            "Customer Requested",
            "Technical Complexity",
            "Risk Mitigation",
        ),
    ),
    Row("", "", "told"),  # what was changed for the sake of old versions
)

# PostalCodeValidations.csv: its 149 messages name 147 countries, the United Kingdom twice, and Serbia and Montenegro,
# which is no country any more. The forms as the messages print them: those that are shown otherwise here, and how many
# the others are and what they come to, each as "DE 99999" or "US 99999|99999-9999".
POSTAL_FORMS = (140, "beac37dd015af914")
OTHER_POSTAL_FORMS = {
    "BN": ("KB9999",),
    "GB": ("A(A)N(A/N) NAA", "A(A)N(A/N)NAA", "DT3 6GB", "L2 2DP"),
    "IE": ("A99 9A9A", "A999A9A"),
    "NL": ("9999 AC", "9999AC"),
    "SV": ("1101",),
    "SZ": ("M999",),
    "VA": ("120",),
}
# CountriesWithoutPostalCode.csv, by their codes.
WITHOUT_POSTAL_CODES = (59, "ed4e6993146e2379")
# The countries among the standard values, by their codes, the United Kingdom under two names; Serbia and Montenegro has
# no code.
COUNTRIES = (249, "fb29c6c15c61be77")
