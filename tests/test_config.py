from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from connector import resources
from connector.app import App
from connector.config import AccessToken, Config, Connection, JwtBearer, Limits, Log, Quota, Schedule, load, locate
from connector.config.models import ConfigFile, Section
from connector.errors import ConfigError
from connector.yamlfile import parse

EXAMPLE = Path(__file__).resolve().parent.parent / "config.example.yaml"
ENVIRONMENT = {"SF_CLIENT_ID": "3MVG9-consumer", "SF_CLIENT_SECRET": "hush-hush-hush"}
PEM = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"

BASE = """\
connections:
  acme:
    salesforce:
      login_url: https://acme.my.salesforce.com
      auth:
        method: client_credentials
        client_id: ${SF_CLIENT_ID}
        client_secret: ${SF_CLIENT_SECRET}
    partner_central:
      catalog: Sandbox
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a mapping file, for config.yaml to lie in."""
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "opportunity.yaml").touch()
    return tmp_path


def load_text(home: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> Config:
    path = home / "config.yaml"
    path.write_text(text, "utf-8")
    return load(path, environment)


def problems_of(home: Path, text: str, environment: Mapping[str, str] = ENVIRONMENT) -> list[str]:
    """Each as ``line:column: sentence. cure.``"""
    with pytest.raises(ConfigError) as caught:
        load_text(home, text, environment)
    assert caught.value.__cause__ is None
    problems = caught.value.problems
    assert list(problems) == sorted(problems)
    assert all(problem.cure.endswith((".", "?")) for problem in problems)
    return [str(problem).removeprefix(f"{home / 'config.yaml'}:") for problem in problems]


def with_line(section: str, line: str) -> str:
    """BASE with one more line in ``salesforce``, ``auth``, ``partner_central``, ``acme`` or at the top."""
    if section == "top":
        return f"{line}\n{BASE}"
    indent = {"acme": 4, "salesforce": 6, "partner_central": 6, "auth": 8}[section]
    return BASE.replace(f"{section}:\n", f"{section}:\n{' ' * indent}{line}\n", 1)


def with_auth(*lines: str) -> str:
    return re.sub(r"( {8}.*\n)+", "".join(f"        {line}\n" for line in lines), BASE, count=1)


def test_defaults(home: Path) -> None:
    config = load_text(home, BASE)
    connection = config.connections["acme"]
    assert config.database == f"sqlite:///{home}/connector.db"
    assert config.schedule == Schedule(
        pull=timedelta(minutes=1),
        observe=timedelta(minutes=1),
        full_sweep=timedelta(days=1),
        refresh=timedelta(hours=6),
    )
    assert config.log == Log(level="INFO", format="auto")
    assert config.path == home / "config.yaml"
    assert connection.mapping == (home / "mappings" / "opportunity.yaml",)
    assert connection.limits == Limits(
        creates_per_day=500,
        creates_per_pass=100,
        mapping_change_share=0.2,
        mapping_change_min_links=10,
        invitations_per_day=200,
    )
    salesforce, partner_central = connection.salesforce, connection.partner_central
    assert (salesforce.api_version, salesforce.timeout) == ("66.0", timedelta(seconds=30))
    assert (salesforce.daily_api_share, salesforce.organization_id) == (0.25, None)
    assert (salesforce.ca_bundle, salesforce.proxy) == (None, None)
    assert partner_central.quota == Quota(
        writes_per_second=1, reads_per_second=10, writes_per_day=10_000, reads_per_day=100_000
    )
    assert (partner_central.region, partner_central.in_flight) == ("us-east-1", 8)
    assert partner_central.connect_timeout == timedelta(seconds=10)
    assert partner_central.read_timeout == timedelta(seconds=70)
    assert (partner_central.debug_log, partner_central.user_agent) == (False, "")
    assert (partner_central.profile, partner_central.role_arn, partner_central.external_id) == (None,) * 3
    assert (partner_central.endpoint_url, partner_central.ca_bundle, partner_central.proxy) == (None,) * 3


def test_config_cannot_be_changed(home: Path) -> None:
    config = load_text(home, BASE)
    with pytest.raises(ValueError, match="frozen"):
        config.log.level = "DEBUG"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), ("10 s", 10)],
)
def test_durations(home: Path, text: str, seconds: float) -> None:
    config = load_text(home, with_line("salesforce", f"timeout: {text}"))
    assert config.connections["acme"].salesforce.timeout == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("salesforce", "timeout: 30", "4:7: connections.acme.salesforce.timeout has no unit. Write ms, s, m"),
        ("salesforce", 'timeout: "30"', "4:7: connections.acme.salesforce.timeout has no unit."),
        ("salesforce", "timeout: 0s", "timeout must be longer than nothing."),
        ("salesforce", "timeout: -1s", "timeout must be a duration."),
        ("salesforce", "timeout: 1h30m", "timeout must be a duration."),
        ("salesforce", "timeout: true", "timeout must be a duration."),
        ("salesforce", "timeout: [1s]", "timeout must be a duration."),
        ("salesforce", "timeout: 367d", "timeout must be at most 366 days."),
        ("salesforce", "timeout: 999999999999d", "timeout must be at most 366 days."),
        ("salesforce", "api_version: 66", 'api_version must be a Salesforce API version. Write it as "66.0".'),
        ("salesforce", "api_version: v66.0", "api_version must be a Salesforce API version."),
        ("salesforce", 'api_version: "66.1"', "api_version must be a Salesforce API version."),
        ("salesforce", 'api_version: "59.0"', "api_version must be between 60.0 and 68.0."),
        ("salesforce", "api_version: 69.0", "api_version must be between 60.0 and 68.0."),
        ("salesforce", "organization_id: 006000000000001AAA", "organization_id must be an organization id."),
        ("salesforce", "organization_id: 00D00000000000", "organization_id must be an organization id."),
        ("salesforce", "organization_id: 00D000000000001AAA", "organization_id is mistyped"),
        ("salesforce", "ca_bundle: none.pem", "ca_bundle names"),
        ("salesforce", "ca_bundle: 12", "ca_bundle must be the path of a file. Put it in quotes."),
        ("salesforce", "proxy: proxy.example:3128", "proxy must begin with http:// or https://."),
        ("salesforce", "proxy: http://", "proxy is not a valid address."),
        ("salesforce", "proxy: 'http://[::1'", "proxy is not a valid address."),
        ("salesforce", "proxy: http://proxy.example:port", "proxy is not a valid address."),
        ("salesforce", "daily_api_share: 0", "daily_api_share must be more than 0."),
        ("salesforce", "daily_api_share: 1.01", "daily_api_share must be at most 1."),
        ("salesforce", "daily_api_share: .nan", "daily_api_share must be "),
        ("salesforce", "daily_api_share: true", "daily_api_share must be a number."),
        ("salesforce", "daily_api_share: 25%", "daily_api_share must be a number."),
        ("salesforce", "organisation_id: x", "is not a key of config.yaml. Did you mean organization_id?"),
        ("salesforce", "zzz: x", "salesforce.zzz is not a key of config.yaml. Known here: auth, login_url,"),
        ("auth", "client_ids: x", "auth.client_ids is not a key of config.yaml. Did you mean client_id?"),
        ("auth", "token: x", "auth.token does not belong to method client_credentials."),
        ("partner_central", "region: eu-west-1", "region must be us-east-1: AWS serves Partner Central from"),
        ("partner_central", "endpoint_url: http://aws.example", "endpoint_url must begin with https://. Plain"),
        ("partner_central", "endpoint_url: http://127.0.0.1.example", "endpoint_url must begin with https://."),
        ("partner_central", "endpoint_url: http://127.0.0.1@aws.example", "endpoint_url must begin with https"),
        ("partner_central", "endpoint_url: ftp://127.0.0.1", "endpoint_url must begin with https://."),
        ("partner_central", "endpoint_url: https://u:p@aws.example", "endpoint_url must be an address only."),
        ("partner_central", "endpoint_url: https://aws.example/?a=b", "endpoint_url must be an address only."),
        ("partner_central", "role_arn: admin", "role_arn must be the ARN of a role."),
        ("partner_central", "external_id: abc", "external_id is only used to assume a role."),
        ("partner_central", "external_id: 12", "external_id must be text. Put it in quotes."),
        ("partner_central", "profile: [a]", "profile must be text. Write one value."),
        ("partner_central", "user_agent: größe", "user_agent must be plain printable text."),
        ("partner_central", 'user_agent: "a\\r\\nHost: b"', "user_agent must be plain printable text."),
        ("partner_central", "debug_log: 12", "debug_log must be true or false."),
        ("partner_central", "debug_log: maybe", "debug_log must be true or false."),
        ("partner_central", "in_flight: 0", "in_flight must be at least 1."),
        ("partner_central", "in_flight: 33", "in_flight must be at most 32."),
        ("partner_central", "in_flight: 1.5", "in_flight must be a whole number."),
        ("partner_central", "in_flight: true", "in_flight must be a number."),
        ("partner_central", "in_flight: many", "in_flight must be a whole number."),
        ("partner_central", "quota: {writes_per_second: 0}", "10:15: connections.acme.partner_central.quota."),
        ("partner_central", "quota: {writes_per_second: .inf}", "quota.writes_per_second must be a number."),
        ("partner_central", "quota: {reads_per_day: -5}", "quota.reads_per_day must be more than 0."),
        ("partner_central", "quota: {write_per_day: 5}", "Did you mean writes_per_day?"),
        ("partner_central", "quota: 5", "quota must have keys below it."),
        ("acme", "mapping: mappings/other.yaml", "mappings/other.yaml, and there is no such file."),
        ("acme", "limits: {creates_per_day: -1}", "limits.creates_per_day must be at least 0."),
        ("acme", "limits: {creates_per_pass: true}", "limits.creates_per_pass must be a number."),
        ("acme", "limits: {mapping_change_share: 20}", "limits.mapping_change_share must be at most 1."),
        ("acme", "limits: {mapping_change_min_links: -1}", "limits.mapping_change_min_links must be at least 0."),
        ("acme", "limits: {create_per_pass: 1}", "Did you mean creates_per_pass?"),
        ("acme", "limit: {creates_per_day: 1}", "3:5: connections.acme.limit is not a key of config.yaml. Did"),
        ("top", "log: {level: LOUD}", "1:7: log.level must be DEBUG, INFO, WARNING or ERROR."),
        ("top", "log: {level: info}", "log.level must be DEBUG, INFO, WARNING or ERROR. Did you mean INFO?"),
        ("top", "log: {format: jsn}", "log.format must be auto, text or json. Did you mean json?"),
        ("top", "schedule: {pul: 1s}", "schedule.pul is not a key of config.yaml. Did you mean pull?"),
        ("top", "schedule:\n  pull:1s", "1:1: schedule must have keys below it. Put a space after the colon."),
        ("top", "databse: x", "1:1: databse is not a key of config.yaml. Did you mean database?"),
        ("top", "path: x", "1:1: path is not a key of config.yaml."),
        ("top", "database: postgres://db.example/x", "database begins with postgres://, which is out of use."),
        ("top", "database: connector.db", "database must be a database URL."),
        ("top", "database: mysql+pymysql://h/d", "database begins with mysql+pymysql://, which the connector does not"),
        ("top", "database: mysql://h/d", "Write sqlite:///connector.db or postgresql+psycopg://user@host/database."),
        ("top", "database: postgresql+psycopg2://h/d", "begins with postgresql+psycopg2://, which the connector does"),
        ("top", "database: sqlite+aiosqlite:///x.db", "begins with sqlite+aiosqlite://, which the connector does not"),
        ("top", "web: {listen: 8720}", "1:7: web.listen must be text. Put it in quotes."),
        ("top", "web: {listen: '8720'}", "web.listen must be an address and a port. Write 127.0.0.1:8720, or off."),
        ("top", "web: {listen: '127.0.0.1:99999'}", "web.listen must be an address and a port."),
        ("top", "web: {listen: '127.0.0.1:'}", "web.listen must be an address and a port."),
        ("top", "web: {listen: 'http://127.0.0.1:1'}", "web.listen must be an address and a port."),
        ("top", "web: {listen: '0.0.0.0:8720'}", "web.token is needed, since listen is not an address of this mach"),
        ("top", "web: {listen: '[::]:8720'}", "web.token is needed"),
        ("top", "web: {listen: 'connector.example:80'}", "Set it, as in token: ${CONNECTOR_WEB_TOKEN}, or listen on"),
        ("top", "web: {token: short}", "web.token is shorter than 16 characters. Make one with `openssl rand -hex"),
        ("top", "web: {token: '   short          '}", "web.token is shorter than 16 characters."),
        ("top", "web: {hosts: connector.example}", "web.hosts must be a list."),
        ("top", "web: {hosts: ['']}", "web.hosts"),
        ("top", 'web: {user_header: "a\\nb"}', "web.user_header must be plain printable text."),
        ("top", "web: {port: 1}", "web.port is not a key of config.yaml."),
        ("top", "health: {stalled_after: 5}", "health.stalled_after has no unit."),
        ("top", "health: {stalled_after: 0s}", "health.stalled_after must be longer than nothing."),
        ("top", "health: {stalled: 5m}", "Did you mean stalled_after?"),
        ("top", "alerts: {webhook: hooks.example/x}", "alerts.webhook is not a valid address."),
        ("top", "alerts: {webhook: 'http://hooks.example/x'}", "alerts.webhook must begin with https://. Plain http"),
        ("top", "alerts: {webhook: 'ftp://127.0.0.1/x'}", "alerts.webhook must begin with https://."),
        ("top", "alerts: {held_share: 20}", "alerts.held_share must be at most 1."),
        ("top", "alerts: {held_share: -0.1}", "alerts.held_share must be at least 0."),
        ("top", "alerts: {held_share: 20%}", "alerts.held_share must be a number."),
        ("top", "alerts: {held_min_links: -1}", "alerts.held_min_links must be at least 0."),
        ("top", "alerts: {slack: x}", "alerts.slack is not a key of config.yaml. Known here: webhook,"),
        ("top", "fleet: {concurrency: 0}", "fleet.concurrency must be at least 1."),
        ("top", "fleet: {concurrency: 65}", "fleet.concurrency must be at most 64."),
        ("top", "fleet: {concurrency: true}", "fleet.concurrency must be a number."),
        ("top", "fleet: {turn: 20}", "fleet.turn has no unit."),
        ("top", "fleet: {heartbeat: 0s}", "fleet.heartbeat must be longer than nothing."),
        ("top", "fleet: {dead_after: 3s}", "fleet.dead_after is less than two heartbeats."),
        ("top", "fleet: {heartbeat: 6s}", "fleet.dead_after is less than two heartbeats. Make it longer, or heart"),
        ("top", "fleet: {dead_afer: 30s}", "Did you mean dead_after?"),
    ],
)
def test_one_mistake(home: Path, section: str, line: str, expected: str) -> None:
    found = problems_of(home, with_line(section, line))
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("https://acme", "http://acme", "4:7: connections.acme.salesforce.login_url must begin with https://."),
        ("salesforce.com\n", "salesforce.com/login\n", "login_url must not have a path."),
        ("https://acme.my", "https://login", "login_url is a login page for every org, and client_credentials"),
        ("https://acme.my", "https://test", "Write your My Domain address"),
        ("https://acme.my", "https://LOGIN", "login_url is a login page for every org"),
        ("https://acme.my", "acme.my", "login_url is not a valid address."),
        ("https://acme.my", "https://ac me", "login_url is not a valid address."),
        ("      login_url: https://acme.my.salesforce.com\n", "", "3:5: connections.acme.salesforce.login_url is miss"),
        ("https://acme.my.salesforce.com", "", "4:7: connections.acme.salesforce.login_url is empty."),
        ("Sandbox", "sandbox", "10:7: connections.acme.partner_central.catalog must be AWS or Sandbox. Did you mean S"),
        ("Sandbox", "aws", "Did you mean AWS?"),
        ("Sandbox", "Production", "catalog must be AWS or Sandbox. Write one of them."),
        ("catalog: Sandbox", "region: us-east-1", "9:5: connections.acme.partner_central.catalog is missing."),
        ("  acme:", "  Acme:", "2:3: connections.Acme cannot be the name of a connection."),
        ("  acme:", "  -acme:", "connections.-acme cannot be the name"),
        ("  acme:", f"  {'a' * 64}:", "cannot be the name of a connection."),
        ("  acme:", "  acme.eu:", "cannot be the name of a connection."),
        ("client_credentials", "client_credential", "6:9: connections.acme.salesforce.auth.method must be client_cred"),
        ("client_credentials", "jwt", "method must be client_credentials, jwt_bearer or access_token."),
        ("        method: client_credentials\n", "", "5:7: connections.acme.salesforce.auth.method is missing."),
        ("client_credentials", "", "6:9: connections.acme.salesforce.auth.method is missing. Write client_c"),
        ("${SF_CLIENT_ID}", "${SF_CLIENT}", "7:9: connections.acme.salesforce.auth.client_id reads the environ"),
        ("${SF_CLIENT_ID}", "", "7:9: connections.acme.salesforce.auth.client_id is empty."),
        ("${SF_CLIENT_ID}", "12345", "client_id must be text. Put it in quotes."),
        ("${SF_CLIENT_SECRET}", "' '", "8:9: connections.acme.salesforce.auth.client_secret is empty."),
        ("${SF_CLIENT_SECRET}", "12345", "client_secret must be text. Put it in quotes."),
        ("        client_secret: ${SF_CLIENT_SECRET}\n", "", "is missing: client_credentials needs client_id and cl"),
        ("${SF_CLIENT_SECRET}", "${file:none}", "client_secret reads the file none, which cannot be read: No such"),
        ("${SF_CLIENT_SECRET}", "${file:.}", "client_secret reads the file ., which cannot be read: Is a dir"),
        ("${SF_CLIENT_SECRET}", "${file:binary}", "client_secret reads the file binary, which cannot be read: it is"),
        ("${SF_CLIENT_SECRET}", "${SF-X}", "client_secret has ${…} with something else than a variable's name"),
        ("${SF_CLIENT_SECRET}", "${SF_X", "client_secret has ${ without a closing }."),
    ],
)
def test_one_wrong_value(home: Path, old: str, new: str, expected: str) -> None:
    (home / "binary").write_bytes(b"\xff\xfe\xfa")
    assert old in BASE
    found = problems_of(home, BASE.replace(old, new, 1))
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1:1: The file is empty. Write its content, or remove it."]),
        ("- a\n", ["1:1: The file must have keys below it. Write `key: value` lines, indented."]),
        ("log: {level: INFO}\n", ["1:1: connections is missing. Add connections."]),
        ("connections:\n", ["1:1: connections is empty. Give it a value."]),
        ("connections: {}\n", ["1:1: connections names no connection. Add one, as in config.example.yaml."]),
        ("connections:\n  acme:\n", ["2:3: connections.acme is empty. Write its keys below it, indented."]),
        (
            "connections:\n  acme: {}\n",
            [
                "2:3: connections.acme.partner_central is missing. Add partner_central.",
                "2:3: connections.acme.salesforce is missing. Add salesforce.",
            ],
        ),
    ],
)
def test_what_a_file_must_have(home: Path, text: str, expected: list[str]) -> None:
    assert problems_of(home, text) == expected


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["method: jwt_bearer"], ["client_id", "private_key", "username"]),
        (["method: client_credentials"], ["client_id", "client_secret"]),
        (["method: access_token"], ["instance_url", "token"]),
    ],
)
def test_each_method_names_its_own_keys(home: Path, lines: list[str], missing: list[str]) -> None:
    found = problems_of(home, with_auth(*lines))
    assert [line.split()[1].rpartition(".")[2] for line in found] == missing
    assert all(name in line for line in found for name in missing)


