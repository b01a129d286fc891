"""The README.md of a project: how it is deployed, what was decided, and what the mapping could not tell."""

from __future__ import annotations

from collections.abc import Mapping

from connector.provisioning.salesforce.grants import BYPASS, INTEGRATION, SELLER
from connector.provisioning.salesforce.package import CustomField, Package

GUIDE = "README.md"
_ORG = "my-org"


def guide_of(package: Package, logins: Mapping[str, str]) -> str:
    """The text; ``logins`` are the My Domain addresses by connection."""
    parts = [
        _beginning(package),
        _commands(logins),
        _changes(package),
        _decisions(package),
        _fields(package),
        *([_existing(package.existing)] if package.existing else []),
        _left_open(package.left_open),
    ]
    return "\n".join(parts)


def _beginning(package: Package) -> str:
    kinds = [f"{len(package.fields) + len(package.children)} custom fields"]
    kinds += [f"the object {child.name}" for child in package.children]
    kinds += [f"{len(package.views)} list views"] if package.views else []
    return f"""# What the AWS Partner Central connector needs in Salesforce

Made by `connector salesforce-package` from the mapping: {", ".join(kinds)},
the permission sets {INTEGRATION} and {SELLER}, and the custom permission
{BYPASS}. Do not edit these files: edit the mapping and run the command again. It overwrites and removes
only what it made; `.forceignore` is yours.
"""


def _commands(logins: Mapping[str, str]) -> str:
    address, *others = dict.fromkeys(logins.values())
    again = f"\nThe same for {', '.join(others)}, each with an alias of its own.\n" if others else ""
    return f"""## Deploy

With the [Salesforce CLI](https://developer.salesforce.com/tools/salesforcecli), in this folder, a sandbox org first:

```
sf org login web --alias {_ORG} --instance-url {address}
sf project deploy start --source-dir force-app --target-org {_ORG} --dry-run
sf project deploy start --source-dir force-app --target-org {_ORG}
sf org assign permsetlicense --name SalesforceAPIIntegrationPsl --target-org {_ORG} --on-behalf-of INTEGRATION_USERNAME
sf org assign permset --name {INTEGRATION} --target-org {_ORG} --on-behalf-of INTEGRATION_USERNAME
sf org assign permset --name {SELLER} --target-org {_ORG} --on-behalf-of SELLER_USERNAME
```
{again}
The permission set licence is for a user with the licence *Salesforce Integration*, and comes before the permission set;
leave the line out for any other licence. A deployed field is seen by nobody before a permission set grants it,
administrators included: have the sellers' set yourself. Then run `connector check`, which finds what is still missing.

**Has your org one of these fields already?** A deployment would change it, or be refused where it is a formula or of
another type. Write its path into `.forceignore`, and `connector check` says whether type, length and values will do.
`manifest/package.xml` is for tools that want one: with `--manifest` the CLI refuses a project of which a file is
ignored.
"""


def _changes(package: Package) -> str:
    rows = "".join(
        f"""
* Put the related list of {child.name} on the layout of {child.parent}, and its fields on its own
  layout, which Salesforce makes empty."""
        for child in package.children
    )
    return f"""## By hand, and when the mapping changes

* Put the fields on your page layouts, what is written back as read-only. Layouts are yours: none is part of this.{rows}
* Where an object has record types, look whether each of them offers the values of the new picklists.
* After an edit of the mapping run `connector salesforce-package` again, look at what changed here, and deploy.
* Nothing is deleted in Salesforce: a field that the mapping no longer names stays, with its values, until you delete
  it; only its grants go.
* A picklist gets the values of its file: one that is missing there becomes inactive, and records keep it.
* The permission sets are replaced as a whole. What you grant besides, grant in a permission set of your own.
"""


def _decisions(package: Package) -> str:
    children = [
        f"""* **{child.name}** hangs on {child.parent} by a master-detail relationship: rows go with their record, who
  sees the record sees them, and who may edit it may invite. Object and lookup are named after the relationship
  {child.relationship}__r; if yours are called otherwise, keep yours and leave these files out.
"""
        for child in package.children
    ]
    return f"""## What was decided

* **View All** on the objects that the mapping reads, for the connector's user: a record that sharing hides would look
  like a missing one. It gives no right to edit.
* **API Enabled** for the connector's user, the only system permission: the profile *Minimum Access - Salesforce* lacks
  it, those of *Salesforce Integration* have it. Sellers need none.
* **Contacts** may be read by whoever may read accounts: an org with person accounts grants neither alone.
* **No Modify All**, which would let the connector delete. Where the org-wide default of the shared object is not Public
  Read/Write, give the connector's user edit access to the shared records by a sharing rule.
* **{BYPASS}**: write `NOT($Permission.{BYPASS}) && …` into validation rules, and the same
  into flows, that should not stop what the connector writes back.
* **Picklists** that go to AWS are restricted to what AWS takes. Where AWS's model lists no values, those of its
  documentation are offered and others are possible. What AWS tells is shown as text, for AWS adds words.
* **The O-number** is an external id, and not unique: a clone carries it along for a while.
* **Standard fields** are not part of the project. Those of users everybody sees; they need no grant.
{"".join(children)}"""


def _fields(package: Package) -> str:
    rows = [f"| {field.sobject} | `{field.name}` | {field.type} | {_for(field)} |" for field in package.fields]
    return "\n".join(["## Fields", "", "| Object | Field | Type | For |", "| --- | --- | --- | --- |", *rows, ""])


def _for(field: CustomField) -> str:
    return field.help.replace("|", "\\|")


def _existing(existing: tuple[str, ...]) -> str:
    listed = "\n".join(f"* `{name}`" for name in existing)
    return f"""## Fields that are there already

What an earlier integration filled (`salesforce.adopt` in the mapping), and fields of managed packages. They are
granted to the connector's user, and not defined here. Where one is missing the deployment says so: install the package,
or correct the mapping.

{listed}
"""


def _left_open(left_open: tuple[str, ...]) -> str:
    if not left_open:
        return "## What is left to you\n\nThe mapping tells the type of every field.\n"
    return "## What is left to you\n\n" + "\n".join(f"* {sentence}" for sentence in left_open) + "\n"
