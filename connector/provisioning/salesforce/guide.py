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
        _decisions(package),
        _fields(package),
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
    addresses = dict.fromkeys(logins.values())
    login = "\n".join(f"sf org login web --alias {_ORG} --instance-url {address}" for address in addresses)
    return f"""## Deploy

With the [Salesforce CLI](https://developer.salesforce.com/tools/salesforcecli), in this folder, a sandbox org first:

```
{login}
sf project deploy start --manifest manifest/package.xml --target-org {_ORG} --dry-run
sf project deploy start --manifest manifest/package.xml --target-org {_ORG}
sf org assign permset --name {INTEGRATION} --target-org {_ORG} --on-behalf-of INTEGRATION_USERNAME
sf org assign permset --name {SELLER} --target-org {_ORG} --on-behalf-of SELLER_USERNAME
```

A user with the licence *Salesforce Integration* needs the permission set licence *Salesforce API Integration* first.
Then put the fields on your page layouts (what is written back as read-only), and run `connector check`.

Has your org one of these fields already? A deployment would change it. Add its file to `.forceignore`, take its line
out of the manifest for the deployment, and see with `connector check` whether type, length and values will do.
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


def _left_open(left_open: tuple[str, ...]) -> str:
    if not left_open:
        return "## What is left to you\n\nThe mapping tells the type of every field.\n"
    return "## What is left to you\n\n" + "\n".join(f"* {sentence}" for sentence in left_open) + "\n"