def test_jwt_bearer(home: Path) -> None:
    (home / "server.key").write_text(PEM + "\r\n")
    lines = ("method: jwt_bearer", "client_id: x", "username: u@acme.example", "private_key: ${file:server.key}")
    auth = load_text(home, with_auth(*lines)).connections["acme"].salesforce.auth
    assert isinstance(auth, JwtBearer)
    assert auth.private_key.get_secret_value() == PEM
    assert auth.audience == "https://login.salesforce.com"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("server.key", "private_key must be a private key as PEM text. Write ${file:server.key}"),
        ("-----BEGIN CERTIFICATE-----", "private_key must be a private key as PEM text."),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "private_key is encrypted."),
    ],
)
def test_a_private_key_must_be_usable(home: Path, key: str, expected: str) -> None:
    text = with_auth("method: jwt_bearer", "client_id: x", "username: u", f"private_key: '{key}'")
    found = problems_of(home, text)
    assert len(found) == 1
    assert expected in found[0]


def test_access_token_may_leave_out_the_login_url(home: Path) -> None:
    lines = ("method: access_token", "instance_url: http://127.0.0.1:9000/", "token: 00Dxx!yy")
    text = with_auth(*lines).replace("      login_url: https://acme.my.salesforce.com\n", "")
    salesforce = load_text(home, text).connections["acme"].salesforce
    assert isinstance(salesforce.auth, AccessToken)
    assert salesforce.auth.instance_url == salesforce.login_url == "http://127.0.0.1:9000"


