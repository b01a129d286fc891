"""A mapping that passes everything on as it is, and flaws for every field of AWS's: what no other mapping would let by.

Records have the shape of CreateOpportunity; its lists of structures stand at the top, as child rows do.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any

from connector.core.schema import Shape
from tests.judged import Parcel

Record = dict[str, Any]
CONSTANT = {"Origin": "Partner Referral", "LifeCycle.ReviewStatus": "Pending Submission"}
SET_BY_AWS = ("Catalog", "ClientToken", "NextStepsHistory", "ReviewComments", "ReviewStatusReason")
LISTS = {
    "Contacts": "Customer.Contacts",
    "ExpectedCustomerSpend": "Project.ExpectedCustomerSpend",
    "OpportunityTeam": "OpportunityTeam",
    "Tags": "Tags",
}
KINDS = (
    "Solutions",
    "AwsProducts",
    "AwsMarketplaceSolutions",
    "AwsMarketplaceProducts",
    "AwsMarketplaceOffers",
    "AwsMarketplaceOfferSets",
)


def mapping_text(create: Shape) -> str:
    """The mapping file."""
    head = ["version: 1", "salesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}", "opportunity:"]
    tail = ["associate:", *(f"  {kind}: {{from: Related.{kind}}}" for kind in KINDS)]
    tail += ["submission:", "  InvolvementType: {from: Submitted.InvolvementType}"]
    tail += ["  Visibility: {from: Submitted.Visibility}", ""]
    return "\n".join([*head, *_lines(create, "", "  "), *tail])


def _lines(shape: Shape, prefix: str, indent: str) -> Iterator[str]:
    for name, member in shape.members.items():
        path = f"{prefix}{name}"
        if name in SET_BY_AWS:
            continue
        if path in CONSTANT:
            yield f"{indent}{name}: {{value: {CONSTANT[path]}}}"
        elif member.kind == "structure":
            yield f"{indent}{name}:"
            yield from _lines(member, f"{path}.", indent + "  ")
        elif member.item is not None and member.item.kind == "structure":
            yield from (f"{indent}{name}:", f"{indent}  each: {name}", f"{indent}  item:")
            yield from _lines(member.item, "", indent + "    ")
        else:
            yield f"{indent}{name}: {{from: {path}}}"


def to_record(parcel: Parcel) -> Record:
    """The record that this is mapped from."""
    record = copy.deepcopy(parcel.opportunity)
    for name, path in LISTS.items():
        *above, last = path.split(".")
        place = record
        for step in above:
            place = place.get(step, {})
        record[name] = place.pop(last, None)
    related: dict[str, list[str]] = {}
    for one in parcel.associations:
        related.setdefault(one.entity_type, []).append(one.identifier)
    return {**record, "Related": related, "Submitted": dict(parcel.submission or {})}


SOME_DAY = ("2027-02-30", "2027-01-15", "2027-01-16", "20270301", "2027-1-1", "2027-13-01", "soon", "2030-01-01")
LISTING = "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace"
# Beside what the field table suggests.
RULED: Mapping[str, tuple[Any, ...]] = {
    "ExpectedCustomerSpend[].Amount": ("0", "0.00", "-1", "1.234", "5.", "01", "1e3", "1" * 31, "1" * 32),
    "ExpectedCustomerSpend[].CurrencyCode": ("GBP", "EUR"),
    "ExpectedCustomerSpend[].TargetCompany": ("Self", "Somebody"),
    "LifeCycle.TargetCloseDate": SOME_DAY,
    "LifeCycle.Stage": ("Closed Lost", "Launched", "Committed"),
    "LifeCycle.ClosedLostReason": ("Price",),
    "SoftwareRevenue.EffectiveDate": SOME_DAY,
    "SoftwareRevenue.ExpirationDate": SOME_DAY,
    "SoftwareRevenue": ({"EffectiveDate": "2027-03-02", "ExpirationDate": "2027-03-01"}, {"Value": {"Amount": "5"}}),
    "Project.ExpectedContractDuration": (
        *({"Term": "Months", "Value": value} for value in ("0", "1", "012", "144", "145", "+5", "1 2", "１")),
        {"Value": "12"},
        {"Term": "Months"},
    ),
    "Project.CustomerUseCase": ("Migration/Database Migration", "SAP"),
    "Project.CustomerBusinessProblem": (f"{'x' * 18}\u00a0\u00a0 ", "\u200b" * 30),
    "Project.CompetitorName": ("*Other",),
    "Project.OtherCompetitorNames": ("A local hoster",),
    "Project.RelatedOpportunityIdentifier": ("O", "1234567"),
    "Project.AwsPartition": ("aws-eusc",),
    "OpportunityType": ("Flat Renewal", "Expansion"),
    "NationalSecurity": ("Yes",),
    "Customer": ({},),
    "Customer.Account": ({},),
    "Customer.Account.Industry": ("Other", "Government", "Gaming"),
    "Customer.Account.OtherIndustry": ("Space tourism",),
    "Customer.Account.AwsAccountId": (
        "aws",
        "11112222333",
        "1111222233334",
        "111122223333",
        "１１１１２２２２３３３３",
    ),
    "Customer.Account.Address.CountryCode": ("US", "HK", "KP", "Germany", "AN"),
    "Customer.Account.Address.StateOrRegion": ("NY", "Texas", "texas", "Dist. of Columbia", "District of Columbia"),
    "Customer.Account.Address.PostalCode": ("sw1a 1aa", "SW1A 1AA", "10003", "x", "D02 AF30", "d02 af30"),
    "OpportunityTeam[].BusinessTitle": ("OpportunityOwner", "Seller"),
    "Marketing.Source": ("Marketing Activity", "None"),
    "Marketing.AwsFundingUsed": ("Yes", "No"),
    "Marketing.UseCases": (["Analytics"],),
    "Marketing.CampaignName": ("Spring",),
    "Related.Solutions": ([], ["Other"], ["S-0001111"], ["s-0001111"], ["S-1;S-2"]),
    "Related.AwsMarketplaceOffers": ([f"{LISTING}/Offer/offer-a", f"{LISTING}/Offer/offer-b"], ["offer-a"]),
    "Related.AwsMarketplaceOfferSets": ([f"{LISTING}/OfferSet/offerset-a"],),
    "Related.AwsMarketplaceProducts": ([f"{LISTING}/SaaSProduct/prod-{n}" for n in range(11)],),
    "Submitted.InvolvementType": ("Co-Sell", "For Visibility Only", "co-sell"),
    "Submitted.Visibility": ("Limited", "Full", "full"),
}
_LENGTHS = re.compile(r"\(\?s\)\.\{(\d+),(\d+)\}")


def flaws(create: Shape) -> dict[str, tuple[Any, ...]]:
    """Values for each field by its place in a record: what its shape just takes, just not, and nothing."""
    found: dict[str, tuple[Any, ...]] = {}
    for path, leaf in create.leaves():
        if path.split(".")[0] in SET_BY_AWS or path.split(".")[-1] in SET_BY_AWS or path in CONSTANT:
            continue
        if "NextStepsHistory" not in path and "ExpectedContractDuration" not in path:
            found[_in_record(path)] = (None, *_around(leaf))
    for name, path in LISTS.items():
        most = (create.at(path) or Shape("list")).max or 5
        found[name] = (None, *({"times": times} for times in (most, most + 1)))
    for path, values in RULED.items():
        found[path] = (*found.get(path, (None,)), *values)
    return found


def _in_record(path: str) -> str:
    return next((path.replace(whole, name) for name, whole in LISTS.items() if path.startswith(f"{whole}[]")), path)


def _around(leaf: Shape) -> tuple[Any, ...]:
    if leaf.item is not None:
        return tuple([value] for value in _around(leaf.item)[:3])
    if leaf.enum:
        return (leaf.enum[0], leaf.enum[-1].upper() + " ", "Nonsense", True)
    lengths = _LENGTHS.fullmatch(leaf.pattern)
    if lengths is None:
        return ("x", "X y", True, "x" * 300)
    low, high = int(lengths[1]), int(lengths[2])
    return tuple("x" * length for length in {max(low - 1, 1), low, high, high + 1} - {0})


def with_flaws(random: Random, base: Record, chosen: Iterable[tuple[str, Any]]) -> Record:
    """The record with these flaws; a whole part is put before what stands in it."""
    record = copy.deepcopy(base)
    for path, value in sorted(chosen, key=lambda flaw: flaw[0]):
        _put(random, record, path, value)
    return record


_ROWS: Mapping[str, Record] = {
    "Contacts": {"LastName": "Pavlova"},
    "ExpectedCustomerSpend": {"Amount": "1", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"},
    "OpportunityTeam": {"LastName": "Seller", "BusinessTitle": "PartnerAccountManager"},
    "Tags": {"Key": "CostCenter", "Value": "42"},
}


def _put(random: Random, record: Record, path: str, value: Any) -> None:
    if path in LISTS:
        record[path] = value and [copy.deepcopy(_ROWS[path]) for _ in range(value["times"])]
        return
    *above, last = path.split(".")
    place = record
    for step in above:
        if step.endswith("[]"):
            rows = record[step[:-2]] = record.get(step[:-2]) or [copy.deepcopy(_ROWS[step[:-2]])]
            place = random.choice(rows)
        else:
            place[step] = place.get(step) or {}
            place = place[step]
    place[last] = copy.deepcopy(value)
