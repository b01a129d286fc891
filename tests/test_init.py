"""``connector init``: what it writes can be used as it is, whatever was answered, and it destroys nothing."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import pytest

from connector import config as configuration
from connector.errors import UserError
from connector.mapping_files import read_mapping
from connector.provisioning import skeleton
from connector.provisioning.answers import QUESTIONS, Answers, name_of, to_answers
from connector.resources import packaged

URL = "https://acme.my.salesforce.com"
SHIPPED = {name: packaged(*name.split("/")).read_text("utf-8") for name in (skeleton.OPPORTUNITY, skeleton.INVITATIONS)}
CONNECTOR = [sys.executable, "-m", "connector"]


def write(directory: Path, answers: Answers) -> None:
    for name, text in skeleton.files_of(answers, SHIPPED).items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("amount", "currency", "picklists", "invitations"),
    list(product(("total", "monthly"), ("USD", "EUR", "record"), (False, True), (False, True))),
)
def test_whatever_is_answered_the_mapping_and_its_cases_hold(
    tmp_path: Path, amount: str, currency: str, picklists: bool, invitations: bool
) -> None:
    answers = Answers(
        URL, amount=amount, currency=currency, country_picklists=picklists, invitations=invitations, flag="Shared__c"
    )
    write(tmp_path, answers)
    config = configuration.load(tmp_path / "config.yaml", {}, forgiving=True)
    mapping, problems = read_mapping(config.connections["acme"].mapping)
    assert problems == ()
    assert mapping is not None
    assert mapping.selection.where == "Shared__c = TRUE"
    assert (mapping.invitations is not None) is invitations
    fields = set(mapping.selection.fields)
    assert ("Account.BillingCountryCode" in fields) is picklists
    assert ("CurrencyIsoCode" in fields) is (currency == "record")
    spend = mapping.tree.members["Project"].members["ExpectedCustomerSpend"].items[0].members  # type: ignore[union-attr]
    assert [step.transform.name for step in spend["Amount"].steps] == (["divide"] * (amount == "total") + ["money"])
    assert spend["CurrencyCode"].constant == {"USD": "USD", "EUR": "EUR", "record": None}[currency]


@pytest.mark.parametrize("auth", ["client_credentials", "jwt_bearer", "access_token"])
@pytest.mark.parametrize("aws", [{}, {"profile": "partner"}, {"role_arn": "arn:aws:iam::111122223333:role/connector"}])
def test_the_configuration_asks_for_secrets_and_holds_none(tmp_path: Path, auth: str, aws: dict[str, str]) -> None:
    answers = to_answers({"login_url": URL, "auth": auth, "catalog": "aws", "software_partner": "yes", **aws})
    write(tmp_path, answers)
    (tmp_path / "server.key").write_text("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n")
    config = configuration.load(tmp_path / "config.yaml", dict.fromkeys(skeleton.variables_of(answers), "given"))
    section = config.connections["acme"]
    assert section.salesforce.auth.method == auth
    assert section.partner_central.catalog == "AWS"
    assert section.partner_central.launch_needs_account is False
    assert (section.partner_central.profile, section.partner_central.role_arn) == (
        aws.get("profile"),
        aws.get("role_arn"),
    )
    listed = (tmp_path / ".env.example").read_text().split()
    assert listed == [f"{name}=" for name in skeleton.variables_of(answers)]
    assert ".env" in (tmp_path / ".gitignore").read_text().split()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "--login-url"),
        ({"login_url": "acme"}, "https://acme.my.salesforce.com"),
        ({"login_url": "https://login.salesforce.com"}, "a login page for every org"),
        ({"login_url": "https://acme.lightning.force.com"}, "Use https://acme.my.salesforce.com"),
        ({"login_url": URL, "name": "Acme Inc"}, "--name: a connection's name"),
        ({"login_url": URL, "role_arn": "partner"}, "--role-arn: a role looks like"),
        ({"login_url": URL, "flag": "Share with AWS"}, "--flag: the flag is the API name"),
        ({"login_url": URL, "database": "ledger.db"}, "--database: the database is sqlite:///connector.db, or postg"),
        ({"login_url": URL, "database": "sqlite"}, "--database: the database is sqlite:///connector.db, or postg"),
        ({"login_url": URL, "database": "mysql+pymysql://host/db"}, "--database: the database is sqlite:///connector"),
        ({"login_url": URL, "database": "postgresql+psycopg://u:word@host/db"}, "Write ${DB_PASSWORD} in place of"),
        ({"login_url": URL, "catalog": "Production"}, "is none of Sandbox, AWS"),
        (
            {"login_url": URL, "profile": "a", "role_arn": "arn:aws:iam::111122223333:role/b"},
            "Both a profile and a role",
        ),
    ],
)
def test_an_answer_that_cannot_be_used_says_why(given: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        to_answers(given)
    assert words in str(caught.value)


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = ["init", "--yes", "--login-url", URL, "--directory", "file/below"]
    done = subprocess.run(
        [*CONNECTOR, *arguments], cwd=tmp_path, text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (2, "connector: error: file/below cannot be used: Not a directory.\n")


def test_the_beginning_of_a_choice_will_do_and_a_password_may_be_a_variable() -> None:
    database = "postgresql+psycopg://u:${DB_PASSWORD}@host/db"
    answers = to_answers({"login_url": URL, "invitations": "Y", "catalog": "aws", "database": database})
    assert (answers.invitations, answers.catalog, answers.database) == (True, "AWS", database)


def test_every_question_is_an_option_and_has_a_place_in_the_answers() -> None:
    from connector.cli import init

    options = {option for parameter in init.params for option in parameter.opts}
    assert {question.option for question in QUESTIONS} <= options
    assert {question.name for question in QUESTIONS} == set(Answers.__dataclass_fields__)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, "acme"),
        ("https://Acme--UAT.sandbox.my.salesforce.com", "acme--uat"),
        ("https://127.0.0.1:8443", "org"),
        ("https://-x.my.salesforce.com", "x"),
    ],
)
def test_a_connection_is_named_after_its_org(url: str, name: str) -> None:
    assert name_of(url) == name


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CONNECTOR, "init", "--directory", str(directory), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    assert run(tmp_path, "--login-url", URL).returncode == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = run(tmp_path, "--login-url", "https://other.my.salesforce.com")
    assert again.returncode == 2
    assert "has config.yaml and mappings/opportunity.yaml already" in again.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    missing = run(tmp_path)
    assert (missing.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "Give it with --login-url" in missing.stderr


def test_at_a_terminal_each_open_question_is_asked_and_asked_again(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*CONNECTOR, "init", "--directory", str(tmp_path), "--flag", "Shared__c"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = ""
        answers = ["acme.my.salesforce.com", URL, "", "", "AWS", "partner", "", "monthly", "EUR", "", "yes", ""]
        for answer in answers:
            seen += read_prompt(ours)
            os.write(ours, f"{answer}\n".encode())
        seen += read_rest(ours)
        assert process.wait(30) == 0, seen
    os.close(ours)
    assert "--login-url: the address is that of My Domain" in seen
    assert "A short name for this connection, never to be changed [acme]" in seen
    assert "checkbox" not in seen  # it was answered by its option
    assert "An AWS role" not in seen  # there is a profile
    config = configuration.load(tmp_path / "config.yaml", {}, forgiving=True)
    assert config.connections["acme"].partner_central.profile == "partner"
    assert (tmp_path / "mappings" / "invitations.yaml").is_file()


def read_prompt(terminal: int) -> str:
    """What is printed until a question waits for its answer."""
    seen = ""
    deadline = time.monotonic() + 30
    while not seen.rstrip(" ").endswith(":") or seen.endswith("\n"):
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 4096).decode()
    return seen


def read_rest(terminal: int) -> str:
    seen = ""
    try:
        while data := os.read(terminal, 4096):
            seen += data.decode()
    except OSError:  # the other side is gone
        pass
    return seen