def test_shared_login_hosts_suit_jwt_bearer(home: Path) -> None:
    text = with_auth("method: jwt_bearer", "client_id: x", "username: u", "private_key: ${KEY}")
    config = load_text(home, text.replace("acme.my", "login"), {"KEY": PEM})
    assert config.connections["acme"].salesforce.login_url == "https://login.salesforce.com"


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:80", "https://x.example/p"]
)
def test_endpoints_that_are_accepted(home: Path, url: str) -> None:
    text = with_line("partner_central", f"endpoint_url: {url}\n      region: eu-west-1")
    partner_central = load_text(home, text).connections["acme"].partner_central
    assert (partner_central.endpoint_url, partner_central.region) == (url, "eu-west-1")


@pytest.mark.parametrize(
    ("given_id", "full"),
    [
        ("00D000000000001", "00D000000000001EAA"),
        ("00D000000000001EAA", "00D000000000001EAA"),
        ("00Dabcdefghijkl", "00DabcdefghijklEAA"),
    ],
)
def test_organization_ids_get_their_full_form(home: Path, given_id: str, full: str) -> None:
    config = load_text(home, with_line("salesforce", f"organization_id: {given_id}"))
    assert config.connections["acme"].salesforce.organization_id == full


@pytest.mark.parametrize("text", ['"60.0"', "68.0", "'66.0'"])
def test_api_versions_that_are_accepted(home: Path, text: str) -> None:
    config = load_text(home, with_line("salesforce", f"api_version: {text}"))
    assert config.connections["acme"].salesforce.api_version == text.strip("'\"")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/a.db", "sqlite:///{home}/data/a.db"),
        ("sqlite:///a.db?timeout=5", "sqlite:///{home}/a.db?timeout=5"),
        ("sqlite+pysqlite:///a.db", "sqlite+pysqlite:///{home}/a.db"),
        ("sqlite:////var/a.db", "sqlite:////var/a.db"),
        ("'sqlite:///:memory:'", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://u:p@db.example/x", "postgresql+psycopg://u:p@db.example/x"),
        ("postgresql://u:p@db.example/x", "postgresql://u:p@db.example/x"),
    ],
)
def test_an_embedded_database_lies_beside_the_config(home: Path, url: str, expected: str) -> None:
    assert load_text(home, f"database: {url}\n{BASE}").database == expected.format(home=home)


