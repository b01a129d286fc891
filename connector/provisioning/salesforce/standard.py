"""What Salesforce brings along: which object a relationship leads to, and which fields a permission set can name.

Of the objects a mapping usually reads. The rest is told to the person who deploys, not guessed: a permission set with
one name too many is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

EVERYWHERE: Mapping[str, tuple[str, str]] = {
    "Owner": ("OwnerId", "User"),
    "CreatedBy": ("CreatedById", "User"),
    "LastModifiedBy": ("LastModifiedById", "User"),
    "RecordType": ("RecordTypeId", "RecordType"),
}
"""The relationships that nearly every object has: the lookup behind each, and where it leads."""

_RELATIONSHIPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Account": {"Parent": ("ParentId", "Account")},
    "Campaign": {"Parent": ("ParentId", "Campaign")},
    "Contact": {"Account": ("AccountId", "Account"), "ReportsTo": ("ReportsToId", "Contact")},
    "Opportunity": {
        "Account": ("AccountId", "Account"),
        "Campaign": ("CampaignId", "Campaign"),
        "Contact": ("ContactId", "Contact"),
    },
    "OpportunityContactRole": {"Contact": ("ContactId", "Contact"), "Opportunity": ("OpportunityId", "Opportunity")},
    "OpportunityLineItem": {"Product2": ("Product2Id", "Product2"), "Opportunity": ("OpportunityId", "Opportunity")},
    "User": {"Manager": ("ManagerId", "User")},
}
_CHILDREN: Mapping[str, Mapping[str, str]] = {
    "Account": {"Contacts": "Contact", "Opportunities": "Opportunity"},
    "Opportunity": {
        "OpportunityContactRoles": "OpportunityContactRole",
        "OpportunityLineItems": "OpportunityLineItem",
    },
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Object permissions. Contact roles and products follow their opportunity, users and record types are everybody's: a
# permission set cannot name them.
WITHOUT_PERMISSIONS = frozenset({"OpportunityContactRole", "OpportunityLineItem", "RecordType", "User"})
WITHOUT_SHARING = frozenset({"Product2"})
"""Whoever may read the object reads all of it, and View All is not among its permissions."""
DEPENDS_ON: Mapping[str, str] = {"Opportunity": "Account", "Contact": "Account", "Account": "Contact"}
"""To read the first, one must be granted to read the second; to view all of it as well. An account asks for contacts
only where the org has person accounts, which no mapping tells."""
READ_ONLY_DEPENDENCY = frozenset({"Account"})
"""Viewing all of it asks for no more than reading the other."""

# Source: `permissionable` in the describes of a Developer Edition org; of Campaign and Product2, what profiles list.
# Required, audit and owner fields are everybody's, and so are the parts of a person's name.
_GRANTABLE: Mapping[str, frozenset[str]] = {
    "Account": _names(
        """AccountNumber AccountSource AnnualRevenue BillingAddress CleanStatus Description DunsNumber Fax Industry
        Jigsaw NaicsCode NaicsDesc NumberOfEmployees Ownership ParentId Phone Rating ShippingAddress Sic SicDesc Site
        TickerSymbol Tradestyle Type Website YearStarted"""
    ),
    "Campaign": _names("Description EndDate IsActive ParentId StartDate Status Type"),
    "Contact": _names(
        """AccountId AssistantName AssistantPhone Birthdate CleanStatus Department Description Email Fax HomePhone
        Jigsaw LeadSource MailingAddress MobilePhone OtherAddress OtherPhone Phone ReportsToId Title"""
    ),
    "Opportunity": _names(
        """AccountId Amount CampaignId Description ExpectedRevenue IsPrivate LeadSource NextStep Probability
        TotalOpportunityQuantity Type"""
    ),
    "Product2": _names("Description Family ProductCode"),
}
_ALWAYS_SEEN: Mapping[str, frozenset[str]] = {
    "Account": frozenset({"MasterRecordId", "Name", "PhotoUrl"}),
    "Campaign": frozenset({"Name"}),
    "Contact": _names(
        """EmailBouncedDate EmailBouncedReason FirstName IndividualId IsEmailBounced LastName MasterRecordId Name
        PhotoUrl Salutation"""
    ),
    "Product2": frozenset({"Name"}),
    "Opportunity": _names(
        """CloseDate ContactId Fiscal FiscalQuarter FiscalYear ForecastCategory ForecastCategoryName
        HasOpenActivity HasOpportunityLineItem HasOverdueTask IsClosed IsWon LastStageChangeDate Name Pricebook2Id
        StageName"""
    ),
}
_AUDIT = _names(
    """Id IsDeleted OwnerId RecordTypeId CurrencyIsoCode CreatedDate CreatedById LastModifiedDate LastModifiedById
    SystemModstamp LastActivityDate LastViewedDate LastReferencedDate"""
)
_ADDRESS_PARTS = ("Street", "City", "State", "StateCode", "PostalCode", "Country", "CountryCode")
_PLACE_PARTS = ("Latitude", "Longitude", "GeocodeAccuracy")
_ADDRESSES = ("Billing", "Shipping", "Mailing", "Other")
_PARTS = {
    f"{place}{part}".lower(): f"{place}Address" for place in _ADDRESSES for part in (*_ADDRESS_PARTS, *_PLACE_PARTS)
}


def parent_of(sobject: str, relationship: str) -> tuple[str, str] | None:
    """The lookup behind a standard relationship, and the object it leads to."""
    return _found({**EVERYWHERE, **_RELATIONSHIPS.get(sobject, {})}, relationship)


def child_of(sobject: str, relationship: str) -> str | None:
    """The object of a standard child relationship."""
    return _found(_CHILDREN.get(sobject, {}), relationship)


def permission_of(sobject: str, field: str) -> str | None:
    """What a permission set grants for a standard field: its own name, the compound address it is part of, or ""
    where everybody may see it. None where that is not known here.
    """
    own_rule = sobject.endswith("__c") or sobject in WITHOUT_PERMISSIONS
    if own_rule and sobject != "OpportunityLineItem":
        return ""
    seen = {name.lower() for name in _AUDIT | _ALWAYS_SEEN.get(sobject, frozenset())}
    if field.lower() in seen:
        return ""
    grantable = {name.lower(): name for name in _GRANTABLE.get(sobject, ())}
    return grantable.get(_PARTS.get(field.lower(), field).lower())


def _found(table: Mapping[str, T], name: str) -> T | None:
    return next((found for known, found in table.items() if known.lower() == name.lower()), None)
