"""What AWS enforces beyond the model, as plain tables.

Sources: AWS's opportunity field sheet and observed answers.
"""

from __future__ import annotations

CATALOGS = ("AWS", "Sandbox")

_STATES = """\
Alabama|Alaska|American Samoa|Arizona|Arkansas|California|Colorado|Connecticut|Delaware
Dist. of Columbia|Federated States of Micronesia|Florida|Georgia|Guam|Hawaii|Idaho|Illinois|Indiana
Iowa|Kansas|Kentucky|Louisiana|Maine|Marshall Islands|Maryland|Massachusetts|Michigan|Minnesota
Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York
North Carolina|North Dakota|Northern Mariana Islands|Ohio|Oklahoma|Oregon|Palau|Pennsylvania
Puerto Rico|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia
Virgin Islands|Washington|West Virginia|Wisconsin|Wyoming|APO/AE|AFO/FPO|FPO, AP"""

_USE_CASES = """\
AI Machine Learning and Analytics|Archiving
Big Data: Data Warehouse / Data Integration / ETL / Data Lake / BI|Blockchain
Business Applications: Mainframe Modernization|Business Applications & Contact Center
Business Applications & SAP Production|Centralized Operations Management|Cloud Management Tools
Cloud Management Tools & DevOps with Continuous Integration & Continuous Delivery (CICD)
Configuration, Compliance & Auditing|Connected Services|Containers & Serverless
Content Delivery & Edge Services|Database|Edge Computing / End User Computing|Energy
Enterprise Governance & Controls|Enterprise Resource Planning|Financial Services
Healthcare and Life Sciences|High Performance Computing|Hybrid Application Platform
Industrial Software|IOT|Manufacturing, Supply Chain and Operations
Media & High performance computing (HPC)|Migration / Database Migration
Monitoring, logging and performance|Monitoring & Observability|Networking|Outpost|SAP
Security & Compliance|Storage & Backup|Training|VMC|VMWare|Web development & DevOps"""

# Values are separated by `|` and by the ends of lines.
US_STATES = frozenset(_STATES.replace("\n", "|").split("|"))
USE_CASES = frozenset(_USE_CASES.replace("\n", "|").split("|"))

TEAM_TITLES = frozenset({"PartnerAccountManager", "OpportunityOwner"})
SPEND_CURRENCIES = frozenset({"USD", "EUR"})
# Get returns this for an opportunity shared for visibility only; it is in no enum, so echoing it fails.
NO_NEED = "Do Not Need Support from AWS Sales Rep"

OTHER_COMPETITOR = "*Other"
CLOSED_LOST = "Closed Lost"
LAUNCHED = "Launched"
# From here on "Other" is not a solution any more.
STAGES_WITH_SOLUTION = frozenset({"Committed", LAUNCHED})

PENDING, SUBMITTED, IN_REVIEW = "Pending Submission", "Submitted", "In review"
APPROVED, REJECTED, ACTION_REQUIRED = "Approved", "Rejected", "Action Required"

# What the caller may pretend AWS decided, in catalog Sandbox only.
SIMULATED_REVIEWS = frozenset({APPROVED, REJECTED, ACTION_REQUIRED})

REVIEW_MOVES = {
    SUBMITTED: frozenset({IN_REVIEW, APPROVED, REJECTED, ACTION_REQUIRED}),
    IN_REVIEW: frozenset({APPROVED, REJECTED, ACTION_REQUIRED}),
    ACTION_REQUIRED: frozenset({IN_REVIEW, APPROVED, REJECTED}),
}

# A path stands for itself and everything below it.
EDITABLE_WHEN_ACTION_REQUIRED = (
    "customer.account.address",
    "customer.account.websiteUrl",
    "lifeCycle.targetCloseDate",
    "project.expectedCustomerSpend",
    "project.customerBusinessProblem",
    "partnerOpportunityIdentifier",
)
LOCKED_WHEN_APPROVED = (
    "customer.account.address.countryCode",
    "customer.account.address.postalCode",
    "customer.account.address.stateOrRegion",
    "customer.account.companyName",
    "customer.account.industry",
    "customer.account.otherIndustry",
    "customer.account.websiteUrl",
    "nationalSecurity",
    "partnerOpportunityIdentifier",
    "project.customerBusinessProblem",
    "project.title",
    "softwareRevenue",
)
EDITABLE_WHEN_LAUNCHED = ("project.deliveryModels", "project.additionalComments")

REQUIRED_ON_UPDATE = (
    "opportunityType",
    "project.title",
    "project.customerBusinessProblem",
    "project.customerUseCase",
    "project.deliveryModels",
    "project.salesActivities",
    "project.expectedCustomerSpend",
    "lifeCycle.stage",
    "lifeCycle.targetCloseDate",
    "marketing.source",
)

ASSOCIATION_LIMITS = {
    "Solutions": 10,
    "AwsProducts": 20,
    "AwsMarketplaceOffers": 1,
    "AwsMarketplaceOfferSets": 1,
    "AwsMarketplaceSolutions": 10,
    "AwsMarketplaceProducts": 10,
}
_LISTING = r"arn:aws:aws-marketplace:[a-z]{1,2}-[a-z]*-[0-9]+:[0-9]{12}:AWSMarketplace/"
_NAME = r"[A-Za-z0-9-]+"
MARKETPLACE_ARNS = {
    "AwsMarketplaceOffers": _LISTING + "Offer/offer-" + _NAME,
    "AwsMarketplaceOfferSets": _LISTING + "OfferSet/offerset-" + _NAME,
    "AwsMarketplaceSolutions": _LISTING + "Solution/soln-" + _NAME,
    "AwsMarketplaceProducts": _LISTING + r"[A-Za-z0-9_]+Product/prod-" + _NAME,
}
# Any one of these is "a solution" for submission and for the stages that need one.
SOLUTION_KINDS = ("Solutions", "AwsMarketplaceSolutions", "AwsMarketplaceProducts")

WRITES = frozenset(
    {
        "CreateOpportunity",
        "UpdateOpportunity",
        "AssociateOpportunity",
        "DisassociateOpportunity",
        "AssignOpportunity",
        "RejectEngagementInvitation",
        "StartEngagementFromOpportunityTask",
        # Their quota is not published; taken for writes, which is the stricter guess.
        "SubmitOpportunity",
        "CreateEngagementInvitation",
        "AcceptEngagementInvitation",
    }
)
ENGAGEMENT_WRITES_PER_SECOND = 15.0
