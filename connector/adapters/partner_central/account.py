"""Which AWS account the calls count against, since AWS's quotas are per account and not per connection; and as whom.

Looks, and lives with not knowing: no call is ever held up because the account could not be told.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from typing import TYPE_CHECKING, Any

from connector.adapters.partner_central.session import (
    PartnerCentralSettings,
    client_config,
    open_session,
    verify_with,
)
from connector.ports import Identity

if TYPE_CHECKING:
    import boto3

logger = logging.getLogger(__name__)

PATIENCE = 5
"""Seconds that a question to STS or IAM may take to connect, and again to be answered. STS is asked before all else."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_ROLE = re.compile(r"arn:[a-z0-9-]+:iam::([0-9]{12}):role/")


def account_of(settings: PartnerCentralSettings, session: boto3.Session | None = None) -> str:
    """The 12-digit account behind these settings, "" where it cannot be told.

    Taken from ``role_arn``, else from the credentials, else asked of STS; not asked where ``endpoint_url`` points
    elsewhere, since the credentials may then mean nothing to AWS. Raises what boto3 raises without usable credentials.
    """
    named = _ROLE.match(settings.role_arn or "")
    if named:
        return named[1]
    session = session or open_session(settings)
    known = str(getattr(_credentials(session), "account_id", None) or "")
    if _ACCOUNT.fullmatch(known):
        return known
    told = None if settings.endpoint_url else _ask(settings, session)
    return told.account if told is not None else ""


def identity_of(settings: PartnerCentralSettings, session: boto3.Session) -> Identity | None:
    """Whom AWS takes the credentials for, None where it cannot be told.

    Where ``endpoint_url`` points elsewhere it is asked only if the environment says where STS is then.
    """
    return _ask(settings, session) if may_ask("sts", settings) else None


def may_ask(service: str, settings: PartnerCentralSettings) -> bool:
    """Whether the credentials mean anything to another service of AWS."""
    elsewhere = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
    return not settings.endpoint_url or any(os.environ.get(name) for name in elsewhere)


def bucket_of(settings: PartnerCentralSettings, session: boto3.Session | None = None) -> str:
    """What calls that share a quota have in common: the account, else a digest of endpoint and access key id."""
    session = session or open_session(settings)
    account = account_of(settings, session)
    if account:
        return account
    key = f"{settings.endpoint_url or settings.region}\n{getattr(_credentials(session), 'access_key', '')}"
    return f"key-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _credentials(session: boto3.Session) -> Any:
    """The credentials of this moment, None where there are none."""
    found = session.get_credentials()
    return found.get_frozen_credentials() if found is not None else None


def _ask(settings: PartnerCentralSettings, session: boto3.Session) -> Identity | None:
    """STS's GetCallerIdentity, which needs no permission; a network may still not let it through."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    config = client_config(settings, 1, connect_timeout=PATIENCE, read_timeout=PATIENCE)
    try:
        sts = session.client("sts", region_name=settings.region, verify=verify_with(settings), config=config)
        answer = sts.get_caller_identity()
    except (BotoCoreError, ClientError, ResponseParserError, LookupError, ValueError) as error:
        extra = {"event": "account_unknown", "reason": type(error).__name__}
        logger.info("STS does not tell the AWS account; the quota is kept by access key instead.", extra=extra)
        return None
    account, arn = (str(answer.get(name, "")) for name in ("Account", "Arn"))
    return Identity(account, arn) if _ACCOUNT.fullmatch(account) else None
