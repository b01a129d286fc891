"""The rules of CreateOpportunity; UpdateOpportunity applies them too. The table is at the end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.core import places
from connector.core.model import Problem
from connector.core.rules.facts import Facts, Found, Rule, needs_value, to_amount, to_day
from connector.core.rules.use_cases import USE_CASES
from connector.core.schema import suggest


def company_name(facts: Facts) -> Found:
    """The field table tells it too, but only where there is an account at all."""
    if not facts.at("Customer.Account"):
        yield Problem("Customer.Account.CompanyName", "The customer is missing.", "Fill it in.", "required")


def close_date(facts: Facts) -> Found:
    path = "LifeCycle.TargetCloseDate"
    cure = f"Use a date after {facts.today.isoformat()}."
    given = facts.text(path)
    if not given:
        yield Problem(path, "The close date is missing.", cure, "required")
    elif (day := to_day(given)) is not None and day <= facts.today:
        yield Problem(path, f"The close date {given} is not in the future.", cure, "close_date")


DATES = ("LifeCycle.TargetCloseDate", "SoftwareRevenue.EffectiveDate", "SoftwareRevenue.ExpirationDate")


def real_days(facts: Facts) -> Found:
    for path in DATES:
        given = facts.text(path)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given) and to_day(given) is None:
            yield Problem(path, f"There is no day {given}.", "Write a day of the calendar, like 2027-01-31.", "date")


def business_problem(facts: Facts) -> Found:
    path, least = "Project.CustomerBusinessProblem", 20
    given = facts.at(path)
    if not isinstance(given, str) or not given.strip():
        cure = f"Describe it in {least} characters or more."
        yield Problem(path, "The customer's business problem is missing.", cure, "required")
    elif len(given.strip()) < least:
        message = f"It has {len(given.strip())} characters without the spaces around it, AWS wants {least}."
        yield Problem(path, message, "Write more.", "length")


def spend(facts: Facts) -> Found:
    path = "Project.ExpectedCustomerSpend"
    items = facts.items(path)
    if not items:
        cure = "Enter the expected monthly AWS spend, above 0."
        yield Problem(f"{path}[0].Amount", "The expected spend is missing.", cure, "required")
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            yield from _amount(item, f"{path}[{index}].Amount")


def _amount(item: Mapping[str, Any], path: str) -> Found:
    cure = "Enter the expected monthly AWS spend, above 0."
    amount = to_amount(item.get("Amount"))
    if item.get("EstimationUrl"):
        return
    if item.get("Amount") in (None, ""):
        yield Problem(path, "The expected spend is missing.", f"{cure[:-1]}, or an estimate's URL.", "required")
    elif amount is not None and amount <= 0:
        yield Problem(path, "The expected spend must be above 0.", cure, "amount")


def currency(facts: Facts) -> Found:
    accepted = ("EUR",) if facts.text("Project.AwsPartition") == "aws-eusc" else ("USD", "EUR")
    for index, item in enumerate(facts.items("Project.ExpectedCustomerSpend")):
        given = item.get("CurrencyCode") if isinstance(item, Mapping) else None
        if given and given not in accepted:
            path = f"Project.ExpectedCustomerSpend[{index}].CurrencyCode"
            message = "AWS takes the spend in US dollars or euros only."
            if len(accepted) == 1:
                message = "The European Sovereign Cloud (aws-eusc) takes the spend in euros only."
            cure = f"Convert the amount to {' or '.join(accepted)}."
            yield Problem(path, message, cure, "currency")


def website(facts: Facts) -> Found:
    path = "Customer.Account.WebsiteUrl"
    if not facts.text(path) and not facts.is_national_security:
        yield Problem(path, "The customer's website is missing.", "Fill in the account's website.", "required")


def other_industry(facts: Facts) -> Found:
    path = "Customer.Account.OtherIndustry"
    is_other = facts.text("Customer.Account.Industry") == "Other"
    if is_other and not facts.text(path):
        yield Problem(path, "The industry is Other, and not described.", "Name the industry.", "required")
    if facts.text(path) and not is_other:
        cure = "Clear it, or choose the industry Other."
        yield Problem(path, "Another industry is described, but the industry is not Other.", cure, "only_with")


def stage(facts: Facts) -> Found:
    path = "LifeCycle.Stage"
    given = facts.text(path)
    if not given:
        yield Problem(path, "The stage is missing.", "Choose a stage.", "required")
    if given == "Closed Lost":
        message = "AWS takes no new opportunity that is already lost."
        yield Problem(path, message, "Clear the flag, or reopen the opportunity.", "closed_lost")


def closed_lost_reason(facts: Facts) -> Found:
    path = "LifeCycle.ClosedLostReason"
    is_lost = facts.text("LifeCycle.Stage") == "Closed Lost"
    if is_lost and not facts.text(path):
        yield Problem(path, "The opportunity is lost, and no reason is given.", "Choose a reason.", "required")
    if facts.text(path) and not is_lost:
        cure = "Clear it, or set the stage to Closed Lost."
        yield Problem(path, "A reason for losing is given, but the stage is not Closed Lost.", cure, "only_with")


def account_digits(facts: Facts) -> Found:
    path = "Customer.Account.AwsAccountId"
    if facts.text(path) and not re.fullmatch(r"[0-9]{12}", facts.text(path)):
        yield Problem(path, "An AWS account id has 12 digits and nothing else.", "Enter all 12 digits.", "account")


def us_state_name(facts: Facts) -> Found:
    path = "Customer.Account.Address.StateOrRegion"
    given = facts.text(path)
    is_american = facts.text("Customer.Account.Address.CountryCode") == "US"
    if is_american and given and given not in places.US_STATES:
        cure = suggest(given, places.US_STATES) or "Write the state's full name, e.g. California."
        yield Problem(path, "This is not a US state in AWS's spelling.", cure, "state")


SOURCES = ("", "Marketing Activity", "None")


def marketing_companions(facts: Facts) -> Found:
    source = facts.text("Marketing.Source")
    if source not in SOURCES:  # which of them is meant decides
        return
    if source == "Marketing Activity":
        if not facts.text("Marketing.AwsFundingUsed"):
            message = "It comes from a marketing activity; whether AWS funding was used is missing."
            yield Problem("Marketing.AwsFundingUsed", message, "Choose Yes or No.", "required")
        return
    for name in ("AwsFundingUsed", "CampaignName", "UseCases", "Channels"):
        if facts.at(f"Marketing.{name}"):
            message = "It is only allowed for opportunities from a marketing activity."
            cure = "Clear it, or set the marketing source to Marketing Activity."
            yield Problem(f"Marketing.{name}", message, cure, "only_with")


def marketing_use_cases(facts: Facts) -> Found:
    if facts.text("Marketing.AwsFundingUsed") == "No" and facts.items("Marketing.UseCases"):
        message = "Marketing use cases are only allowed where AWS funding was used."
        yield Problem("Marketing.UseCases", message, "Clear them, or set AWS funding used to Yes.", "only_with")


def national_security(facts: Facts) -> Found:
    if facts.is_national_security and facts.text("Customer.Account.Industry") != "Government":
        message = "National security is only possible for customers of the industry Government."
        yield Problem("NationalSecurity", message, "Set it to No, or correct the industry.", "only_with")


TEAM_TITLES = ("PartnerAccountManager", "OpportunityOwner")


def team_titles(facts: Facts) -> Found:
    for index, member in enumerate(facts.items("OpportunityTeam")):
        title = member.get("BusinessTitle") if isinstance(member, Mapping) else None
        if title not in TEAM_TITLES:
            message = "AWS knows no such role in the opportunity team."
            cure = f"Use {' or '.join(TEAM_TITLES)}."
            yield Problem(f"OpportunityTeam[{index}].BusinessTitle", message, cure, "team")


def known_use_case(facts: Facts) -> Found:
    path = "Project.CustomerUseCase"
    given = facts.text(path)
    if given and given not in USE_CASES:
        cure = suggest(given, USE_CASES) or "Choose one of AWS's 39 use cases, e.g. Security & Compliance."
        yield Problem(path, f"{given!r} is not a use case AWS knows.", cure, "use_case")


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


def renewal_parent(facts: Facts) -> Found:
    path = "Project.RelatedOpportunityIdentifier"
    if facts.text("OpportunityType") == "Flat Renewal" and not facts.text(path):
        cure = "Enter the AWS id (O…) of the opportunity that is renewed."
        yield Problem(path, "A flat renewal needs the opportunity it renews.", cure, "required")


def other_competitors(facts: Facts) -> Found:
    path = "Project.OtherCompetitorNames"
    if facts.text(path) and facts.text("Project.CompetitorName") != "*Other":
        cure = "Clear them, or set the competitor to *Other."
        yield Problem(path, "Other competitors are named, but the competitor is not *Other.", cure, "only_with")


# Sources, read on 2026-11-21: "model" is the partnercentral-selling model of botocore 1.44.5, "fields" the
# Opportunity-Fields.csv of aws-samples/partner-crm-integration-samples, "connector" the HubSpot connector of
# aws-samples/sample-partner-agents (July 2026, tried against the Sandbox catalog).
#
# Where the sheet (fields) says otherwise. It is older than the API and made for files, in which one row creates and
# submits at once; what the API and those who tried it say counts for more.
# - CompanyName is wanted also of national security, which the sheet excepts: the model requires it of any Account.
# - LifeCycle.Stage: the sheet has none yet at a create; the connector sends it, and every update wants it.
# - LifeCycle.TargetCloseDate: the sheet only forbids the past, the API today as well.
# - SoftwareRevenue: the sheet has no contract yet at a create; the model takes it there.
# - Amounts: the sheet has whole dollars of 18 digits, or 16 with cents; the model takes 31 digits and two decimals.
# - OpportunityTeam's BusinessTitle is a job title in the sheet, a role in the API.
# - Industry: the API writes and where the sheet writes &. ClosedLostReason: the API writes a hyphen where the sheet
#   has a dash. Marketing.Source: Marketing Activity and None are the sheet's Yes and No.
# - CampaignName, Marketing.UseCases and ApnPrograms are lists of the sheet that the API takes any text for: new ones
#   come without notice, so none is refused here.
CREATE: tuple[Rule, ...] = (
    needs_value("Project.Title", "The opportunity's title", "Fill it in."),  # fields; connector
    company_name,  # model: CompanyName is required of an Account
    close_date,  # connector: "Target Close Date should be a future date"; today is refused too
    real_days,  # model: YYYY-MM-DD; its pattern lets February 30 through
    business_problem,  # model: 20 to 2000 characters; connector: trimmed before counting
    spend,  # connector: above 0; an estimate's URL stands in for it
    currency,  # model: USD or EUR; aws-eusc needs EUR
    needs_value("Customer.Account.Address.CountryCode", "The country", "Fill in the account's country."),  # fields
    website,  # model: required unless NationalSecurity is Yes
    needs_value("Customer.Account.Industry", "The industry", "Choose the account's industry."),  # model; fields
    other_industry,  # fields: required with, and only with, the industry Other
    stage,  # model: send it; ISV help centres: a new one cannot be Closed Lost
    closed_lost_reason,  # fields; connector: with, and only with, Closed Lost
    account_digits,  # fields: 12 digits; ISV help centres: "Account Id must be 12 numerical digits"
    us_state_name,  # model: listed names; connector: INVALID_ENUM_VALUE for others
    marketing_companions,  # fields; connector
    marketing_use_cases,  # model: "must be empty when AwsFundingUsed = No"
    national_security,  # model: only for Government
    team_titles,  # model: two roles; third party: INVALID_VALUE otherwise
    renewal_parent,  # fields: required for Flat Renewal
    other_competitors,  # model: only with *Other
    known_use_case,  # fields; connector: 39 values in the server's spelling
    contract_period,  # ISV help centres: the end is not before the start
    contract_duration,  # model: 1 to 144 months
)
