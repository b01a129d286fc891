"""What IAM's policy simulator says of writes, which cannot be tried out: what was created at AWS stays there.

Asks, and lives with no answer: the caller may not be allowed to ask, or be one that IAM cannot judge.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector.adapters.partner_central.account import PATIENCE, may_ask
from connector.adapters.partner_central.session import PartnerCentralSettings, client_config, verify_with
from connector.ports import Identity

if TYPE_CHECKING:
    import boto3

logger = logging.getLogger(__name__)

_CATALOG_KEY = "partnercentral:Catalog"
_USER = re.compile(r"arn:[a-z0-9-]+:iam::[0-9]{12}:user/.+")
_ROOT = re.compile(r"arn:[a-z0-9-]+:iam::[0-9]{12}:root")
_ASSUMED = re.compile(r"arn:([a-z0-9-]+):sts::([0-9]{12}):assumed-role/([^/]+)/.+")


def simulate(
    settings: PartnerCentralSettings, session: boto3.Session, identity: Identity | None, actions: Sequence[str]
) -> Mapping[str, bool]:
    """Whether IAM grants the caller these actions in the catalog; those of which it does not tell are left out."""
    if identity is None or not actions or not may_ask("iam", settings):
        return {}
    if _ROOT.fullmatch(identity.arn):
        return dict.fromkeys(actions, True)
    principal = principal_of(identity.arn, settings.role_arn or "")
    return _ask(settings, session, principal, actions) if principal else {}


def principal_of(arn: str, role_arn: str = "") -> str:
    """The user or role whose policies IAM is asked about, "" for one that it does not know, such as a federated user.

    The ARN of a role's session has lost the role's path, which ``role_arn`` may still have.
    """
    if _USER.fullmatch(arn):
        return arn
    session = _ASSUMED.fullmatch(arn)
    if session is None:
        return ""
    partition, account, name = session.groups()
    is_named = role_arn.startswith(f"arn:{partition}:iam::{account}:role/") and role_arn.rpartition("/")[2] == name
    return role_arn if is_named else f"arn:{partition}:iam::{account}:role/{name}"


def _ask(
    settings: PartnerCentralSettings, session: boto3.Session, principal: str, actions: Sequence[str]
) -> Mapping[str, bool]:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    catalog = {"ContextKeyName": _CATALOG_KEY, "ContextKeyValues": [settings.catalog], "ContextKeyType": "string"}
    config = client_config(settings, 1, connect_timeout=PATIENCE, read_timeout=PATIENCE)
    try:
        iam = session.client("iam", region_name=settings.region, verify=verify_with(settings), config=config)
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal, ActionNames=list(actions), ContextEntries=[catalog]
        )
        judged = [result for page in pages for result in page.get("EvaluationResults") or ()]
    except (BotoCoreError, ClientError, ResponseParserError, LookupError, ValueError) as error:
        extra = {"event": "simulation_denied", "reason": type(error).__name__}
        logger.info("IAM's policy simulator does not tell what the credentials may do.", extra=extra)
        return {}
    return {str(one["EvalActionName"]): _is_allowed(one) for one in judged if _is_certain(one)}


def _is_allowed(result: Mapping[str, Any]) -> bool:
    return bool(result.get("EvalDecision") == "allowed")


def _is_certain(result: Mapping[str, Any]) -> bool:
    """A denial that hangs on a value nobody gave the simulator says nothing of the real call."""
    return _is_allowed(result) or not result.get("MissingContextValues")
