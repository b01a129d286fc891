"""A connection's sections as the plain settings that the adapters and the core take. Nothing is built here."""

from __future__ import annotations

from connector import __version__
from connector.adapters.partner_central import PartnerCentralSettings
from connector.adapters.salesforce_auth import SalesforceSettings
from connector.config import Connection
from connector.core.guard import Limits


def guard_limits(connection: Connection) -> Limits:
    """The core's plain limits."""
    return Limits(**connection.limits.model_dump())


def salesforce_settings(connection: Connection) -> SalesforceSettings:
    """The adapter's plain settings."""
    section = connection.salesforce
    auth = section.auth
    secrets = {
        name: getattr(auth, name).get_secret_value()
        for name in ("client_secret", "private_key", "token")
        if getattr(auth, name, None) is not None
    }
    plain = {
        name: getattr(auth, name)
        for name in ("client_id", "username", "audience", "instance_url")
        if getattr(auth, name, None) is not None
    }
    return SalesforceSettings(
        login_url=section.login_url,
        method=auth.method,
        api_version=section.api_version,
        ca_bundle=section.ca_bundle,
        proxy=section.proxy,
        timeout=section.timeout,
        daily_api_share=section.daily_api_share,
        **plain,
        **secrets,
    )


def partner_central_settings(connection: Connection) -> PartnerCentralSettings:
    """The adapter's plain settings."""
    section = connection.partner_central
    return PartnerCentralSettings(
        catalog=section.catalog,
        region=section.region,
        profile=section.profile,
        role_arn=section.role_arn,
        external_id=section.external_id,
        endpoint_url=section.endpoint_url,
        ca_bundle=section.ca_bundle,
        proxy=section.proxy,
        connect_timeout=section.connect_timeout,
        read_timeout=section.read_timeout,
        writes_per_second=section.quota.writes_per_second,
        reads_per_second=section.quota.reads_per_second,
        writes_per_day=section.quota.writes_per_day,
        reads_per_day=section.quota.reads_per_day,
        in_flight=section.in_flight,
        user_agent=section.user_agent or f"partner-central-connector|{__version__}|Salesforce|v1",
        product=f"partner-central-connector/{__version__}",
        debug_log=section.debug_log,
    )
