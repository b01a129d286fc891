"""A real PostgreSQL server: the way to it, encrypted or refused, and every refusal as one sentence with its cure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from alembic import command
from click.testing import CliRunner
from sqlalchemy import Engine, make_url, text

from connector.adapters.ledger import Ledger, open_engine, schema
from connector.adapters.ledger import postgres as ledger_on_server
from connector.cli import main
from connector.errors import ConfigError, LedgerUnavailable, UserError
from connector.resources import packaged
from tests import databases, postgres

pytestmark = pytest.mark.skipif(
    not databases.POSTGRES, reason="needs PostgreSQL: CONNECTOR_TEST_POSTGRES, or `make test-postgres`"
)
HOST = "ledger.db.example"
PASSWORD = "Correct-Horse-7"
WRONG = "Wrong-Horse-8"
MIGRATIONS = packaged("migrations")
CONFIG = """\
database: "${{DATABASE_URL}}"
connections:
  acme:
    salesforce:
      login_url: https://acme.my.salesforce.example
      auth: {{method: access_token, instance_url: https://acme.my.salesforce.example, token: "${{TOKEN}}"}}
    partner_central: {{catalog: Sandbox}}
"""
UPGRADE = """
import sys
from connector.adapters.ledger import open_engine, schema
from connector.resources import packaged
engine = open_engine(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
schema.upgrade(engine, packaged("migrations"))
"""
ACCESS = (
    "hostssl all secure 127.0.0.1/32 trust",
    "hostssl all certified 127.0.0.1/32 cert",
    "host all person 127.0.0.1/32 scram-sha-256",
    "host all ledger,small 127.0.0.1/32 trust",
)


@pytest.fixture(scope="module")
def authorities() -> tuple[trustme.CA, trustme.CA]:
    """Ours and somebody else's."""
    return trustme.CA(), trustme.CA()


@pytest.fixture(scope="module", name="server")
def server_fixture(
    authorities: tuple[trustme.CA, trustme.CA], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[postgres.Server]:
    """A server with TLS and four ways in."""
    files = tmp_path_factory.mktemp("tls")
    ours, theirs = authorities
    certificate = ours.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(str(files / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(files / "server.crt"))
    for name, authority in (("ours", ours), ("theirs", theirs)):
        authority.cert_pem.write_to_path(str(files / f"{name}.pem"))
    client = ours.issue_cert("certified@partner.example", common_name="certified")
    client.private_key_pem.write_to_path(str(files / "client.key"))
    client.cert_chain_pems[0].write_to_path(str(files / "client.crt"))
    (files / "client.key").chmod(0o600)
    server = postgres.Server(access=ACCESS)
    for name, setting in (("server.key", "ssl_key_file"), ("server.crt", "ssl_cert_file"), ("ours.pem", "ssl_ca_file")):
        server.settings[setting] = str(server.give(files / name))
    server.settings["ssl"] = "on"
    with server:
        with psycopg.connect(f"host=127.0.0.1 port={server.port} user=ledger dbname=postgres", autocommit=True) as us:
            us.execute(f"CREATE ROLE person LOGIN PASSWORD '{PASSWORD}'")
            for role in ("secure", "certified"):
                us.execute(f"CREATE ROLE {role} LOGIN")
            us.execute("CREATE ROLE small LOGIN CONNECTION LIMIT 1")
        server.settings["files"] = str(files)
        yield server


def url_of(server: postgres.Server, user: str = "ledger", database: str = "postgres", **options: str) -> str:
    return f"postgresql+psycopg://{user}@127.0.0.1:{server.port}/{database}" + (
        "?" + "&".join(f"{name}={value}" for name, value in options.items()) if options else ""
    )


def encrypted(server: postgres.Server, user: str, ca: str, host: str = HOST, **more: str) -> str:
    """A URL that verifies the server's name and authority; the name leads to the machine itself."""
    files = server.settings["files"]
    options = {"sslmode": "verify-full", "sslrootcert": f"{files}/{ca}.pem", "host": host, "hostaddr": "127.0.0.1"}
    more = {name: f"{files}/{value}" for name, value in more.items()}
    query = "&".join(f"{name}={value}" for name, value in {**options, **more, "port": str(server.port)}.items())
    return f"postgresql+psycopg://{user}@/postgres?{query}"


def ask(url: str) -> tuple[Any, ...]:
    """(whether the session is encrypted, application name)."""
    engine = open_engine(url)
    try:
        query = "SELECT ssl, application_name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
        with engine.connect() as connection:
            return tuple(connection.execute(text(f"{query} WHERE pid = pg_backend_pid()")).one())
    finally:
        engine.dispose()


def current(tmp_path: Path, url: str) -> tuple[int, str]:
    """(exit code, what `connector db current` said)."""
    (tmp_path / "config.yaml").write_text(CONFIG.format(), encoding="utf-8")
    environment = {"DATABASE_URL": url, "TOKEN": "a-token-of-the-test"}
    arguments = ["db", "current", "--config", str(tmp_path / "config.yaml")]
    done = CliRunner().invoke(main, arguments, env=environment)
    return done.exit_code, done.output


def test_a_verified_connection_is_encrypted(server: postgres.Server, tmp_path: Path) -> None:
    assert ask(encrypted(server, "secure", "ours")) == (True, "connector")
    code, told = current(tmp_path, encrypted(server, "secure", "ours"))
    assert (code, "revision none" in told) == (2, True), told


def test_a_client_may_show_a_certificate_of_its_own(server: postgres.Server) -> None:
    url = encrypted(server, "certified", "ours", sslcert="client.crt", sslkey="client.key")
    assert ask(url)[0] is True


@pytest.mark.parametrize(
    ("url", "reason", "cure"),
    [
        (lambda at: encrypted(at, "secure", "theirs"), "certificate verify failed", "let sslrootcert"),
        (lambda at: encrypted(at, "secure", "ours", "other.example"), "does not match host name", "stands in the"),
        (lambda at: encrypted(at, "secure", "nothing"), "root certificate file", "Let sslrootcert in `database` name"),
        (lambda at: url_of(at, "secure", sslmode="disable"), "no encryption", "add ?sslmode=verify-full&sslrootcert="),
        (lambda at: encrypted(at, "certified", "ours"), "valid client certificate", "Name sslcert and sslkey"),
        (lambda at: url_of(at, f"person:{WRONG}"), 'failed for user "person"', "Correct the user and the password"),
        (lambda at: url_of(at, "person"), "no password supplied", "as a ${VARIABLE}"),
        (lambda at: url_of(at, "nobody"), "no pg_hba.conf entry", "by the server's pg_hba.conf"),
        (lambda at: url_of(at, database="missing"), 'database "missing" does not exist', "Create it (`createdb`)"),
        (lambda at: url_of(at, sslmode="always"), 'invalid sslmode value: "always"', "Correct the options after ?"),
        (lambda at: url_of(at, sllmode="require"), 'invalid connection option "sllmode"', "Correct the options"),
        (lambda at: url_of(at).replace(str(at.port), "1"), "Connection refused", "Start the server, or correct host"),
        (
            lambda at: url_of(at, target_session_attrs="standby"),
            "not in hot standby mode",
            "Nothing is written to AWS or Salesforce until it can.",
        ),
    ],
)
def test_a_refusal_is_one_sentence_with_its_cure(
    server: postgres.Server, tmp_path: Path, url: Callable[[postgres.Server], str], reason: str, cure: str
) -> None:
    code, told = current(tmp_path, url(server))
    assert code == 3
    assert told.startswith("connector: halted: The ledger cannot be used: ")
    assert reason in told
    assert cure in told
    assert told.count("\n") == 1
    assert WRONG not in told
    assert "Horse" not in told


def test_a_password_lets_in_and_is_shown_nowhere(server: postgres.Server) -> None:
    url = url_of(server, f"person:{PASSWORD}")
    engine = open_engine(url)
    engine.connect().close()
    assert PASSWORD not in f"{engine!r} {engine.url} {engine.pool!r}"
    engine.dispose()


def test_a_server_without_tls_is_told(tmp_path: Path) -> None:
    url = make_url(databases.POSTGRES).update_query_dict({"sslmode": "require"}).render_as_string(False)
    code, told = current(tmp_path, url)
    assert (code, "server does not support SSL" in told, "Turn ssl on" in told) == (3, True, True), told


def test_a_missing_driver_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    code, told = current(tmp_path, "postgresql+psycopg://person:Secret-Word-9@db.example/ledger")
    assert code == 2
    assert "needs the package psycopg, which is not installed" in told
    assert "Install the extra: `pip install '.[postgres]'` in the connector's folder." in told
    assert "Secret" not in told


def test_another_driver_is_refused_and_none_named_means_psycopg() -> None:
    with pytest.raises(ConfigError, match=r"does not use postgresql\+psycopg2. Write postgresql\+psycopg://"):
        open_engine("postgresql+psycopg2://person:word@db.example/ledger")
    engine = open_engine("postgresql://person@db.example/ledger")
    assert engine.url.drivername == "postgresql+psycopg"


def test_too_many_connections_are_told(server: postgres.Server) -> None:
    engine = open_engine(url_of(server, "small"))
    ledger = Ledger(engine)
    with engine.connect(), pytest.raises(LedgerUnavailable, match=r"too many connections for role.*Raise max_connec"):
        ledger.watermark("acme", "pull")
    engine.dispose()


def test_one_of_several_hosts_answers(server: postgres.Server) -> None:
    hosts = f"host=127.0.0.1:1&host=127.0.0.1:{server.port}"
    assert ask(f"postgresql+psycopg://ledger@/postgres?{hosts}&target_session_attrs=read-write")[1] == "connector"


def settings_of(engine: Engine, *names: str) -> list[str]:
    with engine.connect() as connection:
        return [
            connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one() for name in names
        ]


def test_a_vanished_server_and_a_paused_client_are_noticed_in_seconds(server: postgres.Server) -> None:
    engine = open_engine(url_of(server))
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
    assert parameters["connect_timeout"] == "10"
    assert {name: parameters[name] for name in parameters if "keepalives" in name} == {
        "keepalives": "1",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    }
    assert settings_of(engine, *ledger_on_server.SESSION) == list(ledger_on_server.SESSION.values())
    engine.dispose()


def test_what_the_url_says_wins(server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    options = "-c%20lock_timeout%3D7s%20-c%20idle_in_transaction_session_timeout%3D9s"
    engine = open_engine(url_of(server, application_name="theirs", options=options, connect_timeout="3"))
    names = ("application_name", "lock_timeout", "idle_in_transaction_session_timeout", "tcp_keepalives_idle")
    assert settings_of(engine, *names) == ["theirs", "7s", "9s", "10"]
    engine.dispose()
    monkeypatch.setenv("PGAPPNAME", "from the environment")
    assert ask(url_of(server))[1] == "from the environment"


def test_a_replica_or_a_read_only_database_is_told(engine: Engine) -> None:
    read_only = open_engine(with_options(engine, "-c default_transaction_read_only=on"))
    with pytest.raises(LedgerUnavailable, match=r"read-only transaction.*target_session_attrs=read-write"):
        Ledger(read_only).set_watermark("acme", "pull", "1")
    read_only.dispose()


def with_options(engine: Engine, options: str) -> str:
    return engine.url.update_query_dict({"options": options}).render_as_string(False)


# the schema


@pytest.fixture
def opened(empty_engine: Engine) -> Iterator[Callable[..., Engine]]:
    """Opens the empty database as another role, or with another search path."""
    made: list[Engine] = []

    def another(role: str | None = None, path: str | None = None) -> Engine:
        url = empty_engine.url if role is None else empty_engine.url.set(username=role)
        options = {} if path is None else {"options": f"-csearch_path={path}"}
        made.append(open_engine(url.update_query_dict(options).render_as_string(False)))
        return made[-1]

    yield another
    for one in made:
        one.dispose()


def test_two_upgrades_at_once_follow_each_other(empty_engine: Engine) -> None:
    url = empty_engine.url.render_as_string(False)
    both = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.close()
    for process in both:
        with process:
            assert process.wait(30) == 0
    assert schema.current(empty_engine) == schema.newest(empty_engine, MIGRATIONS)


def test_a_role_that_may_create_nothing_is_told(empty_engine: Engine, opened: Callable[..., Engine]) -> None:
    role = f"reader_{empty_engine.url.database}"
    with empty_engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
    try:
        with pytest.raises(LedgerUnavailable, match=r"permission denied for schema public.*GRANT USAGE, CREATE ON"):
            schema.upgrade(opened(role), MIGRATIONS)
        schema.upgrade(empty_engine, MIGRATIONS)
        with pytest.raises(LedgerUnavailable, match=r"permission denied for table.*Grant this role"):
            Ledger(opened(role)).watermark("acme", "pull")
    finally:
        with empty_engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))


def test_another_applications_migrations_are_not_mixed_with_ours(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE theirs (id INTEGER)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('ae1027a6acf')"))
    for use in (schema.current, lambda engine: schema.upgrade(engine, MIGRATIONS)):
        with pytest.raises(UserError, match="another application's: its alembic_version says ae1027a6acf") as caught:
            use(empty_engine)
        assert "CREATE SCHEMA connector" in caught.value.cure


def test_a_table_of_theirs_in_the_way_is_told(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE TABLE operation (id INTEGER)"))
    with pytest.raises(LedgerUnavailable, match=r"already exists.*another application's tables: give the ledger one"):
        schema.upgrade(empty_engine, MIGRATIONS)
    assert schema.current(empty_engine) == ""


def test_a_schema_of_its_own_keeps_the_ledger_apart(empty_engine: Engine, opened: Callable[..., Engine]) -> None:
    ours = opened(path="connector")
    with pytest.raises(LedgerUnavailable, match=r"no schema has been selected to create in.*Create the schema"):
        schema.upgrade(ours, MIGRATIONS)
    with empty_engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA connector; CREATE TABLE public.operation (id INTEGER)"))
    assert schema.upgrade(ours, MIGRATIONS) is True
    Ledger(ours).set_watermark("acme", "pull", "1")
    assert schema.current(ours) == schema.newest(ours, MIGRATIONS)
    assert schema.current(empty_engine) == "", "the other schema has no ledger"
    command.check(schema._config(ours, MIGRATIONS))
