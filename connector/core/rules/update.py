"""The rules of UpdateOpportunity beyond those of CreateOpportunity. The table is at the end.

They judge a whole body, AWS's own record with our changes laid over it, since UpdateOpportunity replaces everything.
"""

from __future__ import annotations

from collections.abc import Mapping

from connector.core.model import Problem
from connector.core.rules.create import CREATE, account_digits, close_date, stage, team_titles
from connector.core.rules.facts import Facts, Found, Rule, needs_value

SOLUTIONS = ("Solutions", "AwsMarketplaceSolutions", "AwsMarketplaceProducts")
STAGES_WITH_SOLUTION = frozenset({"Committed", "Launched"})


def future_close_date(facts: Facts) -> Found:
    """Once launched the date has passed as a rule, and can no longer be changed."""
    if facts.stage_before != "Launched":
        yield from close_date(facts)


def solution_for_stage(facts: Facts) -> Found:
    given = facts.text("LifeCycle.Stage")
    if given in STAGES_WITH_SOLUTION and not facts.associated(*SOLUTIONS):
        message = f"AWS takes the stage {given} only with a solution; a description of another one is not enough."
        cure = "Enter a solution (S-…) or a Marketplace solution or product."
        yield Problem("RelatedEntityIdentifiers.Solutions", message, cure, "solution")


def account_for_launch(facts: Facts) -> Found:
    path = "Customer.Account.AwsAccountId"
    is_launching = facts.text("LifeCycle.Stage") == "Launched" and facts.stage_before != "Launched"
    if is_launching and facts.launch_needs_account and not facts.text(path):
        message = "AWS takes the stage Launched only with the customer's AWS account."
        yield Problem(path, message, "Enter its 12 digits.", "required")


def kept_needs(facts: Facts) -> Found:
    if facts.is_co_sell and not facts.items("PrimaryNeedsFromAws"):
        message = "AWS helps with this opportunity and allows no way back: at least one thing must remain."
        yield Problem("PrimaryNeedsFromAws", message, "Choose what AWS should help with.", "required")


def contact_names(facts: Facts) -> Found:
    """A create takes contacts without names; from then on no update goes that sends them back."""
    for index, contact in enumerate(facts.items("Customer.Contacts")):
        for name, what in (("FirstName", "first"), ("LastName", "last")):
            if isinstance(contact, Mapping) and not str(contact.get(name) or "").strip():
                path = f"Customer.Contacts[{index}].{name}"
                message = f"A contact has no {what} name, and AWS takes no update with such a one."
                yield Problem(path, message, f"Fill in the {what} name, or remove the contact.", "required")


# Sources, read on 2026-11-22: "model" is the partnercentral-selling model of botocore 1.44.5, "fields" the
# Opportunity-Fields.csv of aws-samples/partner-crm-integration-samples, "connector" the HubSpot connector of
# aws-samples/sample-partner-agents, "guide" the developer guide on opportunity updates, "third party"
# pandora-cloud/govwin-hubspot-ace.
#
# Where the sheet (fields) says otherwise:
# - PartnerOpportunityIdentifier is wanted of every update there. The API knows an opportunity by its own id.
# - SoftwareRevenue is wanted there of partners in a special program at the launch: only AWS knows who is in one.
UPDATE: tuple[Rule, ...] = (
    # An account id that AWS has already is AWS's own; one of ours is judged when it is mapped.
    *(rule for rule in CREATE if rule not in {account_digits, close_date, stage, team_titles}),
    future_close_date,  # connector; whether a launch waives it is not documented
    needs_value("LifeCycle.Stage", "The stage", "Choose a stage."),  # connector: required on every update
    needs_value("OpportunityType", "The opportunity's type", "Choose a type."),  # connector: REQUIRED_FIELD_MISSING
    needs_value("Project.CustomerUseCase", "The use case", "Choose a use case."),  # connector
    needs_value("Project.DeliveryModels", "The delivery models", "Choose at least one."),  # connector
    needs_value("Project.SalesActivities", "The sales activities", "Choose at least one."),  # connector
    needs_value("Marketing.Source", "The marketing source", "Choose Marketing Activity or None."),  # third party
    kept_needs,  # connector: leaving them out is read as a change to For Visibility Only, which is refused
    solution_for_stage,  # guide: "Other" is not enough from Committed on
    account_for_launch,  # fields: consulting and services partners name the customer's account
    contact_names,  # connector; third party: an unchanged echo of such a contact is refused
)
