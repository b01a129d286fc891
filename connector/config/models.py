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
    ExistingDirectory,
    ExistingFile,
    HeaderText,
    HostUrl,
    ListenAddress,
    MappingFiles,
    OrganizationId,
    ProxyUrl,
    Rate,
    RoleArn,
    ServiceUrl,
    Text,
    check_pem,
    is_loopback,
    one_of,
    refusal,
    refuse_truth,
    to_webhook_url,
)

SHARED_LOGIN_HOSTS = {"login.salesforce.com", "test.salesforce.com"}
ONLY_REGION = "us-east-1"
SHORTEST_TOKEN = 16


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


def check_token(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().strip()) < SHORTEST_TOKEN:
        raise refusal(f"is shorter than {SHORTEST_TOKEN} characters.", "Make one with `openssl rand -hex 24`.")
    return secret


def check_webhook(secret: SecretStr) -> SecretStr:
    to_webhook_url(secret.get_secret_value())
    return secret


Secret = Annotated[SecretStr, AfterValidator(check_secret)]
Token = Annotated[SecretStr, AfterValidator(check_token)]
Webhook = Annotated[SecretStr, AfterValidator(check_webhook)]
PrivateKey = Annotated[SecretStr, AfterValidator(check_private_key)]


class ClientCredentials(Section):
    method: Literal["client_credentials"]
    """The client credentials flow of an External Client App."""
    client_id: Text
    """The app's consumer key."""
    client_secret: Secret
    """The app's consumer secret."""


class JwtBearer(Section):
    method: Literal["jwt_bearer"]
    """The JWT bearer flow: a certificate instead of a secret."""
    client_id: Text
    """The app's consumer key."""
    username: Text
    """The integration user's username."""
    private_key: PrivateKey
    """PEM text without passphrase, as a rule `${file:server.key}`."""
    audience: HostUrl = "https://login.salesforce.com"
    """Of a sandbox org `https://test.salesforce.com`."""


class AccessToken(Section):
    method: Literal["access_token"]
    """A ready token, for a trial: it expires and is not renewed."""
    instance_url: HostUrl
    """The address the token is for."""
    token: Secret
    """The token."""


Auth = Annotated[ClientCredentials | JwtBearer | AccessToken, Field(discriminator="method")]


class Schedule(Section):
    pull: Duration = timedelta(seconds=60)
    """How often Salesforce is asked what changed."""
    observe: Duration = timedelta(seconds=60)
    """How often Partner Central is asked what happened."""
    full_sweep: Duration = timedelta(hours=24)
    """How often every flagged record is read again, whatever its stamp."""
    refresh: Duration = timedelta(hours=6)
    """How often AWS's own side of a submitted deal is read, though nothing tells of a change."""


class Log(Section):
    level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], one_of("DEBUG", "INFO", "WARNING", "ERROR")] = "INFO"
    """Nothing below this level is logged."""
    format: Annotated[Literal["auto", "text", "json"], one_of("auto", "text", "json")] = "auto"
    """auto: text on a terminal, JSON otherwise."""


class Salesforce(Section):
    """One org. ``auth`` stands before ``login_url``, which is checked in its light."""

    auth: Auth
    """How to log in; see below."""
    login_url: HostUrl
    """The org's My Domain address. With a ready token it may be left out."""
    api_version: ApiVersion = "66.0"
    """The version of Salesforce's API, 60.0 to 68.0."""
    organization_id: OrganizationId | None = None
    """Refuse to start against another org."""
    ca_bundle: ExistingFile | None = None
    """Certificates to trust instead of the public ones."""
    proxy: ProxyUrl | None = Field(default=None, repr=False)
    """A proxy in between; its password is a secret."""
    timeout: Duration = timedelta(seconds=30)
    """How long an answer may take."""
    daily_api_share: Annotated[float, BeforeValidator(refuse_truth), Field(gt=0, le=1)] = 0.25
    """Stop at this share of the org's daily API calls."""

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
    """Writes in a second that AWS allows the account."""
    reads_per_second: Rate = 10
    """Reads in a second that AWS allows the account."""
    writes_per_day: Count = 10_000
    """Writes in any 24 hours that AWS allows the account."""
    reads_per_day: Count = 100_000
    """Reads in any 24 hours that AWS allows the account."""


class PartnerCentral(Section):
    """One catalog. ``endpoint_url`` and ``role_arn`` stand before what is checked in their light."""

    catalog: Annotated[Literal["AWS", "Sandbox"], one_of("AWS", "Sandbox")]
    """AWS is production. A connection keeps the one it began with; give the other a connection of its own."""
    endpoint_url: ServiceUrl | None = None
    """Another address than AWS's own: https, or http on this machine."""
    region: Text = ONLY_REGION
    """AWS serves Partner Central from there only."""
    profile: Text | None = None
    """A profile of the AWS configuration, instead of boto3's usual chain of credentials."""
    role_arn: RoleArn | None = None
    """A role to assume."""
    external_id: Text | None = None
    """What the role's trust policy asks for; with role_arn only."""
    ca_bundle: ExistingFile | None = None
    """Certificates to trust instead of the public ones."""
    proxy: ProxyUrl | None = Field(default=None, repr=False)
    """A proxy in between; its password is a secret."""
    connect_timeout: Duration = timedelta(seconds=10)
    """How long a connection may take."""
    read_timeout: Duration = timedelta(seconds=70)
    """How long an answer may take; a submission takes 4 to 8 seconds."""
    user_agent: HeaderText = ""
    """The header X-Amzn-User-Agent; empty: the connector's own name."""
    debug_log: bool = False
    """Log each call at DEBUG, with its request: only enums, dates, booleans, numbers and ids; other text is starred
    out, and so is what AWS's model calls sensitive."""
    quota: Quota = Quota()
    """What AWS allows one account; see below."""
    in_flight: Annotated[int, BeforeValidator(refuse_truth), Field(ge=1, le=32)] = 8
    """Writes under way at once, 1 to 32."""
    launch_needs_account: bool = True
    """AWS wants the customer's AWS account before a launch. false: yours is a software partner, of whom it does not."""

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
    """Opportunities created in 24 hours."""
    creates_per_pass: Number = 100
    """Creates waiting at once; with more, none of them is made."""
    mapping_change_share: Share = 0.2
    """Share of the linked records that an edited mapping may change."""
    mapping_change_min_links: Number = 10
    """With fewer linked records any edit goes through."""
    invitations_per_day: Number = 200
    """Partners invited in 24 hours."""


