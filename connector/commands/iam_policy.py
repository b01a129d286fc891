"""``connector iam-policy``: the least that the connector needs at AWS, as a policy that IAM takes as it is."""

from __future__ import annotations

import json

import click

from connector.app import App
from connector.commands.session import DONE, print_json
from connector.core.actions import Action, needed
from connector.core.model import Structure
from connector.provisioning.iam import caller_policy, policy, trust_policy

PRINCIPAL = "ARN-OF-WHOEVER-RUNS-THE-CONNECTOR"


def iam_policy(app: App) -> int:
    """Print the permission policy on standard output, and all that a person should know on standard error.

    Asks neither service. Raises MappingError where a mapping cannot be used.
    """
    sections = {name: connection.partner_central for name, connection in app.connections.items()}
    for name, section in sections.items():
        _tell(f"{name}, catalog {section.catalog}:")
        for action in needed(app.mappings[name]):
            _tell(f"  {action.name}: {_reason(action)}")
    _tell("Save the policy, or make it at once:")
    _tell('  aws iam create-policy --policy-name partner-central-connector --policy-document "$(connector iam-policy)"')
    _tell(
        "`connector check` asks IAM whether writes are granted, if iam:SimulatePrincipalPolicy is; it can do without."
    )
    roles = {(section.role_arn, section.external_id) for section in sections.values() if section.role_arn}
    if len({section.role_arn for section in sections.values()}) > 1:
        _tell("These connections use different credentials: --connection NAME prints what one of them needs.")
    for role_arn, external_id in sorted(roles, key=str):
        _tell(f"Attach it to {role_arn}, whose trust policy is:")
        _tell_json(trust_policy(PRINCIPAL, external_id))
    if roles:
        _tell("Whoever runs the connector needs, beside that:")
        _tell_json(caller_policy(role_arn for role_arn, _ in roles))
    print_json(policy((section.catalog, app.mappings[name]) for name, section in sections.items()))
    return DONE


def _reason(action: Action) -> str:
    return f"{action.reason}; {action.doubt}" if action.doubt else action.reason


def _tell(line: str) -> None:
    click.echo(f"# {line}", err=True)


def _tell_json(value: Structure) -> None:
    for line in json.dumps(value, indent=2).splitlines():
        _tell(f"  {line}")