def test_paths_are_relative_to_the_config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "sub").mkdir()
    for name in ("ca.pem", "secret", "my.yaml"):
        (home / "sub" / name).write_text("text\n")
    monkeypatch.chdir(home)
    path = Path("sub/config.yaml")
    text = with_line("salesforce", "ca_bundle: ca.pem").replace("${SF_CLIENT_SECRET}", "${file:secret}")
    path.write_text(text.replace("  acme:\n", "  acme:\n    mapping: my.yaml\n"))
    config = load(path, ENVIRONMENT)
    connection = config.connections["acme"]
    assert connection.salesforce.ca_bundle == home / "sub" / "ca.pem"
    assert connection.mapping == (home / "sub" / "my.yaml",)
    assert connection.salesforce.auth.client_secret.get_secret_value() == "text"  # type: ignore[union-attr]
    assert config.database == f"sqlite:///{home}/sub/connector.db"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("", ["opportunity"]),
        ("    mapping: mappings/opportunity.yaml\n", ["opportunity"]),
        ("    mapping: [mappings/opportunity.yaml]\n", ["opportunity"]),
        ("    mapping: [mappings/opportunity.yaml, mappings/invitations.yaml]\n", ["opportunity", "invitations"]),
        ("    mapping:\n      - mappings/invitations.yaml\n", ["invitations"]),
    ],
)
def test_the_shipped_mappings_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, names: list[str]
) -> None:
    shipped = tmp_path / "installed" / "mappings"
    shipped.mkdir(parents=True)
    for name in ("opportunity", "invitations"):
        (shipped / f"{name}.yaml").touch()
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "installed" / "connector")
    config = load_text(tmp_path, BASE.replace("  acme:\n", f"  acme:\n{line}"))
    assert config.connections["acme"].mapping == tuple(shipped / f"{name}.yaml" for name in names)


