"""What AssociateOpportunity takes. Nothing is created whose associations would be refused. The table is at the end.

Whether AWS knows an identifier is AWS's to say: here it is only looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from connector.core.model import Problem
from connector.core.rules.facts import Facts, Found, Rule

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


_MARKETPLACE = r"arn:aws:aws-marketplace:[a-z]{1,2}-[a-z]*-[0-9]+:[0-9]{12}:AWSMarketplace/"  # model, OfferIdentifier
ASSOCIATION_SHAPES: Mapping[str, tuple[str, str]] = {
    "Solutions": (r"S-[0-9]{1,19}", "S-0000001"),
    "AwsProducts": (r"[A-Za-z0-9][A-Za-z0-9_.&()-]*", "AmazonEC2Linux"),
    "AwsMarketplaceSolutions": (
        rf"{_MARKETPLACE}Solution/soln-[A-Za-z0-9-]+",
        "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/Solution/soln-…",
    ),
    "AwsMarketplaceProducts": (
        rf"{_MARKETPLACE}[A-Za-z0-9_]+Product/prod-[A-Za-z0-9-]+",
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
LONGEST = 255  # characters; model


def association_shapes(facts: Facts) -> Found:
    for association in facts.associations:
        shape = ASSOCIATION_SHAPES.get(association.entity_type)
        path = f"RelatedEntityIdentifiers.{association.entity_type}"
        if association.identifier.strip().lower() == "other":
            message = "Other is not something AWS can associate."
            cure = "Clear it, and describe the solution in the field for another solution."
            yield Problem(path, message, cure, "association")
        elif len(association.identifier) > LONGEST:
            message = f"An identifier has {LONGEST} characters at most."
            yield Problem(path, message, "Several ones are separated by semicolons.", "association")
        elif shape is not None and not re.fullmatch(shape[0], association.identifier):
            message = f"{association.identifier!r} is not an identifier of this kind."
            yield Problem(path, message, f"Write it like {shape[1]}.", "association")


# Sources as in the table of CreateOpportunity's rules. Where the sheet (fields) says otherwise:
# - Solutions: a solution's id has seven digits there; the model takes up to 19.
# - AwsMarketplaceOffers: the sheet has no offer yet at a create, and then offer-… alone; the API associates it by its
#   ARN, in a call of its own, at any time.
ASSOCIATIONS: tuple[Rule, ...] = (
    association_limits,  # guide: 10 solutions, 20 products, 10 and 10 of Marketplace, one offer or offer set
    offer_or_set,  # guide
    association_shapes,  # model and guide; "Other" is INVALID_VALUE
)
