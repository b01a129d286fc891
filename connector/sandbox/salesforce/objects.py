"""The objects a partner would map, with the types, lengths and values of a Developer Edition org.

Fields that a feature must be switched on for (currencies, state and country codes, record types) are not
here. The notation is that of `schema.read_fields`.
"""

from __future__ import annotations

from connector.sandbox.salesforce.custom_fields import INVITATION_TABLE, OPPORTUNITY_FIELDS
from connector.sandbox.salesforce.schema import ObjectType, Schema, read_fields

_AUDIT = """
Id | {label} ID | id | system
IsDeleted | Deleted | boolean | system
CreatedDate | Created Date | datetime | system
CreatedById | Created By ID | reference(User) | system up:CreatedBy
LastModifiedDate | Last Modified Date | datetime | system
LastModifiedById | Last Modified By ID | reference(User) | system up:LastModifiedBy
SystemModstamp | System Modstamp | datetime | system
"""
_SEEN = """
LastActivityDate | Last Activity | date | read
LastViewedDate | Last Viewed Date | datetime | read
LastReferencedDate | Last Referenced Date | datetime | read
"""
_OWNER = "OwnerId | Owner ID | reference(User) | defaulted up:Owner"
_SOURCES = "Web; Phone Inquiry; Partner Referral; Purchased List; Other"
_CLEAN = (
    "Matched=In Sync; Different; Acknowledged=Reviewed; NotFound=Not Found; Inactive; Pending=Not Compared; "
    "SelectMatch=Select Match; Skipped"
)
_ACCURACY = "Address; NearAddress; Block; Street; ExtendedZip; Zip; Neighborhood; City; County; State; Unknown"
_PLACE = """
{0}Street | {0} Street | textarea(255) | in:{0}Address
{0}City | {0} City | string(40) | in:{0}Address
{0}State | {0} State/Province | string(80) | in:{0}Address
{0}PostalCode | {0} Zip/Postal Code | string(20) | in:{0}Address
{0}Country | {0} Country | string(80) | in:{0}Address
{0}Latitude | {0} Latitude | double(18,15) | in:{0}Address
{0}Longitude | {0} Longitude | double(18,15) | in:{0}Address
{0}GeocodeAccuracy | {0} Geocode Accuracy | picklist(40) | restricted in:{0}Address | {accuracy}
{0}Address | {0} Address | address | read
"""

_ACCOUNT = f"""
MasterRecordId | Master Record ID | reference(Account) | read up:MasterRecord
Name | Account Name | string(255) | required
Type | Account Type | picklist(40) | | Prospect; Customer - Direct; Customer - Channel; Channel Partner \
/ Reseller; Installation Partner; Technology Partner; Other
ParentId | Parent Account ID | reference(Account) | up:Parent down:ChildAccounts
{_PLACE.strip().format("Billing", accuracy=_ACCURACY)}
{_PLACE.strip().format("Shipping", accuracy=_ACCURACY)}
Phone | Account Phone | phone(40)
Fax | Account Fax | phone(40)
AccountNumber | Account Number | string(40)
Website | Website | url(255)
PhotoUrl | Photo URL | url(255) | read
Sic | SIC Code | string(20)
Industry | Industry | picklist(40) | | Agriculture; Apparel; Banking; Biotechnology; Chemicals; \
Communications; Construction; Consulting; Education; Electronics; Energy; Engineering; Entertainment; \
Environmental; Finance; Food & Beverage; Government; Healthcare; Hospitality; Insurance; Machinery; \
Manufacturing; Media; Not For Profit; Recreation; Retail; Shipping; Technology; Telecommunications; \
Transportation; Utilities; Other
AnnualRevenue | Annual Revenue | currency(18,0)
NumberOfEmployees | Employees | int
Ownership | Ownership | picklist(40) | | Public; Private; Subsidiary; Other
TickerSymbol | Ticker Symbol | string(20)
Description | Account Description | textarea(32000)
Rating | Account Rating | picklist(40) | | Hot; Warm; Cold
Site | Account Site | string(80)
{_OWNER}
Jigsaw | Data.com Key | string(20)
CleanStatus | Clean Status | picklist(40) | restricted | {_CLEAN}
AccountSource | Account Source | picklist(40) | | {_SOURCES}
DunsNumber | D-U-N-S Number | string(9)
Tradestyle | Tradestyle | string(255)
NaicsCode | NAICS Code | string(8)
NaicsDesc | NAICS Description | string(120)
YearStarted | Year Started | string(4)
SicDesc | SIC Description | string(80)
"""