def test_files_of_ones_own_go_before_those_that_are_shipped(home: Path) -> None:
    (home / "mappings" / "invitations.yaml").touch()
    text = BASE.replace("  acme:\n", "  acme:\n    mapping: [mappings/opportunity.yaml, mappings/invitations.yaml]\n")
    mapping = load_text(home, text).connections["acme"].mapping
    assert mapping == (home / "mappings" / "opportunity.yaml", home / "mappings" / "invitations.yaml")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[]", "names no file. Write mappings/opportunity.yaml."),
        ("[mappings/opportunity.yaml, no.yaml]", "names {home}/no.yaml, and there is no such file. Check the path."),
        ("[mappings/opportunity.yaml, 5]", "must be the path of a file. Put it in quotes."),
        (
            "[mappings/opportunity.yaml, ./mappings/opportunity.yaml]",
            "names {home}/mappings/opportunity.yaml twice. Name each file once.",
        ),
        ("{a: b}", "must be the path of a file. Put it in quotes."),
    ],
)
def test_mistakes_in_the_list_of_mappings(home: Path, value: str, told: str) -> None:
    text = BASE.replace("  acme:\n", f"  acme:\n    mapping: {value}\n")
    assert problems_of(home, text) == [f"3:5: connections.acme.mapping {told.format(home=home)}"]


def test_a_missing_shipped_mapping_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "PACKAGE", tmp_path / "connector")
    assert problems_of(tmp_path, BASE) == [
        "2:3: connections.acme.mapping names the shipped mapping, and it is missing. Install the connector again."
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("x${A}y${B}z", "xoney${A}z"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("$A", "$A"),
        ("a$", "a$"),
        ("${file:f.txt}", "line one\n line two"),
    ],
)
def test_references(home: Path, text: str, expected: str) -> None:
    (home / "f.txt").write_text("line one\n line two\n")
    found = load_text(home, BASE.replace("${SF_CLIENT_ID}", f"'{text}'"), {**ENVIRONMENT, "A": "one", "B": "${A}"})
    assert found.connections["acme"].salesforce.auth.client_id == expected  # type: ignore[union-attr]


