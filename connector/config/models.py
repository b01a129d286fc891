"""The shape of config.yaml: each key with its type and default. config.example.yaml explains them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from connector.config.kinds import (
    DEFAULT_MAPPING,
    ApiVersion,
    Count,
    DatabaseUrl,
    Duration,
    ExistingFile,
    HeaderText,
    HostUrl,
    MappingFiles,
    OrganizationId,
    ProxyUrl,
    Rate,
    RoleArn,
    ServiceUrl,
    Text,
    check_pem,
    one_of,
    refusal,
    refuse_truth,
)

SHARED_LOGIN_HOSTS = {"login.salesforce.com", "test.salesforce.com"}
ONLY_REGION = "us-east-1"


class Section(BaseModel):
    """A mapping of config.yaml. Unknown keys are errors; a key without a value counts as not set."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def leave_out_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if not cls._is_unset(key, value)}

    @classmethod
    def _is_unset(cls, key: str, value: Any) -> bool:
        known = cls.model_fields.get(key)
        return known is not None and (value is None or (value == "" and not known.is_required()))


def check_secret(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise refusal("is empty.", "Give it a value.")
    return secret


def check_private_key(secret: SecretStr) -> SecretStr:
    check_pem(secret.get_secret_value())
    return secret


Secret = Annotated[SecretStr, AfterValidator(check_secret)]
PrivateKey = Annotated[SecretStr, AfterValidator(check_private_key)]


class ClientCredentials(Section):
    method: Literal["client_credentials"]
    client_id: Text
    client_secret: Secret


class JwtBearer(Section):
    method: Literal["jwt_bearer"]
    client_id: Text
    username: Text
    private_key: PrivateKey
    audience: HostUrl = "https://login.salesforce.com"


class AccessToken(Section):
    method: Literal["access_token"]
    instance_url: HostUrl
    token: Secret


Auth = Annotated[ClientCredentials | JwtBearer | AccessToken, Field(discriminator="method")]


class Schedule(Section):
    pull: Duration = timedelta(seconds=60)
    observe: Duration = timedelta(seconds=60)
    full_sweep: Duration = timedelta(hours=24)
    refresh: Duration = timedelta(hours=6)


class Log(Section):
    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], one_of("DEBUG", "INFO", "WARNING", "ERROR")] = "INFO"
    format: Annotated[Literal["auto", "text", "json"], one_of("auto", "text", "json")] = "auto"


class Salesforce(Section):
    """One org. ``auth`` stands before ``login_url``, which is checked in its light."""

    auth: Auth
    login_url: HostUrl
    api_version: ApiVersion = "66.0"
    organization_id: OrganizationId | None = None
    ca_bundle: ExistingFile | None = None
    proxy: ProxyUrl | None = Field(default=None, repr=False)
    timeout: Duration = timedelta(seconds=30)
    daily_api_share: Annotated[float, BeforeValidator(refuse_truth), Field(gt=0, le=1)] = 0.25

    @model_validator(mode="before")
    @classmethod
    def log_in_at_instance(cls, data: Any) -> Any:
        """A ready token needs no login, so ``login_url`` may be left out beside ``instance_url``."""
        if not isinstance(data, dict) or data.get("login_url") or not isinstance(data.get("auth"), dict):
            return data
        instance_url = data["auth"].get("instance_url")
        is_token = data["auth"].get("method") == "access_token"
        return {**data, "login_url": instance_url} if is_token and instance_url else data

    @field_validator("login_url", mode="after")
    @classmethod
    def refuse_shared_login(cls, login_url: str, info: ValidationInfo) -> str:
        # Salesforce answers "request not supported on this domain" to client_credentials there.
        shared = urlsplit(login_url).hostname in SHARED_LOGIN_HOSTS
        if shared and isinstance(info.data.get("auth"), ClientCredentials):
            raise refusal(
                "is a login page for every org, and client_credentials needs your own domain.",
                "Write your My Domain address, such as https://acme.my.salesforce.com.",
            )
        return login_url


class Quota(Section):
    writes_per_second: Rate = 1
    reads_per_second: Rate = 10
    writes_per_day: Count = 10_000
    reads_per_day: Count = 100_000


class PartnerCentral(Section):
    """One catalog. ``endpoint_url`` and ``role_arn`` stand before what is checked in their light."""

    catalog: Annotated[Literal["AWS", "Sandbox"], one_of("AWS", "Sandbox")]
    endpoint_url: ServiceUrl | None = None
    region: Text = ONLY_REGION
    profile: Text | None = None
    role_arn: RoleArn | None = None
    external_id: Text | None = None
    ca_bundle: ExistingFile | None = None
    proxy: ProxyUrl | None = Field(default=None, repr=False)
    connect_timeout: Duration = timedelta(seconds=10)
    read_timeout: Duration = timedelta(seconds=70)
    user_agent: HeaderText = ""
    debug_log: bool = False
    quota: Quota = Quota()
    in_flight: Annotated[int, BeforeValidator(refuse_truth), Field(ge=1, le=32)] = 8
    launch_needs_account: bool = True

    @field_validator("region", mode="after")
    @classmethod
    def check_region(cls, region: str, info: ValidationInfo) -> str:
        elsewhere = "endpoint_url" not in info.data or info.data["endpoint_url"] is not None
        if region != ONLY_REGION and not elsewhere:
            raise refusal(
                f"must be {ONLY_REGION}: AWS serves Partner Central from there only.",
                f"Write {ONLY_REGION}, or set endpoint_url as well.",
            )
        return region

    @field_validator("external_id", mode="after")
    @classmethod
    def check_external_id(cls, external_id: str | None, info: ValidationInfo) -> str | None:
        if external_id is not None and info.data.get("role_arn", "") is None:
            raise refusal("is only used to assume a role.", "Set role_arn as well, or remove it.")
        return external_id


Number = Annotated[int, BeforeValidator(refuse_truth), Field(ge=0)]
Share = Annotated[float, BeforeValidator(refuse_truth), Field(ge=0, le=1)]


class Limits(Section):
    """What may happen without a person having looked."""

    creates_per_day: Number = 500
    creates_per_pass: Number = 100
    mapping_change_share: Share = 0.2
    mapping_change_min_links: Number = 10
    invitations_per_day: Number = 200


class Connection(Section):
    salesforce: Salesforce
    partner_central: PartnerCentral
    mapping: MappingFiles = (Path(DEFAULT_MAPPING),)
    limits: Limits = Limits()


ConnectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}\z")]


class ConfigFile(Section):
    """The whole file."""

    database: DatabaseUrl = Field(default="sqlite:///connector.db", repr=False)
    schedule: Schedule = Schedule()
    log: Log = Log()
    connections: Annotated[dict[ConnectionName, Connection], Field(min_length=1)]


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret of a section: secret keys, and passwords that stand in addresses."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Section):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from secrets_in(item)
    elif isinstance(value, str) and "://" in value:
        yield from password_in(value)


def password_in(url: str) -> Iterator[str]:
    """The password of an address, as written and as it is sent."""
    password = urlsplit(url).password
    if password:
        yield password
        yield unquote(password)
