"""Which AWS account the calls count against, since AWS's quotas are per account and not per connection.

Looks, and lives with not knowing: no call is ever held up because the account could not be told.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING, Any

from connector.adapters.partner_central.session import (
    PartnerCentralSettings,
    client_config,
    open_session,
    verify_with,
)

if TYPE_CHECKING:
    import boto3

logger = logging.getLogger(__name__)

_PATIENCE = 5
"""Seconds that the question to STS may take to connect, and again to be answered. It is asked before the first call."""
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
    return "" if settings.endpoint_url else _ask(settings, session)


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


def _ask(settings: PartnerCentralSettings, session: boto3.Session) -> str:
    """STS's GetCallerIdentity, which needs no permission; a network may still not let it through."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    config = client_config(settings, 1, connect_timeout=_PATIENCE, read_timeout=_PATIENCE)
    try:
        sts = session.client("sts", region_name=settings.region, verify=verify_with(settings), config=config)
        account = str(sts.get_caller_identity().get("Account", ""))
    except (BotoCoreError, ClientError, ResponseParserError, LookupError, ValueError) as error:
        extra = {"event": "account_unknown", "reason": type(error).__name__}
        logger.info("STS does not tell the AWS account; the quota is kept by access key instead.", extra=extra)
        return ""
    return account if _ACCOUNT.fullmatch(account) else ""