def test_references_give_numbers_and_durations_too(home: Path) -> None:
    text = with_line("partner_central", "in_flight: ${N}\n      read_timeout: ${T}s\n      debug_log: ${D}")
    environment = {**ENVIRONMENT, "N": "3", "T": "9", "D": "true"}
    partner_central = load_text(home, text, environment).connections["acme"].partner_central
    assert (partner_central.in_flight, partner_central.debug_log) == (3, True)
    assert partner_central.read_timeout == timedelta(seconds=9)


def test_an_empty_optional_key_is_not_set(home: Path) -> None:
    text = with_line("partner_central", "profile:\n      proxy: ${P}\n      quota:\n      in_flight:")
    partner_central = load_text(home, text, {**ENVIRONMENT, "P": ""}).connections["acme"].partner_central
    assert (partner_central.profile, partner_central.proxy, partner_central.in_flight) == (None, None, 8)
    assert partner_central.quota == Quota()


def test_two_connections_may_share_an_org(home: Path) -> None:
    text = BASE + "  beta: &b\n" + "".join(f"{line}\n" for line in BASE.splitlines()[2:])
    assert list(load_text(home, text).connections) == ["acme", "beta"]


SECRETS = ("hush-hush-hush", "literal-secret", "db-pass-word", "proxy-pass-word", "tok-en-val-ue")


def test_secrets_show_nowhere(home: Path) -> None:
    text = (
        "database: postgresql://u:${DB}@db.example/x\n"
        + with_line("salesforce", "proxy: http://u:${PROXY}@proxy.example:1")
        + BASE.split("\n", 1)[1].replace("acme:", "beta:").replace("${SF_CLIENT_SECRET}", "literal-secret")
    )
    environment = {**ENVIRONMENT, "DB": "db-pass-word", "PROXY": "proxy-pass-word"}
    config = load_text(home, text, environment)
    assert {SECRETS[0], SECRETS[1], SECRETS[2], SECRETS[3]} <= set(config.secrets())
    for connection in config.connections.values():
        assert isinstance(connection.salesforce.auth.client_secret, SecretStr)  # type: ignore[union-attr]
    shown = f"{config!r} {config} {config.connections['beta']!r}"
    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize("secret_key", ["catalog", "region", "in_flight", "read_timeout", "endpoint_url", "role_arn"])
def test_a_value_from_the_environment_is_never_shown(home: Path, secret_key: str) -> None:
    text = BASE.replace("      catalog: Sandbox\n", f"      {secret_key}: ${{S}}\n")
    found = problems_of(home, text, {**ENVIRONMENT, "S": "tok-en-val-ue"})
    assert any(secret_key in line for line in found)
    assert "tok-en-val-ue" not in "".join(found)


def test_a_refused_database_is_told_by_its_beginning_only(home: Path) -> None:
    found = problems_of(
        home, f"database: mysql+pymysql://person:${{DB}}@db.example/ledger\n{BASE}", {**ENVIRONMENT, "DB": "Horse-9"}
    )
    assert len(found) == 1
    assert "begins with mysql+pymysql://, which" in found[0]
    assert not [word for word in ("person", "Horse-9", "db.example", "ledger") if word in found[0]]


PLANTED = """\
database: postgres://user:literal-secret@db.example/x
schedule:
  pull: 60
  obsrve: 60s
log: {level: LOUD, format: auto}
log: {level: INFO}
connections:
  Acme Inc:
    salesforce:
      login_url: http://acme.my.salesforce.com
      auth:
        method: client_credentials
        client_id: ${SF_CLIENT_ID}
        client_secret: ${SF_CLIENT_SECRT}
      api_version: 66
      organization_id: 00D000000000001AAA
      timeout: "30s
      daily_api_share: 1.5
    partner_central:
      catalog: sandbox
      region: eu-west-1
      quota: {writes_per_second: 0, reads_per_day: lots}
     in_flight: 99
  beta:
    salesforce:
      login_url: https://beta.my.salesforce.com
      auth:
        method: client_credential
        client_id: x
      proxy: proxy: 3128
      private_key: ${file:nowhere.pem}
    partner_central
      catalog: AWS
\t  region: us-east-1
      debug_log: maybe
    mapping: mappings/other.yaml
    limits: {creates_per_day: -1}
  gamma:
    salesforce:
      login_url: https://gamma.my.salesforce.com/services
      auth:
        method: jwt_bearer
        client_id: x
        client_secret: y
"""


