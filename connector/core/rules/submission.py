"""The rules of the submission, which AWS tells only in a failed task. The table is at the end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from connector.core import places
from connector.core.model import Problem
from connector.core.rules.facts import Facts, Found, Rule, needs_value, to_day
from connector.core.schema import suggest


def postal_code(facts: Facts) -> Found:
    path = "Customer.Account.Address.PostalCode"
    country, given = facts.text("Customer.Account.Address.CountryCode"), facts.text(path)
    if country in places.COUNTRIES_WITHOUT_POSTAL_CODE:
        if given:
            message = f"AWS takes no postal code for {country}."
            yield Problem(path, message, "Clear it in the address.", "postal_code")
    elif not given:
        formats = places.show_postal_formats(country)
        cure = f"Fill it in, like {formats}." if formats else "Fill it in."
        yield Problem(path, "The postal code is missing.", cure, "required")
    elif not places.is_postal_code(given, country):
        cure = f"Write it like {places.show_postal_formats(country)} (9 or N: a digit, A: a letter)."
        yield Problem(path, f"The postal code is invalid for {country}.", cure, "postal_code")


def us_state(facts: Facts) -> Found:
    path = "Customer.Account.Address.StateOrRegion"
    is_american = facts.text("Customer.Account.Address.CountryCode") == "US"
    if is_american and not facts.text(path) and not facts.is_national_security:
        message = "The state is missing; AWS needs it for customers in the United States."
        yield Problem(path, message, "Fill in the account's state.", "required")


def solution(facts: Facts) -> Found:
    path = "RelatedEntityIdentifiers.Solutions"
    solutions = [s for s in facts.associated("Solutions") if s.strip().lower() != "other"]
    if solutions or facts.associated("AwsMarketplaceSolutions", "AwsMarketplaceProducts"):
        return
    if not facts.text("Project.OtherSolutionDescription"):
        cure = "Enter a solution (S-…), a Marketplace solution or product, or describe another solution."
        yield Problem(path, "There is no solution.", cure, "required")
    elif facts.text("LifeCycle.Stage") in {"Committed", "Launched"}:
        message = "From the stage Committed on, describing another solution is not enough."
        cure = "Enter a solution (S-…) or a Marketplace solution or product."
        yield Problem(path, message, cure, "solution")


# Source: list provisioned by aws-samples/sample-partner-agents, read 2026-11-21; the server spells some
# values with spaces around slashes where the model's documentation has none.
USE_CASES = (
    "AI Machine Learning and Analytics",
    "Archiving",
    "Big Data: Data Warehouse / Data Integration / ETL / Data Lake / BI",
    "Blockchain",
    "Business Applications: Mainframe Modernization",
    "Business Applications & Contact Center",
    "Business Applications & SAP Production",
    "Centralized Operations Management",
    "Cloud Management Tools",
    "Cloud Management Tools & DevOps with Continuous Integration & Continuous Delivery (CICD)",
    "Configuration, Compliance & Auditing",
    "Connected Services",
    "Containers & Serverless",
    "Content Delivery & Edge Services",
    "Database",
    "Edge Computing / End User Computing",
    "Energy",
    "Enterprise Governance & Controls",
    "Enterprise Resource Planning",
    "Financial Services",
    "Healthcare and Life Sciences",
    "High Performance Computing",
    "Hybrid Application Platform",
    "Industrial Software",
    "IOT",
    "Manufacturing, Supply Chain and Operations",
    "Media & High performance computing (HPC)",
    "Migration / Database Migration",
    "Monitoring, logging and performance",
    "Monitoring & Observability",
    "Networking",
    "Outpost",
    "SAP",
    "Security & Compliance",
    "Storage & Backup",
    "Training",
    "VMC",
    "VMWare",
    "Web development & DevOps",
)


def use_case(facts: Facts) -> Found:
    path = "Project.CustomerUseCase"
    given = facts.text(path)
    if not given:
        yield Problem(path, "The use case is missing.", "Choose a use case.", "required")
    elif given not in USE_CASES:
        cure = suggest(given, USE_CASES) or "Choose one of AWS's 39 use cases, e.g. Security & Compliance."
        yield Problem(path, f"{given!r} is not a use case AWS knows.", cure, "use_case")


def primary_needs(facts: Facts) -> Found:
    involvement = (facts.submission or {}).get("InvolvementType")
    if involvement == "Co-Sell" and not facts.items("PrimaryNeedsFromAws"):
        message = "Co-selling needs at least one thing that AWS should help with."
        cure = "Choose a primary need, or share For Visibility Only."
        yield Problem("PrimaryNeedsFromAws", message, cure, "required")


def limited_visibility(facts: Facts) -> Found:
    submission = facts.submission or {}
    is_limited = submission.get("Visibility") == "Limited"
    if is_limited and submission.get("InvolvementType") != "For Visibility Only":
        message = "Limited visibility is only possible with For Visibility Only."
        yield Problem("AwsSubmission.Visibility", message, "Choose Full, or For Visibility Only.", "only_with")


def open_stage(facts: Facts) -> Found:
    if facts.text("LifeCycle.Stage") == "Launched":
        message = "AWS reviews an opportunity before it is launched."
        yield Problem("LifeCycle.Stage", message, "Share it at an earlier stage, up to Committed.", "launched")


def contract_period(facts: Facts) -> Found:
    start = to_day(facts.text("SoftwareRevenue.EffectiveDate"))
    end = to_day(facts.text("SoftwareRevenue.ExpirationDate"))
    if start is not None and end is not None and end < start:
        message = "The contract ends before it starts."
        cure = f"Use an expiration date from {start.isoformat()} on."
        yield Problem("SoftwareRevenue.ExpirationDate", message, cure, "dates")


def contract_duration(facts: Facts) -> Found:
    path = "Project.ExpectedContractDuration.Value"
    given = facts.text(path)
    if given and not (re.fullmatch(r"[1-9][0-9]{0,2}", given) and int(given) <= 144):
        message = "The contract's duration must be 1 to 144 months."
        yield Problem(path, message, "Enter a whole number of months from 1 to 144.", "duration")


ASSOCIATION_LIMITS = {
    "Solutions": 10,
    "AwsProducts": 20,
    "AwsMarketplaceSolutions": 10,
    "AwsMarketplaceProducts": 10,
    "AwsMarketplaceOffers": 1,
    "AwsMarketplaceOfferSets": 1,
}


def association_limits(facts: Facts) -> Found:
    counts = Counter(association.entity_type for association in facts.associations)
    for entity_type, limit in ASSOCIATION_LIMITS.items():
        if counts[entity_type] > limit:
            message = f"AWS takes at most {limit} of them, there are {counts[entity_type]}."
            yield Problem(f"RelatedEntityIdentifiers.{entity_type}", message, "Remove some.", "max")


def offer_or_set(facts: Facts) -> Found:
    if facts.associated("AwsMarketplaceOffers") and facts.associated("AwsMarketplaceOfferSets"):
        message = "AWS takes an offer or an offer set, not both."
        yield Problem("RelatedEntityIdentifiers.AwsMarketplaceOfferSets", message, "Keep one.", "both")


_MARKETPLACE = r"arn:aws[a-z-]*:aws-marketplace:[a-z0-9-]+:\w{0,12}:AWSMarketplace/"
ASSOCIATION_SHAPES: Mapping[str, tuple[str, str]] = {
    "Solutions": (r"S-[0-9]{1,19}", "S-0000001"),
    "AwsProducts": (r"[A-Za-z0-9][A-Za-z0-9_.&()-]*", "AmazonEC2Linux"),
    "AwsMarketplaceSolutions": (
        rf"{_MARKETPLACE}Solution/soln-[A-Za-z0-9-]+",
        "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/Solution/soln-…",
    ),
    "AwsMarketplaceProducts": (
        rf"{_MARKETPLACE}\w*Product/prod-[A-Za-z0-9-]+",
        "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/SaaSProduct/prod-…",
    ),
    "AwsMarketplaceOffers": (
        rf"{_MARKETPLACE}Offer/offer-[A-Za-z0-9-]+",
        "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/Offer/offer-…",
    ),
    "AwsMarketplaceOfferSets": (
        rf"{_MARKETPLACE}OfferSet/offerset-[A-Za-z0-9-]+",
        "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/OfferSet/offerset-…",
    ),
}


def association_shapes(facts: Facts) -> Found:
    for association in facts.associations:
        shape = ASSOCIATION_SHAPES.get(association.entity_type)
        path = f"RelatedEntityIdentifiers.{association.entity_type}"
        if association.identifier.strip().lower() == "other":
            message = "Other is not something AWS can associate."
            cure = "Clear it, and describe the solution in the field for another solution."
            yield Problem(path, message, cure, "association")
        elif shape is not None and not re.fullmatch(shape[0], association.identifier):
            message = f"{association.identifier!r} is not an identifier of this kind."
            yield Problem(path, message, f"Write it like {shape[1]}.", "association")


# Sources as in the table of CreateOpportunity's rules.
SUBMISSION: tuple[Rule, ...] = (
    postal_code,  # fields, PostalCodeValidations.csv, CountriesWithoutPostalCode.csv
    us_state,  # fields: mandatory in the United States, not for national security
    solution,  # connector: a solution or a description; guide: a real one from Committed on
    needs_value("Project.SalesActivities", "The sales activities", "Choose at least one."),  # connector
    needs_value("Project.DeliveryModels", "The delivery models", "Choose at least one."),  # fields; connector
    use_case,  # fields; connector: 39 values in the server's spelling
    primary_needs,  # fields; model: required for Co-Sell
    limited_visibility,  # connector: "Cannot set visibility to limited on a Co-Sell opportunity"
    needs_value("Marketing.Source", "The marketing source", "Choose Marketing Activity or None."),  # fields
    needs_value("OpportunityType", "The opportunity's type", "Choose a type."),  # connector
    open_stage,  # model: only an open opportunity is suitable for submission
    contract_period,  # ISV help centres: the end is not before the start
    contract_duration,  # model: 1 to 144 months
    association_limits,  # guide: 10 solutions, 20 products, 10 and 10 of Marketplace, one offer or offer set
    offer_or_set,  # guide
    association_shapes,  # model and guide; "Other" is INVALID_VALUE
)
