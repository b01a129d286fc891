"""How AWS is reached: the settings, and the boto3 session with whose credentials calls are signed. Makes no call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True, slots=True)
class PartnerCentralSettings:
    """How to reach AWS; timeouts in time, everything optional as in the AWS CLI."""

    catalog: str
    region: str = "us-east-1"
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    endpoint_url: str | None = None
    ca_bundle: Path | None = None
    proxy: str | None = None
    connect_timeout: timedelta = timedelta(seconds=10)
    read_timeout: timedelta = timedelta(seconds=70)
    writes_per_second: float = 1.0
    reads_per_second: float = 10.0
    writes_per_day: int = 10_000
    reads_per_day: int = 100_000
    in_flight: int = 8
    user_agent: str = ""
    product: str = "partner-central-connector"
    debug_log: bool = False


def client_config(settings: PartnerCentralSettings, attempts: int, **more: Any) -> Any:
    """botocore's configuration of a client that tries each call so many times."""
    from botocore.config import Config

    plain = {
        "region_name": settings.region,
        "connect_timeout": settings.connect_timeout.total_seconds(),
        "read_timeout": settings.read_timeout.total_seconds(),
        "retries": {"mode": "standard", "total_max_attempts": attempts},
        # Requests that wait for their turn hold no connection yet, so what is in flight is all there is.
        "max_pool_connections": settings.in_flight + 4,
        # One text: botocore would put its own together anew for each call, which takes as long as to sign it.
        "user_agent": settings.product,
        # Every payload was checked against the same model before it came here, and more strictly.
        "parameter_validation": False,
        "proxies": {"https": settings.proxy, "http": settings.proxy} if settings.proxy else None,
    }
    return Config(**{**plain, **more})


def verify_with(settings: PartnerCentralSettings) -> str | None:
    return str(settings.ca_bundle) if settings.ca_bundle else None


def open_session(settings: PartnerCentralSettings) -> boto3.Session:
    """A boto3 session; with ``role_arn`` its credentials are those of the role and renew themselves.

    Instants in what its clients answer are ISO texts in UTC.
    """
    import boto3
    from botocore.session import Session

    inner = Session(profile=settings.profile)
    inner.register_component("data_loader", _loader_of(inner.get_config_variable("data_path")))
    if settings.role_arn:
        inner._credentials = _credentials_of_role(settings)
    # What the AWS CLI does as well: botocore's own parser of instants takes longer than all the rest of an answer's.
    inner.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=to_instant_text)
    return boto3.Session(botocore_session=inner, region_name=settings.region)


def _loader_of(data_path: str | None) -> Any:
    """botocore's own, but that it reads AWS's models through ``_files``."""
    from botocore.loaders import create_loader

    loader = create_loader(data_path)
    loader.file_loader = _files()
    return loader


@cache
def _files() -> Any:
    """AWS's models, read once for all connections: to each its own took nine megabytes and a tenth of a second."""
    from botocore.loaders import JSONFileLoader

    files = JSONFileLoader()
    files.load_file = cache(files.load_file)
    return files


def _credentials_of_role(settings: PartnerCentralSettings) -> Any:
    import boto3
    from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher

    wanted = {"RoleArn": settings.role_arn, "RoleSessionName": "partner-central-connector"}
    if settings.external_id:
        wanted["ExternalId"] = settings.external_id
    # The same way out as for the calls themselves: where a proxy or a CA of one's own is needed, STS needs it too.
    session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
    sts = session.client("sts", verify=verify_with(settings), config=client_config(settings, 3))
    return DeferredRefreshableCredentials(create_assume_role_refresher(sts, wanted), "assume-role")


def to_instant_text(told: Any) -> str:
    """An instant as AWS tells it, seconds since 1970 or a text, as ISO text in UTC. Raises ValueError for others."""
    if isinstance(told, int | float):
        instant = datetime.fromtimestamp(told, UTC)
    else:
        try:
            instant = datetime.fromisoformat(told)
        except ValueError:
            from botocore.utils import parse_timestamp

            instant = parse_timestamp(told)
    in_utc = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    return in_utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
