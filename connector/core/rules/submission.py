"""The rules of the submission, which AWS tells only in a failed task. The table is at the end."""

from __future__ import annotations

from connector.core import places
from connector.core.model import Problem
from connector.core.rules.facts import Facts, Found, Rule, needs_value


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
        cure = f"Write it like {places.show_postal_formats(country)} (9 or N: a digit, A: a capital letter)."
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


def primary_needs(facts: Facts) -> Found:
    involvement = (facts.submission or {}).get("InvolvementType")
    if involvement == "Co-Sell" and not facts.items("PrimaryNeedsFromAws"):
        message = "Co-selling needs at least one thing that AWS should help with."
        cure = "Choose a primary need, or share For Visibility Only."
        yield Problem("PrimaryNeedsFromAws", message, cure, "required")


def limited_visibility(facts: Facts) -> Found:
    submission = facts.submission or {}
    is_limited = submission.get("Visibility") == "Limited"
    if is_limited and submission.get("InvolvementType") in (None, "Co-Sell"):
        message = "Limited visibility is only possible with For Visibility Only."
        yield Problem("AwsSubmission.Visibility", message, "Choose Full, or For Visibility Only.", "only_with")


def secret_involvement(facts: Facts) -> Found:
    is_only_shown = (facts.submission or {}).get("InvolvementType") == "For Visibility Only"
    if is_only_shown and facts.is_national_security:
        message = "An opportunity of national security is not shared for visibility only."
        yield Problem("AwsSubmission.InvolvementType", message, "Choose Co-Sell.", "only_with")


def open_stage(facts: Facts) -> Found:
    if facts.text("LifeCycle.Stage") == "Launched":
        message = "AWS reviews an opportunity before it is launched."
        yield Problem("LifeCycle.Stage", message, "Share it at an earlier stage, up to Committed.", "launched")


def named_competitors(facts: Facts) -> Found:
    path = "Project.OtherCompetitorNames"
    if facts.text("Project.CompetitorName") == "*Other" and not facts.text(path):
        yield Problem(path, "The competitor is *Other, and not named.", "Name the competitors.", "required")


# Sources as in the table of CreateOpportunity's rules. Where the sheet (fields) says otherwise:
# - OpportunityType: the sheet takes none for Net New Business; the API has no such default, REQUIRED_FIELD_MISSING.
# - PrimaryNeedsFromAws: For Visibility Only is the sheet's Do Not Need Support from AWS Sales Rep, so it needs none.
# - OtherSolutionDescription: the sheet wants it where there is no solution; that is told at the solutions, which are
#   better, and the only way from Committed on.
# - To become co-sell the sheet also asks for next steps and a customer's contact; without them it went through.
SUBMISSION: tuple[Rule, ...] = (
    postal_code,  # fields, PostalCodeValidations.csv, CountriesWithoutPostalCode.csv
    us_state,  # fields: mandatory in the United States, not for national security
    solution,  # connector: a solution or a description; guide: a real one from Committed on
    needs_value("Project.SalesActivities", "The sales activities", "Choose at least one."),  # connector
    needs_value("Project.DeliveryModels", "The delivery models", "Choose at least one."),  # fields; connector
    needs_value("Project.CustomerUseCase", "The use case", "Choose a use case."),  # fields; connector
    primary_needs,  # fields; model: required for Co-Sell
    limited_visibility,  # connector: "Cannot set visibility to limited on a Co-Sell opportunity"
    secret_involvement,  # fields: national security cannot be without AWS's support
    needs_value("Marketing.Source", "The marketing source", "Choose Marketing Activity or None."),  # fields
    needs_value("OpportunityType", "The opportunity's type", "Choose a type."),  # connector
    open_stage,  # model: what is closed is not suitable for submission; fields: Launched is Closed Won
    named_competitors,  # fields: required with *Other
)