class Connection(Section):
    salesforce: Salesforce
    """The org; see below."""
    partner_central: PartnerCentral
    """Partner Central; see below."""
    mapping: MappingFiles = (Path(DEFAULT_MAPPING),)
    """One mapping file, or a list of those that make up one mapping. A shipped one stands in where no file of its name
    lies beside config.yaml."""
    limits: Limits = Limits()
    """Brakes on surprises; see below."""


CONNECTION_NAME = "[a-z0-9][a-z0-9_-]{0,62}"
ConnectionName = Annotated[str, StringConstraints(pattern=rf"^{CONNECTION_NAME}\z")]


class Web(Section):
    """The page, the metrics and the health of a daemon or worker. ``hosts`` and ``token`` are checked in the light of
    ``listen``."""

    listen: ListenAddress = "127.0.0.1:8720"
    """Where to serve them: an address and port of this machine, or off."""
    token: Token | None = None
    """What a visitor has to know; needed to listen elsewhere than on 127.0.0.1."""
    hosts: tuple[Text, ...] = ()
    """Further names under which the page is reached, such as that of a proxy in front of it."""
    user_header: HeaderText = ""
    """A header in which a proxy in front of the page names the person, for the audit trail."""

    @field_validator("token", mode="after")
    @classmethod
    def require_token(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        listen = str(info.data.get("listen", "off"))
        if token is None and listen != "off" and not is_loopback(listen.rpartition(":")[0].strip("[]")):
            raise refusal(
                "is needed, since listen is not an address of this machine alone.",
                "Set it, as in token: ${CONNECTOR_WEB_TOKEN}, or listen on 127.0.0.1.",
            )
        return token


class Health(Section):
    stalled_after: Duration = timedelta(minutes=5)
    """How long after it should have succeeded again a loop counts as stalled."""


class Alerts(Section):
    webhook: Webhook | None = None
    """Where to tell people of trouble, once for each change: an incoming webhook of Slack or what understands its JSON.
    Its address is a secret."""
    ca_bundle: ExistingFile | None = None
    """Certificates to trust there instead of the public ones."""
    held_share: Share = 0.2
    """Tell when more than this share of the shared records is held."""
    held_min_links: Number = 10
    """With fewer shared records no share is told."""


class Fleet(Section):
    """What `connector worker` does with the connections it takes in turn."""

    concurrency: Annotated[int, BeforeValidator(refuse_truth), Field(ge=1, le=64)] = 8
    """Connections that one worker serves at once."""
    turn: Duration = timedelta(seconds=20)
    """How long a connection is served before another one of the same AWS account has its turn."""
    heartbeat: Duration = timedelta(seconds=2)
    """How often a worker says that it is alive."""
    dead_after: Duration = timedelta(seconds=10)
    """How long after its last heartbeat a worker counts as dead and another one takes over."""

    @field_validator("dead_after", mode="after")
    @classmethod
    def outlast_heartbeat(cls, dead_after: timedelta, info: ValidationInfo) -> timedelta:
        """A worker that is late with one heartbeat is not dead."""
        heartbeat = info.data.get("heartbeat")
        if heartbeat is not None and dead_after < 2 * heartbeat:
            raise refusal("is less than two heartbeats.", "Make it longer, or heartbeat shorter.")
        return dead_after


class ConfigFile(Section):
    """The whole file."""

    database: DatabaseUrl = Field(default="sqlite:///connector.db", repr=False)
    """Where the connector remembers what it did: the URL of SQLite, which needs nothing else, or of PostgreSQL."""
    schedule: Schedule = Schedule()
    """How often it looks; see below."""
    log: Log = Log()
    """What it logs; see below."""
    web: Web = Web()
    """The page, metrics and health; see below."""
    health: Health = Health()
    """When a loop counts as stalled; see below."""
    alerts: Alerts = Alerts()
    """Who is told of trouble; see below."""
    fleet: Fleet = Fleet()
    """How workers on several machines share the work; see below."""
    connections_dir: ExistingDirectory | None = None
    """A directory with a NAME.yaml for each connection: what stands under its name else. Paths as in config.yaml."""
    connections: Annotated[dict[ConnectionName, Connection], Field(min_length=1)]
    """One section for each pair of a Salesforce org and a Partner Central catalog, under a name of yours in a-z, 0-9, _
    and -. May be left out where connections_dir has them."""


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