_CONTACT = f"""
MasterRecordId | Master Record ID | reference(Contact) | read up:MasterRecord
AccountId | Account ID | reference(Account) | up:Account down:Contacts cascade
LastName | Last Name | string(80) | required in:Name
FirstName | First Name | string(40) | in:Name
Salutation | Salutation | picklist(40) | in:Name | Mr.; Ms.; Mrs.; Dr.; Prof.
Name | Full Name | string(121) | system
{_PLACE.strip().format("Other", accuracy=_ACCURACY)}
{_PLACE.strip().format("Mailing", accuracy=_ACCURACY)}
Phone | Business Phone | phone(40)
Fax | Business Fax | phone(40)
MobilePhone | Mobile Phone | phone(40)
HomePhone | Home Phone | phone(40)
OtherPhone | Other Phone | phone(40)
AssistantPhone | Asst. Phone | phone(40)
ReportsToId | Reports To ID | reference(Contact) | up:ReportsTo
Email | Email | email(80)
Title | Title | string(128)
Department | Department | string(80)
AssistantName | Assistant's Name | string(40)
LeadSource | Lead Source | picklist(255) | | {_SOURCES}
Birthdate | Birthdate | date
Description | Contact Description | textarea(32000)
{_OWNER}
EmailBouncedReason | Email Bounced Reason | string(255)
EmailBouncedDate | Email Bounced Date | datetime
IsEmailBounced | Is Email Bounced | boolean | system
PhotoUrl | Photo URL | url(255) | read
CleanStatus | Clean Status | picklist(40) | restricted | {_CLEAN}
"""

_OPPORTUNITY = f"""
AccountId | Account ID | reference(Account) | up:Account down:Opportunities cascade
IsPrivate | Private | boolean
Name | Name | string(120) | required
Description | Description | textarea(32000)
StageName | Stage | picklist(255) | required | Prospecting; Qualification; Needs Analysis; Value \
Proposition; Id. Decision Makers; Perception Analysis; Proposal/Price Quote; Negotiation/Review; Closed \
Won; Closed Lost
Amount | Amount | currency(18,2)
Probability | Probability (%) | percent(3,0)
ExpectedRevenue | Expected Amount | currency(18,2) | read
TotalOpportunityQuantity | Quantity | double(18,2)
CloseDate | Close Date | date | required
Type | Opportunity Type | picklist(255) | | Existing Customer - Upgrade; Existing Customer - \
Replacement; Existing Customer - Downgrade; New Customer
NextStep | Next Step | string(255)
LeadSource | Lead Source | picklist(255) | | {_SOURCES}
IsClosed | Closed | boolean | system
IsWon | Won | boolean | system
ForecastCategory | Forecast Category | picklist(40) | system restricted | Omitted; Pipeline; \
BestCase=Best Case; MostLikely=Most Likely; Forecast=Commit; Closed
ForecastCategoryName | Forecast Category | picklist(255) | restricted | Omitted; Pipeline; Best Case; \
Commit; Closed
CampaignId | Campaign ID | reference(Campaign) | up:Campaign down:Opportunities
HasOpportunityLineItem | Has Line Item | boolean | system
{_OWNER}
LastStageChangeDate | Last Stage Change Date | datetime | read
FiscalQuarter | Fiscal Quarter | int | read in:Fiscal
FiscalYear | Fiscal Year | int | read in:Fiscal
Fiscal | Fiscal Period | string(6) | read
ContactId | Contact ID | reference(Contact) | insert
"""

_ROLE = """
OpportunityId | Opportunity ID | reference(Opportunity) | required insert up:Opportunity \
down:OpportunityContactRoles cascade
ContactId | Contact ID | reference(Contact) | required up:Contact down:OpportunityContactRoles cascade
Role | Role | picklist(40) | | Business User; Decision Maker; Economic Buyer; Economic Decision Maker; \
Evaluator; Executive Sponsor; Influencer; Technical Buyer; Other
IsPrimary | Primary | boolean
"""

_LINE_ITEM = """
OpportunityId | Opportunity ID | reference(Opportunity) | required insert up:Opportunity \
down:OpportunityLineItems cascade
Product2Id | Product ID | reference(Product2) | insert up:Product2
ProductCode | Product Code | string(255) | read
Name | Opportunity Product Name | string(376) | read
Quantity | Quantity | double(12,2) | required
UnitPrice | Sales Price | currency(18,2)
TotalPrice | Total Price | currency(18,2) | read
ServiceDate | Date | date
Description | Line Description | string(255)
"""

_PRODUCT = """
Name | Product Name | string(255) | required
ProductCode | Product Code | string(255)
Description | Product Description | textarea(4000)
Family | Product Family | picklist(255) | | None
IsActive | Active | boolean
"""