def test_every_planted_mistake_is_told_at_once(home: Path) -> None:
    found = problems_of(home, PLANTED)
    expected = [
        ("1:1", "out of use"),
        ("3:3", "no unit"),
        ("4:3", "Did you mean observe?"),
        ("5:7", "log.level must be"),
        ("6:1", "already set in line 5"),
        ("8:3", "cannot be the name"),
        ("10:7", "must begin with https://"),
        ("14:9", "variable SF_CLIENT_SECRT, which is not set"),
        ("15:7", "API version"),
        ("16:7", "mistyped"),
        ("17:16", 'The quote " opened here'),
        ("18:7", "must be at most 1"),
        ("20:7", "Did you mean Sandbox?"),
        ("21:7", "must be us-east-1"),
        ("22:15", "writes_per_second must be more than 0"),
        ("22:37", "reads_per_day must be a whole number"),
        ("23:6", "indentation"),
        ("23:6", "in_flight must be at most 32"),
        ("28:9", "Did you mean client_credentials?"),
        ("30:19", "A colon and a space"),
        ("31:7", "private_key is not a key"),
        ("31:7", "reads the file nowhere.pem"),
        ("32:5", "has no colon"),
        ("34:1", "tabs"),
        ("35:7", "true or false"),
        ("36:5", "no such file"),
        ("37:14", "at least 0"),
        ("38:3", "partner_central is missing"),
        ("40:7", "must not have a path"),
        ("41:7", "private_key is missing"),
        ("41:7", "username is missing"),
        ("44:9", "does not belong to method jwt_bearer"),
    ]
    places = [line.split(": ")[0] for line in found]
    assert places == [place for place, _ in expected]
    assert all(words in line for line, (_, words) in zip(found, expected, strict=True)), found
    assert "literal-secret" not in "".join(found)


