"""Random Salesforce records for the default mapping: complete ones in every variety, and flaws to put into them.

A flaw is a value that may or may not be wrong: nothing here judges it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from random import Random
from typing import Any

Record = dict[str, Any]
Flaw = tuple[str, Any]
"""A path in the record, and what stands there instead."""

LISTING = "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace"
ESTIMATE = "https://calculator.aws/#/estimate?id="
LONG = "Their data centre closes next year and all of it has to move."
# Country as people write it, postal codes, states.
PLACES: tuple[tuple[str, tuple[Any, ...], tuple[Any, ...]], ...] = (
    ("United States", ("78767", "10003-1234", " 10019 "), ("Texas", "NY", "Calif.", "nm")),
    ("USA", ("20001",), ("Washington DC", "dist. of columbia", "US-VT", "W. Va")),
    ("us", ("96799", "09012"), ("American Samoa", "APO/AE", "FPO, AP", "AFO/FPO", "Virgin Islands, U.S.")),
    ("Germany", ("80331",), ("Bayern", None)),
    ("Deutschland", ("10115",), (None,)),
    ("DEU", ("01067",), ("Sachsen",)),
    ("Canada", ("K1A 0B1", "k1a0b1"), ("Ontario",)),
    ("United Kingdom", ("SW1A 1AA", "l2 2dp", "M11AE", "EC1A 1BB", "DN55 1PT", "CR2 6XH"), ("England", None)),
    ("Scotland", ("EH1 1YZ",), (None,)),
    ("Ireland", ("D02 AF30", "A65F4E2"), (None,)),
    ("The Netherlands", ("1012 AB", "1012ab"), (None,)),
    ("Japan", ("100-0001", "1000001"), ("Tokyo",)),
    ("日本", ("1000001",), (None,)),
    ("India", ("110 001", "110001"), ("Delhi",)),
    ("Brasil", ("01310-100", "01310"), ("SP",)),
    ("Poland", ("00-950",), (None,)),
    ("Portugal", ("1000", "1000-205"), (None,)),
    ("Schweden", ("114 55", "11455", "S-11455", "se-11455"), (None,)),
    ("Côte d’Ivoire", ("01", None), (None,)),
    ("United Arab Emirates", ("00000", None), ("Dubai",)),
    ("Hong Kong", ("999077", None), (None,)),
    ("Argentina", ("C1425", "1425"), (None,)),
    ("Cayman Islands", ("KY1-1001",), (None,)),
    ("Malta", ("VLT 1117", "VLT1117"), (None,)),
    ("Belgium", ("1000", "B-1000"), (None,)),
    ("Saudi Arabia", ("11564-1234",), (None,)),
    ("Martinique", ("97200",), (None,)),
    ("Brunei", ("BA1311",), (None,)),
    ("El Salvador", ("1101", "2201"), (None,)),
    ("Eswatini", ("H100",), (None,)),
    ("Vatican City", ("00120", "120"), (None,)),
)
STAGES = (
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "proposal/price quote",
    "Prospect",
    "Qualified",
    "Technical Validation",
    "Business Validation",
)
INDUSTRIES = (
    "Banking",
    "Energy",
    "Environmental",
    "retail",
    "Gaming",
    "Other",
    "Government",
    "Not For Profit",
    "Media",
)
NEEDS = (
    "Co-Sell - Architectural Validation",
    "Co-Sell - Deal Support",
    "Co-Sell - Pricing Assistance",
    "Co-Sell - Support for Public Tender / RFx",
)
DELIVERY = ("SaaS or PaaS", "BYOL or AMI", "Managed Services", "Professional Services", "Resell", "Other")
ACTIVITIES = (
    "Initialized discussions with customer",
    "Conducted POC / Demo",
    "In evaluation / planning stage",
    "Finalized Deployment Need",
    "SOW Signed",
)
USE_CASES = ("IOT", "Security & Compliance", "Migration / Database Migration", " Training ", "Web development & DevOps")
SITES = (
    "http://www.uos.com",
    "company.example",
    "HTTPS://Company.Example/Path?q=1",
    "münchen.example",
    "b.example",
    "//c.example",
)


def complete(random: Random, today: date, parent: str) -> Record:
    """A record in which nothing is wrong. ``parent`` is an opportunity of ours at AWS, for what renews one."""
    account = _account(random)
    record: Record = {
        "Id": "006" + "".join(random.choices("0123456789abcdefXYZ", k=12)) + "AAA",
        "Name": _text(random, 255),
        "Type": random.choice(("New Customer", "Existing Customer - Upgrade", None, "Expansion", "Net New Business")),
        "StageName": random.choice(STAGES),
        "Amount": random.choice((270000, 1, 0.12, 99999999.99, "1,234.56", 12, 10**15)),
        "CloseDate": (today + timedelta(days=random.choice((1, 2, 90, 3650)))).isoformat(),
        "NextStep": random.choice((None, "Call on Monday", _text(random, 300))),
        "Description": random.choice((LONG, LONG[:20], "x" * 2000, f"  {LONG}  ", LONG * 100, "<b>Störung</b> " * 9)),
        "AWS_Primary_Needs__c": _several(random, NEEDS),
        "AWS_Customer_Use_Case__c": random.choice(USE_CASES),
        "AWS_Delivery_Models__c": _several(random, DELIVERY),
        "AWS_Sales_Activities__c": _several(random, ACTIVITIES),
        "AWS_National_Security__c": random.choice((None, False, "No", "0")),
        "Account": account,
        "Owner": random.choice((None, {"FirstName": "Sam", "LastName": "Seller", "Email": "Sam@Partner.example"})),
        "OpportunityContactRoles": [_role(random) for _ in range(random.choice((0, 0, 1, 2, 7)))],
    }
    for part in (_offered, _renewed, _shared, _marketed, _contracted, _commented, _secret):
        part(random, record, parent)
    return record


def _account(random: Random) -> Record:
    country, codes, states = random.choice(PLACES)
    return {
        "Name": _text(random, 120),
        "Industry": random.choice(INDUSTRIES),
        "Website": random.choice(SITES),
        "BillingStreet": random.choice((None, "1301 Avenue\r\nNew York", _text(random, 400))),
        "BillingCity": random.choice((None, "Austin", "São Paulo")),
        "BillingState": random.choice(states),
        "BillingPostalCode": random.choice(codes),
        "BillingCountry": country,
    }


def _role(random: Random) -> Record:
    """Whom no country is needed for: local numbers of an account abroad may be too short for it."""
    contact = {
        "FirstName": random.choice((None, "Stella", _text(random, 90))),
        "LastName": random.choice(("Pavlova", "Ångström", "O'Hara")),
        "Title": random.choice((None, "SVP, Technology", _text(random, 90))),
        "Email": random.choice((None, "SPavlova@UOS.com", "o'hara+x@a-b.example")),
        "Phone": random.choice((None, "+1 512 757 6000", "+49 (0)30 12345678", "+4930123456 ext. 7")),
    }
    return {"IsPrimary": random.random() < 0.5, "Contact": contact}


def _offered(random: Random, record: Record, _parent: str) -> None:
    kind = random.choice(("solution", "solutions", "product", "listing", "described", "all"))
    if kind in {"solution", "all"}:
        record["AWS_Solution_Ids__c"] = "S-0001111"
    if kind == "solutions":
        record["AWS_Solution_Ids__c"] = "S-0001112; S-0001113 ;S-0001112;"
    if kind in {"product", "all"}:
        record["AWS_Marketplace_Products__c"] = f"{LISTING}/SaaSProduct/prod-a1b2;{LISTING}/AmiProduct/prod-x"
    if kind == "listing":
        record["AWS_Marketplace_Solutions__c"] = f"{LISTING}/Solution/soln-a1b2"
    if kind == "described":
        record["AWS_Other_Solution__c"] = _text(random, 300)
    elif random.random() < 0.3:
        record["StageName"] = random.choice(("Negotiation/Review", "Committed"))
    record["AWS_Product_Codes__c"] = random.choice((None, "AmazonEC2Linux", "AmazonEC2Linux; AWSLambda"))
    offers = random.choice(("", "", "Offer/offer-a1b2", "OfferSet/offerset-a1"))
    if offers:
        name = "AWS_Marketplace_Offer_Sets__c" if "Set" in offers else "AWS_Marketplace_Offers__c"
        record[name] = f"{LISTING}/{offers}"


def _renewed(random: Random, record: Record, parent: str) -> None:
    if random.random() < 0.15:
        record["Type"] = random.choice(("Existing Customer - Downgrade", "Flat Renewal", "Expansion"))
        record["AWS_Related_Opportunity_Id__c"] = f" {parent} "


def _shared(random: Random, record: Record, _parent: str) -> None:
    record["AWS_Involvement__c"] = random.choice((None, None, "Co-Sell", "For Visibility Only"))
    if record["AWS_Involvement__c"] == "For Visibility Only":
        record["AWS_Visibility__c"] = random.choice((None, "Full", "Limited"))
        record["AWS_Primary_Needs__c"] = random.choice((None, record["AWS_Primary_Needs__c"]))


def _marketed(random: Random, record: Record, _parent: str) -> None:
    record["AWS_Marketing_Source__c"] = random.choice((None, "None", "Marketing Activity"))
    record["AWS_Funding_Used__c"] = random.choice(("Yes", "No", True, "n"))
    record["AWS_Marketing_Channels__c"] = random.choice((None, "Email;Live Event", "Out Of Home (OOH)"))
    record["AWS_Marketing_Use_Cases__c"] = random.choice((None, "IoT;Analytics"))
    record["Campaign"] = random.choice((None, {"Name": "Spring 2027"}))


def _contracted(random: Random, record: Record, _parent: str) -> None:
    record["AWS_Contract_Months__c"] = random.choice((None, None, 1, 12.0, "144", 36))
    record["AWS_Estimation_Url__c"] = random.choice((None, None, None, ESTIMATE + "a0" * 16))
    if random.random() < 0.2:
        record |= {
            "AWS_Software_Delivery__c": random.choice(("Contract", "Pay-as-you-go", "Subscription")),
            "AWS_Software_Value__c": random.choice((None, 0, 99000.5)),
            "AWS_Software_Effective__c": random.choice((None, "2027-03-01")),
            "AWS_Software_Expiration__c": random.choice((None, "2027-03-01", "2030-02-28")),
        }


def _commented(random: Random, record: Record, _parent: str) -> None:
    record["AWS_Additional_Comments__c"] = random.choice((None, "x", _text(random, 300)))
    record["AWS_Competitor__c"] = random.choice((None, None, "Akamai", "No Competition", "*Other"))
    if record["AWS_Competitor__c"] == "*Other":
        record["AWS_Other_Competitors__c"] = "A local hoster"
    record["AWS_Apn_Programs__c"] = random.choice((None, "Well-Architected;P3"))
    record["AWS_Customer_Account_Id__c"] = random.choice((None, "1111-2222-3333", "111122223333"))
    record["AWS_Customer_Duns__c"] = random.choice((None, "12-345-6789"))
    record["AWS_Cost_Center__c"] = random.choice((None, "EMEA-42", "Zürich @ 7/2"))


def _secret(random: Random, record: Record, _parent: str) -> None:
    if random.random() < 0.05:
        record["AWS_National_Security__c"] = random.choice((True, "Yes"))
        hidden = {} if random.random() < 0.5 else {"Website": None}
        record["Account"] |= {"Industry": "Government", **hidden}
        record |= {"AWS_Industry__c": None, "AWS_Involvement__c": None, "AWS_Visibility__c": None}
        record["AWS_Primary_Needs__c"] = _several(random, NEEDS)


def _text(random: Random, most: int) -> str:
    """Any text of up to so many characters that says something."""
    words = ("Umzug", "data centre", "&amp;", "<i>x</i>", "東京", "🚀", "O'Hara", '"q"', "a\u00a0b", "\u200b", "1;2")
    text = "Deal " + " ".join(random.choices(words, k=random.choice((1, 3, 9, 40))))
    return text[: random.choice((most, most, 20))]


def _several(random: Random, values: tuple[str, ...]) -> str:
    return ";".join(random.sample(values, random.randint(1, 3)))


def _many(pattern: str, count: int) -> str:
    return ";".join(pattern.format(number) for number in range(count))


def _around(limit: int) -> tuple[str, ...]:
    return tuple("x" * length for length in (limit - 1, limit, limit + 1))


SECRET = {"AWS_National_Security__c": True, "AWS_Industry__c": "Government", "AWS_Visibility__c": None}
# What may stand in a field instead, by path; `Contact.` is a contact's, on a role that is added where there is none.
# What only several fields say together stands below `several`.
FLAWS: Mapping[str, tuple[Any, ...]] = {
    "several": (
        {**SECRET, "AWS_Involvement__c": "For Visibility Only"},
        {**SECRET, "AWS_Involvement__c": "Co-Sell", "Account.Website": None, "Account.BillingState": None},
        {"StageName": "Closed Lost", "AWS_Closed_Lost_Reason__c": "Price"},
        {"AWS_Marketing_Source__c": "Marketing Activity", "AWS_Funding_Used__c": None},
        {"AWS_Solution_Ids__c": None, "AWS_Other_Solution__c": "Our own", "StageName": "Committed"},
        {"AWS_Software_Effective__c": "2027-03-02", "AWS_Software_Expiration__c": "2027-03-01"},
        {"AWS_Competitor__c": "*Other", "AWS_Other_Competitors__c": None},
    ),
    "Name": (None, "", "   ", "\u200b\ufeff", "<b>Deal</b>", "🚀" * 256, *_around(255)),
    "Type": ("", "new customer", "Renewal", "Existing Customer - Downgrade", "Flat Renewal", "Net new business"),
    "StageName": (
        None, "", "Closed Won", "Closed Lost", "Launched", "Negotiation/Review", "Committed", "Verbal", "won",
    ),
    "Amount": (
        None, 0, -1, 0.05, 0.06, 0.0599, "much", "1.234,56", "", 1e31, 10**32, 1.2e33, "$5", float("1e-9"), True,
    ),
    "CloseDate": (
        None, "", "2020-02-29", "2027-01-15", "2027-01-16", "9999-12-31", "2027-02-30", "30.06.2027", "0999-01-01",
    ),
    "NextStep": (*_around(255), "\n"),
    "Description": (
        None, "", " " * 30, "too short", "x" * 19, "x" * 20, f"{'x' * 19} ", f"\u200b{'x' * 19}", *_around(2000),
    ),
    "AWS_Business_Problem__c": ("short", LONG, "\u00a0" * 25, "x" * 19),
    "AWS_Primary_Needs__c": (
        None, "", ";", "Do Not Need Support from AWS Sales Rep", "Co-Sell – Deal Support", "deal support",
    ),
    "AWS_Customer_Use_Case__c": (
        None, "", "Migration/Database Migration", "iot", "Security &amp; Compliance", "IOT;SAP",
    ),
    "AWS_Delivery_Models__c": (
        None, " ; ", "SaaS", "Managed Services;managed services", "Other,Resell", "Resell;Resell",
    ),
    "AWS_Sales_Activities__c": (None, "Finalized Deployment Needs", "SOW signed", "SOW Signed;;SOW Signed"),
    "AWS_National_Security__c": (True, "yes", "maybe", 1, 2, ""),
    "AWS_Industry__c": (
        "Other", "Computers & Electronics", "Government", "Aerospace", "unknown", "Media & Entertainment",
    ),
    "AWS_Other_Industry__c": ("Space tourism", *_around(255)),
    "AWS_Customer_Account_Id__c": ("aws", "11112222333", "1111222233334", "1111 2222 3333", "customer-x", 111122223333),
    "AWS_Customer_Duns__c": ("12345678", "1234567890", "A23456789", 12345678, 123456789),
    "AWS_Contract_Months__c": (0, 145, 12.5, "012", "-3", "a year", "", 1000, 144.0),
    "AWS_Apn_Programs__c": ("An unheard-of programme", ";;"),
    "AWS_Related_Opportunity_Id__c": ("O", "12345", "o1234567", "O99999999999999999999", "O1234 567", "0061a"),
    "AWS_Competitor__c": ("*Other", "Other", "akamai", "Amazon"),
    "AWS_Other_Competitors__c": ("A local hoster", *_around(255)),
    "AWS_Other_Solution__c": ("   ", "Our own telemetry", *_around(255)),
    "AWS_Additional_Comments__c": ("", *_around(255)),
    "AWS_Partition__c": ("aws-eusc", "AWS-EUSC", "aws"),
    "AWS_Closed_Lost_Reason__c": ("Price", "Lost to Competitor – Google", "None"),
    "AWS_Marketing_Source__c": ("Marketing Activity", "marketing activity", "Yes", "No"),
    "AWS_Funding_Used__c": (None, "", "perhaps", "Y", "No", 7),
    "AWS_Marketing_Channels__c": ("Email", "E-Mail", "TV;Radio"),
    "AWS_Marketing_Use_Cases__c": ("IoT", "Anything at all"),
    "AWS_Software_Delivery__c": ("Contract", "contract", "Rent"),
    "AWS_Software_Value__c": (-1, 0, 5, "5 EUR", 10**31),
    "AWS_Software_Effective__c": ("2027-03-02", "2027-02-29", "yesterday"),
    "AWS_Software_Expiration__c": ("2020-01-01", "2027-06-31", "2027-03-01T00:00:00.000+0000"),
    "AWS_Estimation_Url__c": (
        ESTIMATE + "a" * 31, ESTIMATE + "A" * 32, ESTIMATE + "a" * 64, "calculator.aws", "https://a.example",
    ),
    "AWS_Cost_Center__c": ("R&D", "a;b", "Ö" * 256, "x" * 257, "#1"),
    "AWS_Involvement__c": ("Co-Sell", "For visibility only", "For Visibility Only", "co-sell", "None"),
    "AWS_Visibility__c": ("Limited", "limited", "Private", "Full"),
    "AWS_Solution_Ids__c": (
        None, "", "Other", "other;", "0001111", "S-1,S-2", "s-0001111", "S-" + "1" * 20, _many("S-{:07}", 11),
    ),
    "AWS_Product_Codes__c": ("Amazon EC2", "Other", "-", "AWSLambda;Lambda functions", "x" * 256, "ec2;"),
    "AWS_Marketplace_Solutions__c": (
        "soln-a1b2", f"{LISTING}/Solution/prod-a", f"{LISTING}/Solution/soln-a b",
        _many(LISTING + "/Solution/soln-{}", 10), _many(LISTING + "/Solution/soln-{}", 11),
    ),
    "AWS_Marketplace_Products__c": (
        "prod-a", f"{LISTING}/Product/prod-a", LISTING.replace("aws:aws-", "aws-cn:aws-") + "/SaaSProduct/prod-a",
        _many(LISTING + "/SaaSProduct/prod-{}", 11), f"{LISTING}/SaaSProduct/prod-{'a' * 255}",
    ),
    "AWS_Marketplace_Offers__c": (
        "offer-a", f"{LISTING}/Offer/offer-", _many(LISTING + "/Offer/offer-{}", 2),
        f"{LISTING}/Offer/offer-z".replace("1111", "111"), f"{LISTING}/Offer/offer-z",
    ),
    "AWS_Marketplace_Offer_Sets__c": (
        "offerset-a", f"{LISTING}/OfferSet/offerset-z", _many(LISTING + "/OfferSet/offerset-{}", 2),
    ),
    "Account": (None, {}),
    "Owner": (
        {}, {"Email": "sam at partner.example"}, {"LastName": "Y" * 90}, {"Phone": "12"}, {"Phone": "+123"},
        {"Email": "a@b"},
    ),
    "Campaign": ({"Name": "x" * 300}, {"Name": " "}),
    "OpportunityContactRoles": (None, [], [{"Contact": None}], [{"Contact": {}}]),
    "Contact.FirstName": ("", *_around(80)),
    "Contact.Email": (
        "a@b", "two@a.example, b@c.example", "Jürgen@a.example", "x" * 70 + "@a.example", ".a@b.example",
        "a@b.example ",
    ),
    "Contact.Phone": (
        "555-01", "+0123456", "call me", "+12", "+1234567890123456", "+1 23", "+49 30 1", "0", "＋49 30 123456",
    ),
    "Account.Name": (None, "", " \u200b ", *_around(120)),
    "Account.Industry": (None, "", "Space", "Environmental", "Other", "Government", "computers and electronics"),
    "Account.Website": (
        None, "", "n/a", "customer", "ftp://a.example", "a.example b.example", "http://", "x.y",
        "https://a.example/" + "x" * 237, "a.example/" + "x" * 241, "a.example/" + "x" * 247, "192.168.0.1",
        "me@a.example",
    ),
    "Account.BillingCountry": (
        None, "", "Narnia", "Kosovo", "XK", "KP", "North Korea", "UK", "Germnay", "EU", "u.s.", "AN", "Côte d'Ivoire",
    ),
    "Account.BillingState": (None, "", "Bavaria", "ZZ", "Newyork", "new  york", "California, US", "CA", "DC"),
    "Account.BillingPostalCode": (
        None, "", "1", "12345", "1234", "ABC", "12345-123", "99999 9999", "123456", "K1A-0B1", "S W1A 1AA", "x" * 21,
        "１２３４５", "D-10115", "VC0100", "4789O", "\u212a1A 0B1",
    ),
    "Account.BillingCity": _around(255),
    "Account.BillingStreet": _around(255),
}  # fmt: skip


EVERY_FLAW: tuple[Flaw, ...] = tuple((path, value) for path, values in FLAWS.items() for value in values)


def with_flaws(random: Random, base: Record, flaws: Iterable[Flaw]) -> Record:
    """The record with these flaws; a whole account is put before what stands in it."""
    record = copy.deepcopy(base)
    for path, value in sorted(flaws, key=lambda flaw: flaw[0]):
        for name, said in value.items() if path == "several" else ((path, value),):
            _put(random, record, name, said)
    return record


def _put(random: Random, record: Record, path: str, value: Any) -> None:
    first, _, last = path.partition(".")
    if not last:
        record[path] = copy.deepcopy(value)
        return
    if first == "Contact":
        roles = record["OpportunityContactRoles"] = record.get("OpportunityContactRoles") or [_role(random)]
        place = random.choice(roles[:5])
    else:
        place = record
    place[first] = {**(place.get(first) or {}), last: value}
