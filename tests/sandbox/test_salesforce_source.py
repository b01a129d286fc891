"""An org from a source-format project: what it holds, what its user may do, and everything a deployment refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from salesforce_client import Clock, serve

from connector.sandbox.salesforce.faults import QueryError, RowError
from connector.sandbox.salesforce.org import Org
from connector.sandbox.salesforce.query import run_query
from connector.sandbox.salesforce.source import make_org
from connector.sandbox.salesforce.source_files import DeployError
from connector.sandbox.salesforce.writes import Actor

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<{0} xmlns="http://soap.sforce.com/2006/04/metadata">{1}</{0}>\n'
MAIN = "force-app/main/default/"
OPPORTUNITY, NOTE = f"{MAIN}objects/Opportunity/", f"{MAIN}objects/Note_Row__c/"
TEXT = (
    "<fullName>Word__c</fullName><description>d</description><externalId>true</externalId><label>Word</label>"
    "<length>20</length><required>false</required><type>Text</type><unique>false</unique>"
)
LONG = (
    "<fullName>Long__c</fullName><label>Long</label><length>2000</length><type>LongTextArea</type>"
    "<visibleLines>4</visibleLines>"
)
VALUES = (
    "<valueSet><restricted>true</restricted><valueSetDefinition><sorted>false</sorted>"
    "<value><fullName>A</fullName><default>false</default><label>A</label></value>"
    "<value><fullName>B</fullName><default>false</default><label>Bee</label></value></valueSetDefinition></valueSet>"
)
PICK = f"<fullName>Pick__c</fullName><label>Pick</label><required>false</required><type>Picklist</type>{VALUES}"
MULTI = f"<fullName>Multi__c</fullName><label>Multi</label><type>MultiselectPicklist</type>{VALUES}"
MULTI += "<visibleLines>4</visibleLines>"
MONEY = (
    "<fullName>Money__c</fullName><label>Money</label><precision>18</precision><scale>2</scale><type>Currency</type>"
)
FLAG = "<fullName>Flag__c</fullName><defaultValue>false</defaultValue><label>Flag</label><type>Checkbox</type>"
NEEDED = "<fullName>Needed__c</fullName><label>Needed</label><required>true</required><type>Date</type>"
MASTER = (
    "<fullName>Deal__c</fullName><label>Deal</label><referenceTo>Opportunity</referenceTo>"
    "<relationshipName>Note_Rows</relationshipName><relationshipOrder>0</relationshipOrder><type>MasterDetail</type>"
)
OBJECT = (
    "<deploymentStatus>Deployed</deploymentStatus><label>Note Row</label><nameField><displayFormat>N-{0000}"
    "</displayFormat><label>Number</label><type>AutoNumber</type></nameField><pluralLabel>Note Rows</pluralLabel>"
    "<sharingModel>ControlledByParent</sharingModel>"
)
VIEW = (
    "<fullName>Flagged</fullName><columns>OPPORTUNITY.NAME</columns><columns>Long__c</columns>"
    "<filterScope>Everything</filterScope><filters><field>Flag__c</field><operation>equals</operation>"
    "<value>1</value></filters><label>Flagged</label>"
)
BYPASS = "<isLicensed>false</isLicensed><label>By</label>"


def field_grant(name: str, editable: str = "false", readable: str = "true") -> str:
    parts = f"<editable>{editable}</editable><field>{name}</field><readable>{readable}</readable>"
    return f"<fieldPermissions>{parts}</fieldPermissions>"


def object_grant(name: str, letters: str = "R") -> str:
    """`letters`: R(ead), C(reate), E(dit), D(elete), V(iew all), M(odify all)."""
    names = {"C": "allowCreate", "D": "allowDelete", "E": "allowEdit", "R": "allowRead", "M": "modifyAllRecords"}
    parts = "".join(f"<{full}>{str(one in letters).lower()}</{full}>" for one, full in names.items())
    viewing = f"<viewAllRecords>{str('V' in letters).lower()}</viewAllRecords>"
    return f"<objectPermissions>{parts}<object>{name}</object>{viewing}</objectPermissions>"


GRANTS = (
    field_grant("Opportunity.Word__c", "true")
    + field_grant("Opportunity.Flag__c")
    + field_grant("Opportunity.Amount")
    + field_grant("Account.BillingAddress")
    + field_grant("Note_Row__c.Pick__c", "true")
)
OBJECTS = object_grant("Account") + object_grant("Opportunity", "RE") + object_grant("Note_Row__c", "RC")
SET = (
    f"<customPermissions><enabled>true</enabled><name>By</name></customPermissions>{GRANTS}<label>User</label>{OBJECTS}"
)
FILES = {
    f"{OPPORTUNITY}fields/Word__c.field-meta.xml": ("CustomField", TEXT),
    f"{OPPORTUNITY}fields/Long__c.field-meta.xml": ("CustomField", LONG),
    f"{OPPORTUNITY}fields/Money__c.field-meta.xml": ("CustomField", MONEY),
    f"{OPPORTUNITY}fields/Flag__c.field-meta.xml": ("CustomField", FLAG),
    f"{OPPORTUNITY}listViews/Flagged.listView-meta.xml": ("ListView", VIEW),
    f"{NOTE}Note_Row__c.object-meta.xml": ("CustomObject", OBJECT),
    f"{NOTE}fields/Deal__c.field-meta.xml": ("CustomField", MASTER),
    f"{NOTE}fields/Needed__c.field-meta.xml": ("CustomField", NEEDED),
    f"{NOTE}fields/Pick__c.field-meta.xml": ("CustomField", PICK),
    f"{NOTE}fields/Multi__c.field-meta.xml": ("CustomField", MULTI),
    f"{MAIN}customPermissions/By.customPermission-meta.xml": ("CustomPermission", BYPASS),
    f"{MAIN}permissionsets/User.permissionset-meta.xml": ("PermissionSet", SET),
}
MEMBERS = {
    "CustomField": "Note_Row__c.Deal__c Note_Row__c.Multi__c Note_Row__c.Needed__c Note_Row__c.Pick__c "
    "Opportunity.Flag__c Opportunity.Long__c Opportunity.Money__c Opportunity.Word__c",
    "CustomObject": "Note_Row__c",
    "CustomPermission": "By",
    "ListView": "Opportunity.Flagged",
    "PermissionSet": "User",
}


def manifest(members: dict[str, str], version: str = "66.0") -> str:
    types = "".join(
        f"<types>{''.join(f'<members>{name}</members>' for name in names.split())}<name>{kind}</name></types>"
        for kind, names in members.items()
    )
    return HEAD.format("Package", f"{types}<version>{version}</version>")


def lay_out(folder: Path) -> Path:
    """The project above, in files."""
    settings = {"packageDirectories": [{"path": "force-app", "default": True}], "sourceApiVersion": "66.0"}
    texts = {name: HEAD.format(*parts) for name, parts in FILES.items()}
    texts |= {"sfdx-project.json": json.dumps(settings), "manifest/package.xml": manifest(MEMBERS)}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


@pytest.fixture
def org(project: Path) -> Org:
    return make_org(project, "User", Clock())


# What the org is then


def test_fields_are_as_the_project_says(org: Org) -> None:
    found = {
        name: org.schema.get(sobject).fields[name.lower()]
        for sobject, names in (("Opportunity", "Word__c Long__c Money__c Flag__c"), ("Note_Row__c", "Deal__c Pick__c"))
        for name in names.split()
    }
    word, long, money, flag = (found[name] for name in ("Word__c", "Long__c", "Money__c", "Flag__c"))
    assert (word.type, word.length, word.label, word.external_id, word.unique) == ("string", 20, "Word", True, False)
    assert (long.type, long.length, long.is_filterable) == ("textarea", 2000, False)
    assert (money.type, money.precision, money.scale) == ("currency", 18, 2)
    assert (flag.type, flag.nillable, flag.defaulted) == ("boolean", False, True)
    deal, pick = found["Deal__c"], found["Pick__c"]
    assert (deal.target, deal.relationship, deal.children) == ("Opportunity", "Deal__r", "Note_Rows__r")
    assert (deal.cascade, deal.is_required, deal.updateable) == (True, True, False)
    assert (pick.values, pick.restricted) == ((("A", "A"), ("B", "Bee")), True)
    assert org.schema.get("Note_Row__c").fields["needed__c"].is_required
    assert org.schema.get("Opportunity").find("Share_With_AWS__c") is None, "an org begins with standard fields"


def test_rows_follow_their_master(org: Org) -> None:
    deal = org.insert("Opportunity", {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"})
    row = org.insert("Note_Row__c", {"Deal__c": deal, "Needed__c": "2027-01-01"})
    assert org.get("Note_Row__c", row)["Name"] == "N-0001"
    assert "OwnerId" not in org.get("Note_Row__c", row)
    with pytest.raises(RowError, match="REQUIRED_FIELD_MISSING"):
        org.insert("Note_Row__c", {"Deal__c": deal})
    with pytest.raises(RowError, match="INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"):
        org.update("Note_Row__c", row, {"Pick__c": "Z"})
    org.delete("Opportunity", deal)
    assert org.records("Note_Row__c") == []


def ask(org: Org, soql: str) -> int:
    return int(run_query(org, soql, base="/services/data/v66.0")["totalSize"])


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, Name, StageName, CloseDate, Owner.Email, Word__c, Flag__c, Amount FROM Opportunity",
        "SELECT Id, Name, BillingCity, BillingCountry FROM Account",
        "SELECT Id, Deal__c, Deal__r.Word__c, Needed__c, Pick__c FROM Note_Row__c",
        "SELECT Id, (SELECT Pick__c FROM Note_Rows__r), (SELECT Role FROM OpportunityContactRoles) FROM Opportunity",
    ],
)
def test_what_is_granted_can_be_read(org: Org, soql: str) -> None:
    assert ask(org, soql) == 0


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Long__c FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Money__c > 5", "INVALID_FIELD"),
        ("SELECT NextStep FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Account.Name FROM Opportunity", "INVALID_FIELD"),
        ("SELECT ShippingCity FROM Account", "INVALID_FIELD"),
        ("SELECT Multi__c FROM Note_Row__c", "INVALID_FIELD"),
        ("SELECT Id FROM Contact", "INVALID_TYPE"),
        ("SELECT Contact.LastName FROM OpportunityContactRole", "INVALID_FIELD"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "INVALID_TYPE"),
        ("SELECT Id FROM Product2", "INVALID_TYPE"),
    ],
)
def test_what_is_not_granted_does_not_exist(org: Org, soql: str, code: str) -> None:
    with pytest.raises(QueryError, match=code):
        ask(org, soql)


def test_what_is_not_granted_cannot_be_changed(org: Org) -> None:
    user = Actor(org.integration_user_id, through_api=True)
    deal = org.insert("Opportunity", {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2027-01-31"})
    opportunity, row = org.schema.get("Opportunity"), org.schema.get("Note_Row__c")
    org.writes.update(opportunity, deal, {"Word__c": "word", "StageName": "Qualification"}, user)
    for field, value in (("Flag__c", True), ("Amount", 5), ("Long__c", "x"), ("NextStep", "x")):
        with pytest.raises(RowError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
            org.writes.update(opportunity, deal, {field: value}, user)
    made = org.writes.insert(row, {"Deal__c": deal, "Needed__c": "2027-01-01", "Pick__c": "A"}, user)
    with pytest.raises(RowError, match="INSUFFICIENT_ACCESS_OR_READONLY"):
        org.writes.update(row, made, {"Pick__c": "B"}, user)
    with pytest.raises(RowError, match="INSUFFICIENT_ACCESS_OR_READONLY"):
        org.writes.delete(opportunity, deal, user)
    with pytest.raises(RowError, match="CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"):
        org.writes.insert(opportunity, {"Name": "x", "StageName": "Prospecting", "CloseDate": "2027-01-31"}, user)
    org.update("Opportunity", deal, {"Long__c": "people in the org are not bound"})


def test_a_client_learns_of_nothing_that_is_not_granted(org: Org) -> None:
    with serve() as server, server.host(org) as wire:
        assert wire.call("GET", "sobjects/Contact/describe").status_code == 404
        listed = {one["name"] for one in wire.call("GET", "sobjects").json()["sobjects"]}
        assert {"Account", "Opportunity", "Note_Row__c", "OpportunityContactRole", "User"} <= listed
        assert not listed & {"Campaign", "Contact", "Product2"}
        told = wire.call("GET", "sobjects/Account/describe").json()
        assert {one["childSObject"] for one in told["childRelationships"]} == {"Account", "Opportunity"}
        fields = {one["name"]: one for one in wire.call("GET", "sobjects/Opportunity/describe").json()["fields"]}
    assert {name for name in fields if name.endswith("__c")} == {"Word__c", "Flag__c"}
    assert (fields["Word__c"]["updateable"], fields["Flag__c"]["updateable"]) == (True, False)
    assert not {"AccountId", "NextStep", "Description"} & set(fields)


def test_a_new_field_is_nobodys_until_it_is_granted(org: Org) -> None:
    org.add_field("Opportunity", org.schema.get("Opportunity").fields["long__c"])
    with pytest.raises(QueryError, match="INVALID_FIELD"):
        ask(org, "SELECT Long__c FROM Opportunity")
    org.grant_field("Opportunity", "Long__c")
    assert ask(org, "SELECT Long__c FROM Opportunity") == 0
    org.hide_field("Opportunity", "Word__c")
    with pytest.raises(QueryError, match="INVALID_FIELD"):
        ask(org, "SELECT Word__c FROM Opportunity")


# What is refused

Change = tuple[str, Callable[[str], str], str]
WORD, LONGER = f"{OPPORTUNITY}fields/Word__c.field-meta.xml", f"{OPPORTUNITY}fields/Long__c.field-meta.xml"
FUNDS, TICK = f"{OPPORTUNITY}fields/Money__c.field-meta.xml", f"{OPPORTUNITY}fields/Flag__c.field-meta.xml"
PICKED, CHOSEN = f"{NOTE}fields/Pick__c.field-meta.xml", f"{NOTE}fields/Multi__c.field-meta.xml"
DETAIL, KIND = f"{NOTE}fields/Deal__c.field-meta.xml", f"{NOTE}Note_Row__c.object-meta.xml"
LISTED, USER = f"{OPPORTUNITY}listViews/Flagged.listView-meta.xml", f"{MAIN}permissionsets/User.permissionset-meta.xml"


def swap(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return change


def add(what: str, end: str) -> Callable[[str], str]:
    return swap(f"</{end}>", f"{what}</{end}>")


REFUSED: dict[str, Change] = {
    "unknown element": (WORD, add("<visibleLines>4</visibleLines>", "CustomField"), "Can not specify 'visibleLines'"),
    "element twice": (WORD, add("<label>Again</label>", "CustomField"), "Duplicate element label"),
    "no label": (WORD, swap("<label>Word</label>", ""), "Must specify 'label'"),
    "no type": (WORD, swap("<type>Text</type>", ""), "not a valid value for the enum 'FieldType'"),
    "unknown type": (WORD, swap("Text<", "String<"), "'String' is not a valid value"),
    "text without length": (WORD, swap("<length>20</length>", ""), "Must specify 'length'"),
    "text too long": (WORD, swap("<length>20<", "<length>256<"), "length must be between 1 and 255"),
    "long text too short": (LONGER, swap(">2000<", ">255<"), "length must be between 256 and 131072"),
    "long text too long": (LONGER, swap(">2000<", ">131073<"), "length must be between 256 and 131072"),
    "long text without lines": (LONGER, swap("<visibleLines>4</visibleLines>", ""), "Must specify 'visibleLines'"),
    "required long text": (LONGER, add("<required>false</required>", "CustomField"), "Can not specify 'required'"),
    "multi-select without lines": (CHOSEN, swap("<visibleLines>4</visibleLines>", ""), "Must specify 'visibleLines'"),
    "currency without precision": (FUNDS, swap("<precision>18</precision>", ""), "Must specify 'precision'"),
    "currency without scale": (FUNDS, swap("<scale>2</scale>", ""), "Must specify 'scale'"),
    "precision": (FUNDS, swap(">18<", ">19<"), "precision must be between 1 and 18"),
    "scale above precision": (FUNDS, swap(">18<", ">1<"), "scale is greater than precision"),
    "checkbox without default": (TICK, swap("<defaultValue>false</defaultValue>", ""), "Must specify 'defaultValue'"),
    "required checkbox": (TICK, add("<required>true</required>", "CustomField"), "Can not specify 'required'"),
    "picklist without values": (PICKED, swap(VALUES, ""), "Must specify 'valueSet'"),
    "value twice": (PICKED, swap("<fullName>B<", "<fullName>a<"), "Duplicate picklist value"),
    "value without label": (PICKED, swap("<label>Bee</label>", ""), "needs a label and a default"),
    "several in one value": (CHOSEN, swap("<fullName>B<", "<fullName>B;C<"), "has a ; in it"),
    "external money": (FUNDS, add("<externalId>true</externalId>", "CustomField"), "cannot be an external ID"),
    "no truth": (WORD, swap("<externalId>true<", "<externalId>yes<"), "not a valid value for the type xsd:boolean"),
    "label": (WORD, swap("<label>Word<", f"<label>{'w' * 41}<"), "label has 41 characters"),
    "help": (WORD, add(f"<inlineHelpText>{'h' * 511}</inlineHelpText>", "CustomField"), "inlineHelpText has 511"),
    "description": (WORD, swap("<description>d<", f"<description>{'d' * 1001}<"), "description has 1001"),
    "another name": (WORD, swap("Word__c", "Wort__c"), "is not the name of the file"),
    "no relationship name": (
        DETAIL,
        swap("<relationshipName>Note_Rows</relationshipName>", ""),
        "Must specify 'relationshipName'",
    ),
    "relationship taken": (DETAIL, swap(">Note_Rows<", ">Note_Rows__r<"), "relationship name 'Note_Rows__r'"),
    "unknown master": (DETAIL, swap(">Opportunity<", ">Deal__c<"), "does not resolve to a valid sObject type"),
    "optional master": (DETAIL, add("<required>true</required>", "CustomField"), "Can not specify 'required'"),
    "sharing of a detail": (KIND, swap("ControlledByParent", "ReadWrite"), "of the detail side"),
    "object without plural": (KIND, swap("<pluralLabel>Note Rows</pluralLabel>", ""), "Must specify pluralLabel"),
    "object without name": (KIND, swap("<label>Number</label>", ""), "nameField needs a label"),
    "number without format": (KIND, swap("N-{0000}", "N"), "displayFormat with {0}"),
    "switches": (KIND, add("<enableSharing>true</enableSharing>", "CustomObject"), "together"),
    "unknown object element": (KIND, add("<colour>red</colour>", "CustomObject"), "Element colour invalid"),
    "unknown column": (LISTED, swap(">Long__c<", ">Other__c<"), "Could not resolve list view column: Other__c"),
    "wrong column": (LISTED, swap("OPPORTUNITY.NAME", "NAME"), "Could not resolve list view column: NAME"),
    "unknown filter": (LISTED, swap(">Flag__c<", ">Other__c<"), "Could not resolve list view filter field"),
    "filter of long text": (LISTED, swap(">Flag__c<", ">Long__c<"), "Long__c cannot be filtered by"),
    "unknown operation": (LISTED, swap("equals", "is"), "'is' is not a valid value"),
    "unknown scope": (LISTED, swap("Everything", "All"), "'All' is not a valid value"),
    "view label": (LISTED, swap("<label>Flagged<", f"<label>{'w' * 41}<"), "label must have 1 to 40 characters"),
    "required field": (USER, add(field_grant("Note_Row__c.Needed__c"), "PermissionSet"), "to a required field"),
    "master-detail": (USER, add(field_grant("Note_Row__c.Deal__c"), "PermissionSet"), "to a required field"),
    "standard required": (USER, add(field_grant("Opportunity.StageName"), "PermissionSet"), "to a required field"),
    "part of a name": (USER, add(field_grant("Contact.LastName"), "PermissionSet"), "to a required field"),
    "field of a user": (USER, add(field_grant("User.Email"), "PermissionSet"), "to a required field"),
    "part of an address": (USER, add(field_grant("Account.BillingCity"), "PermissionSet"), "no CustomField named"),
    "unknown field": (USER, add(field_grant("Opportunity.Other__c"), "PermissionSet"), "no CustomField named"),
    "field in other case": (USER, add(field_grant("Opportunity.long__c"), "PermissionSet"), "no CustomField named"),
    "field twice": (USER, add(field_grant("Opportunity.Word__c"), "PermissionSet"), "Duplicate fieldPermissions"),
    "editable unread": (
        USER,
        add(field_grant("Opportunity.Long__c", "true", "false"), "PermissionSet"),
        "is editable, but not readable",
    ),
    "unknown object": (USER, add(object_grant("Other__c"), "PermissionSet"), "no CustomObject named Other__c"),
    "object of everybody": (USER, add(object_grant("User"), "PermissionSet"), "no CustomObject named User"),
    "edit without read": (USER, add(object_grant("Campaign", "E"), "PermissionSet"), "allowEdit Campaign depends"),
    "create without read": (USER, add(object_grant("Campaign", "C"), "PermissionSet"), "allowCreate Campaign depends"),
    "delete without edit": (USER, add(object_grant("Campaign", "RD"), "PermissionSet"), "allowDelete Campaign depends"),
    "modify all": (USER, add(object_grant("Campaign", "RV" + "M"), "PermissionSet"), "modifyAllRecords Campaign"),
    "view all without account": (
        USER,
        swap(object_grant("Opportunity", "RE"), object_grant("Opportunity", "REV")),
        "viewAllRecords Opportunity depends on permission(s): viewAllRecords Account",
    ),
    "opportunity without account": (USER, swap(object_grant("Account"), ""), "depends on permission(s): allowRead Acc"),
    "detail without master": (
        USER,
        swap(object_grant("Opportunity", "RE"), ""),
        "allowRead Note_Row__c depends on permission(s): allowRead Opportunity",
    ),
    "unknown permission": (USER, swap("<name>By<", "<name>To<"), "no CustomPermission named To"),
    "unknown user permission": (
        USER,
        add("<userPermissions><enabled>true</enabled><name>ApiEnable</name></userPermissions>", "PermissionSet"),
        "Unknown user permission: ApiEnable",
    ),
    "unknown set element": (USER, add("<roles>a</roles>", "PermissionSet"), "Element roles invalid"),
    "set description": (USER, add(f"<description>{'d' * 256}</description>", "PermissionSet"), "description must have"),
    "other document": (WORD, lambda _: HEAD.format("Profile", ""), "the document is a Profile"),
    "broken document": (WORD, swap("</label>", ""), "not well-formed"),
    "no namespace": (WORD, swap(' xmlns="http://soap.sforce.com/2006/04/metadata"', ""), "not a CustomField"),
    "unnamed in the manifest": (
        "manifest/package.xml",
        swap("<members>Opportunity.Word__c</members>", ""),
        "CustomField Opportunity.Word__c is not named",
    ),
    "absent of the manifest": (
        "manifest/package.xml",
        swap("Opportunity.Word__c", "Opportunity.Verb__c"),
        "no source-backed component is CustomField Opportunity.Verb__c",
    ),
    "other version": ("manifest/package.xml", swap("66.0", "65.0"), "version 65.0 is not the project's 66.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_deployment_is_refused(project: Path, name: str) -> None:
    path, change, message = REFUSED[name]
    before = (project / path).read_text(encoding="utf-8")
    (project / path).write_text(change(before), encoding="utf-8")
    with pytest.raises(DeployError) as refused:
        make_org(project, "User")
    assert any(message in str(one) for one in refused.value.refusals), refused.value.refusals


def test_everything_that_is_wrong_is_told_at_once(project: Path) -> None:
    for name in ("text too long", "checkbox without default", "value twice"):
        path, change, _ = REFUSED[name]
        (project / path).write_text(change((project / path).read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(DeployError) as refused:
        make_org(project, "User")
    assert [one.component for one in refused.value.refusals] == [
        "CustomField Note_Row__c.Pick__c",
        "CustomField Opportunity.Flag__c",
        "CustomField Opportunity.Word__c",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{OPPORTUNITY}fields/Word.field-meta.xml", "The field name is not valid"),
        (f"{OPPORTUNITY}fields/My__Word__c.field-meta.xml", "The field name is not valid"),
        (f"{OPPORTUNITY}fields/{'W' * 41}__c.field-meta.xml", "The field name is not valid"),
        (f"{MAIN}objects/Other__c/fields/Word__c.field-meta.xml", "no CustomObject named Other__c found"),
        (f"{OPPORTUNITY}Word__c.field-meta.xml", "Could not infer a metadata type"),
        (f"{MAIN}flows/Word.flow-meta.xml", "Could not infer a metadata type"),
    ],
)
def test_a_file_in_the_wrong_place_or_of_a_wrong_name_is_refused(project: Path, name: str, message: str) -> None:
    bare = Path(name).name.split(".")[0]
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(HEAD.format("CustomField", TEXT.replace("Word__c", bare)), encoding="utf-8")
    members = dict(MEMBERS)
    members["CustomField"] += f" {Path(name).parts[4] if len(Path(name).parts) > 5 else 'Opportunity'}.{bare}"
    (project / "manifest/package.xml").write_text(manifest(members), encoding="utf-8")
    with pytest.raises(DeployError, match=message):
        make_org(project, "User")


def test_a_permission_set_that_is_not_there_cannot_be_assigned(project: Path) -> None:
    with pytest.raises(DeployError, match="there is no such permission set"):
        make_org(project, "Other")
    (project / "sfdx-project.json").unlink()
    with pytest.raises(DeployError, match=r"sfdx-project\.json"):
        make_org(project, "User")