_USER = """
Username | Username | string(80) | required
LastName | Last Name | string(80) | required
FirstName | First Name | string(40)
Name | Full Name | string(121) | system
CompanyName | Company Name | string(80)
Title | Title | string(80)
Department | Department | string(80)
Email | Email | email(128) | required
Phone | Phone | phone(40)
MobilePhone | Mobile | phone(40)
Alias | Alias | string(8)
IsActive | Active | boolean
TimeZoneSidKey | Time Zone | picklist(40) | restricted | GMT
LocaleSidKey | Locale | picklist(40) | restricted | en_US
UserType | User Type | picklist(40) | read | Standard
ManagerId | Manager ID | reference(User) | up:Manager
"""

_ORGANIZATION = """
Name | Name | string(80) | required
Country | Country | string(80)
LanguageLocaleKey | Language | picklist(40) | restricted | en_US
TimeZoneSidKey | Time Zone | picklist(40) | restricted | GMT
OrganizationType | Edition | picklist(40) | read | Developer Edition
NamespacePrefix | Namespace Prefix | string(15) | read
InstanceName | Instance Name | string(5) | read
IsSandbox | Is Sandbox | boolean | system
TrialExpirationDate | Trial Expiration Date | datetime | read
"""

_CAMPAIGN = f"""
Name | Name | string(80) | required
ParentId | Parent Campaign ID | reference(Campaign) | up:Parent down:ChildCampaigns
Type | Type | picklist(40) | | Conference; Webinar; Trade Show; Public Relations; Partners; Referral \
Program; Advertisement; Banner Ads; Direct Mail; Email; Telemarketing; Other
Status | Status | picklist(40) | | Planned; In Progress; Completed; Aborted
StartDate | Start Date | date
EndDate | End Date | date
IsActive | Active | boolean
Description | Description | textarea(32000)
{_OWNER}
"""

_RECORD_TYPE = """
Name | Name | string(80) | required
DeveloperName | Record Type Name | string(80) | required
Description | Description | string(255)
SobjectType | SObject Type Name | picklist(40) | insert restricted | Account; Contact; Opportunity
IsActive | Active | boolean
"""


def define_object(
    name: str,
    label: str,
    plural: str,
    prefix: str,
    *tables: str,
    createable: bool = True,
    deletable: bool = True,
    mergeable: bool = False,
    undeletable: bool = True,
) -> ObjectType:
    """An object with an id, audit fields and the fields of the tables; without IsDeleted where not deletable."""
    made = ObjectType(name, label, plural, prefix, {}, createable, deletable, mergeable, undeletable)
    for table in (_AUDIT.format(label=label), *tables):
        made.add(read_fields(table))
    if not made.deletable:
        del made.fields["isdeleted"]
    return made


def standard_schema() -> Schema:
    """A new schema: the standard objects, the partner fields on Opportunity, and the partner's invitations."""
    objects = list(plain_schema())
    label, plural = "AWS Partner Invitation", "AWS Partner Invitations"
    tables = (INVITATION_TABLE, _OWNER, _SEEN)
    made = Schema([*objects, define_object("AWS_Partner_Invitation__c", label, plural, "a01", *tables)])
    made.get("Opportunity").add(OPPORTUNITY_FIELDS)
    return made


def plain_schema() -> Schema:
    """A new schema with what Salesforce brings along, and nothing else."""
    fixed = {"createable": False, "deletable": False, "undeletable": False}
    return Schema(
        [
            define_object("Account", "Account", "Accounts", "001", _ACCOUNT, _SEEN, mergeable=True),
            define_object("Contact", "Contact", "Contacts", "003", _CONTACT, _SEEN, mergeable=True),
            define_object("Opportunity", "Opportunity", "Opportunities", "006", _OPPORTUNITY, _SEEN),
            define_object(
                "OpportunityContactRole",
                "Opportunity Contact Role",
                "Opportunity Contact Role",
                "00K",
                _ROLE,
                undeletable=False,
            ),
            define_object("OpportunityLineItem", "Opportunity Product", "Opportunity Product", "00k", _LINE_ITEM),
            define_object("Product2", "Product", "Products", "01t", _PRODUCT),
            define_object("User", "User", "Users", "005", _USER, deletable=False, undeletable=False),
            define_object("Organization", "Organization", "Organizations", "00D", _ORGANIZATION, **fixed),
            define_object("Campaign", "Campaign", "Campaigns", "701", _CAMPAIGN),
            define_object("RecordType", "Record Type", "Record Types", "012", _RECORD_TYPE, **fixed),
        ]
    )