def test_the_error_reads_as_a_list(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(home, "log: {level: LOUD}\n")
    path = home / "config.yaml"
    assert str(caught.value).splitlines() == [
        f"{path} has 2 problems. Correct it and start again.",
        f"{path}:1:1: connections is missing. Add connections.",
        f"{path}:1:7: log.level must be DEBUG, INFO, WARNING or ERROR. Write one of them.",
    ]


def test_locate_prefers_the_option_then_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.yaml", "b.yaml", "config.yaml"):
        (tmp_path / name).touch()
    assert locate(Path("a.yaml"), {"CONNECTOR_CONFIG": "b.yaml"}) == Path("a.yaml")
    assert locate(None, {"CONNECTOR_CONFIG": "b.yaml"}) == Path("b.yaml")
    assert locate(None, {"CONNECTOR_CONFIG": ""}) == Path("config.yaml")


@pytest.mark.parametrize(
    ("option", "environment", "words"),
    [
        (
            Path("x.yaml"),
            {},
            r"x\.yaml \(--config\) does not exist\. Make one with `connector init`, or with `cp .*\.yaml x\.yaml`",
        ),
        (None, {"CONNECTOR_CONFIG": "y.yaml"}, r"y\.yaml \(CONNECTOR_CONFIG\) does not exist"),
        (None, {}, r"file config\.yaml does not exist"),
        (Path(), {}, r"is not a file"),
    ],
)
def test_a_missing_config_says_how_to_make_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: Path | None,
    environment: dict[str, str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        locate(option, environment)


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no file"):
        load(tmp_path / "none.yaml", {})


# --- config.example.yaml ---


def test_the_example_loads(home: Path) -> None:
    config = load_text(home, EXAMPLE.read_text("utf-8"))
    assert list(config.connections) == ["acme"]


OPTIONAL = {"CONNECTOR_WEB_TOKEN": "0123456789abcdef", "SLACK_WEBHOOK_URL": "https://hooks.example/services/x"}


def alternative(number: int) -> str:
    """The example with its n-th commented ``auth`` in place of the first, and every other option switched on."""
    blocks = re.split(r"(?m)^ {6}# auth:\n|^ {6}auth:\n", EXAMPLE.read_text("utf-8"))
    head, tail = blocks[0], blocks[3].split("\n\n", 1)[1]
    chosen = blocks[1 + number].split("\n\n", 1)[0]
    text = f"{head}      auth:\n{chosen}\n\n{tail}"
    return re.sub(r"(?m)^( *)# ( *\w+: \S+( *#.*)?)$", r"\1\2", text)


@pytest.mark.parametrize(("number", "method"), [(0, "client_credentials"), (1, "jwt_bearer"), (2, "access_token")])
def test_the_commented_options_of_the_example_load(home: Path, number: int, method: str) -> None:
    (home / "server.key").write_text(PEM)
    (home / "ca.pem").touch()
    (home / "connections").mkdir()
    section = dedent(BASE.partition("  acme:\n")[2])
    (home / "connections" / "other.yaml").write_text(section, "utf-8")
    environment = {**ENVIRONMENT, **OPTIONAL, "SF_ACCESS_TOKEN": "00D1!a", "AWS_EXTERNAL_ID": "e"}
    connection = load_text(home, alternative(number), environment).connections["acme"]
    assert connection.salesforce.auth.method == method
    assert connection.salesforce.organization_id == "00D000000000001EAA"
    assert connection.partner_central.external_id == "e"
    assert connection.partner_central.endpoint_url == "http://127.0.0.1:8080"


def defaults_of(section: type[Section], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every key of the file with its default: None where it has none, ``...`` where it is required."""
    found: dict[tuple[str, ...], Any] = {}
    for name, known in section.model_fields.items():
        inner: Any = Connection if name == "connections" else known.annotation
        step = (*path, name, "acme") if name == "connections" else (*path, name)
        if isinstance(inner, type) and issubclass(inner, Section):
            found |= defaults_of(inner, step)
        elif name == "auth":
            for method in inner.__args__:
                found |= {(*step, key): value for (key,), value in defaults_of(method).items() if value is not None}
        else:
            found[step] = ... if known.is_required() else known.default
    return found


def test_the_example_has_every_key_with_its_default(home: Path) -> None:
    text = EXAMPLE.read_text("utf-8")
    shown = [parse(alternative(number), "f") for number in range(3)]
    assert [document.problems for document in shown] == [()] * 3
    plain = parse(text, "f")
    for path, default in defaults_of(ConfigFile).items():
        assert any(path in document.positions for document in shown), path
        if default not in {None, ...} and "auth" not in path:
            assert path in plain.positions, path
            assert value_at(load_text(home, text), path) == value_at(load_text(home, BASE), path), path


def test_the_example_shows_the_default_audience() -> None:
    assert value_in(parse(alternative(1), "f").value, ("connections", "acme", "salesforce", "auth", "audience")) == (
        JwtBearer.model_fields["audience"].default
    )


def value_at(config: Config, path: tuple[str, ...]) -> Any:
    value: Any = config
    for step in path:
        value = value[step] if isinstance(value, dict) else getattr(value, step)
    return value


def value_in(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(BASE)),
            st.integers(0, 12),
            st.sampled_from(["", " ", "\n", "\t", ":", "'", '"', "[", "{", "}", "- ", "1", "~", "$", "&a ", "*a", "é"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_is_in_the_file_is_answered_with_places(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, int, str]]
) -> None:
    text = BASE
    for start, length, inserted in edits:
        text = text[:start] + inserted + text[start + length :]
    path = tmp_path_factory.mktemp("fuzz") / "config.yaml"
    (path.parent / "mappings").mkdir()
    (path.parent / "mappings" / "opportunity.yaml").touch()
    path.write_text(text, "utf-8")
    refusal = refused(path)
    assert refusal is None or refusal.problems
    assert "hush-hush-hush" not in str(refusal)


def refused(path: Path) -> ConfigError | None:
    try:
        load(path, ENVIRONMENT)
    except ConfigError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("listen", "more"),
    [
        ("off", ""),
        ("127.0.0.1:0", ""),
        ("'[::1]:8720'", ""),
        ("localhost:8720", ""),
        ("0.0.0.0:8720", ", token: 0123456789abcdef"),
        ("connector.example:443", ", token: 0123456789abcdef, hosts: [other.example], user_header: X-User"),
    ],
)
def test_addresses_to_listen_at(home: Path, listen: str, more: str) -> None:
    config = load_text(home, f"web: {{listen: {listen}{more}}}\n{BASE}")
    assert config.web.listen == listen.strip("'")


def test_the_webhook_and_the_token_are_secrets(home: Path) -> None:
    lines = "web: {token: 0123456789abcdef}\nalerts: {webhook: 'https://hooks.example/services/T0/B0/key'}\n"
    config = load_text(home, lines + BASE)
    secrets = set(config.secrets())
    assert {"0123456789abcdef", "https://hooks.example/services/T0/B0/key"} <= secrets
    assert "key" not in repr(config.alerts)
    assert "0123456789abcdef" not in repr(config.web)
    wrong = problems_of(home, "alerts: {webhook: 'http://hooks.example/services/T0/B0/key'}\n" + BASE)
    assert "T0/B0" not in "".join(wrong)


def test_a_forgiving_look_goes_on_without_the_secrets_and_connects_to_nothing(home: Path) -> None:
    text = BASE.replace("https://acme.my.salesforce.com", "${SF_URL}") + "database: postgresql://u:${DB}@h/d\n"
    (home / "config.yaml").write_text(text, "utf-8")
    (home / "mappings" / "opportunity.yaml").unlink()  # the shipped one stands in
    config = load(home / "config.yaml", {}, forgiving=True)
    assert config.connections["acme"].partner_central.catalog == "Sandbox"
    named = [problem.message.rpartition("variable ")[2].partition(",")[0] for problem in config.unset]
    assert named == ["SF_URL", "SF_CLIENT_ID", "SF_CLIENT_SECRET", "DB"]
    assert [problem.line for problem in config.unset] == [4, 7, 8, 11]
    with pytest.raises(ConfigError, match="SF_CLIENT_SECRET"):
        config.require_set()
    for connect in (lambda app: app.engine, lambda app: app.salesforce("acme"), lambda app: app.contexts):
        with pytest.raises(ConfigError, match="has 4 problems"):
            connect(App(config))


def test_a_forgiving_look_at_a_complete_file_misses_nothing(home: Path) -> None:
    (home / "config.yaml").write_text(BASE, "utf-8")
    config = load(home / "config.yaml", ENVIRONMENT, forgiving=True)
    assert config == load(home / "config.yaml", ENVIRONMENT)
    config.require_set()


def test_a_forgiving_look_forgives_no_mistake(home: Path) -> None:
    text = BASE.replace("${SF_CLIENT_ID}", "${SF CLIENT ID}").replace("Sandbox", "Playground")
    (home / "config.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(home / "config.yaml", {}, forgiving=True)
    assert [problem.line for problem in caught.value.problems] == [7, 10]


@pytest.mark.parametrize("method", ["jwt_bearer", "access_token"])
def test_a_forgiving_look_stands_in_for_every_kind_of_secret(home: Path, method: str) -> None:
    auth = {
        "jwt_bearer": "client_id: ${A}\n        username: ${B}\n        private_key: ${file:none.key}",
        "access_token": "instance_url: ${A}\n        token: ${B}",
    }[method]
    text = BASE.replace("client_credentials", method).replace("${SF_CLIENT_ID}", "${A}")
    start, _, end = text.partition("        client_id")
    text = start + "        " + auth + "\n" + end[end.index("    partner_central") :]
    (home / "config.yaml").write_text(text + "      role_arn: ${ROLE}\n      proxy: ${PROXY}\n", "utf-8")
    assert len(load(home / "config.yaml", {}, forgiving=True).unset) >= 4
