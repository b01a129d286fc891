"""What a newcomer is asked before the first files are written: each answer with its question and what it may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connector.config.kinds import DATABASES
from connector.core.selection import NAME
from connector.errors import UserError


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything that config.yaml and the mapping of a new installation are made of.

    ``login_url`` is the org's My Domain address; ``name`` the connection's, "" for the one that address has. ``amount``
    is what the field Amount holds, ``currency`` what it is in: USD, EUR, or ``record`` for a multi-currency org.
    """

    login_url: str
    name: str = ""
    auth: str = "client_credentials"
    catalog: str = "Sandbox"
    profile: str = ""
    role_arn: str = ""
    database: str = "sqlite:///connector.db"
    flag: str = "Share_With_AWS__c"
    amount: str = "total"
    currency: str = "USD"
    country_picklists: bool = False
    invitations: bool = False
    software_partner: bool = False

    @property
    def connection(self) -> str:
        """The connection's name."""
        return self.name or name_of(self.login_url)


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``choices`` are all it may be answered with; ``check`` gives what is wrong, "" for nothing."""

    name: str
    text: str
    choices: tuple[str, ...] = ()
    check: Callable[[str], str] | None = None

    @property
    def option(self) -> str:
        """The option of the command that answers it."""
        return f"--{self.name.replace('_', '-')}"

    def read(self, given: str) -> str:
        """The answer; of a choice its beginning will do. Raises UserError where it is none."""
        answer = given.strip()
        fitting = [choice for choice in self.choices if choice.casefold().startswith(answer.casefold())]
        if self.choices and not (answer and len(fitting) == 1):
            raise UserError(f"{self.option}: {answer!r} is none of {', '.join(self.choices)}.", "Use one of them.")
        wrong = self.check(answer) if self.check is not None else ""
        if wrong:
            raise UserError(f"{self.option}: {wrong}")
        return fitting[0] if fitting else answer


def _check_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        return "the address is that of My Domain, such as https://acme.my.salesforce.com (Setup, My Domain)."
    if parts.hostname in {"login.salesforce.com", "test.salesforce.com"}:
        return "this is a login page for every org. Use your own domain, such as https://acme.my.salesforce.com."
    if parts.hostname.endswith(".lightning.force.com"):
        return f"this is where people work. Use https://{parts.hostname.partition('.')[0]}.my.salesforce.com."
    return ""


def _check_name(text: str) -> str:
    fits = not text or re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", text)
    return "" if fits else "a connection's name has a-z, 0-9, _ and - only, such as acme."


def _check_flag(text: str) -> str:
    return "" if NAME.fullmatch(text) else "the flag is the API name of a checkbox, such as Share_With_AWS__c."


def _check_role(text: str) -> str:
    fits = not text or re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", text)
    return "" if fits else "a role looks like arn:aws:iam::111122223333:role/partner-central-connector."


def _check_database(text: str) -> str:
    if text.partition("://")[0] not in DATABASES or "://" not in text:
        return "the database is sqlite:///connector.db, or postgresql+psycopg://user@host/database."
    password = urlsplit(text).password
    if password and not password.startswith("${"):
        return "config.yaml goes into git. Write ${DB_PASSWORD} in place of the password, and set that variable."
    return ""


QUESTIONS = (
    Question("login_url", "Your org's My Domain address", check=_check_address),
    Question("name", "A short name for this connection, never to be changed", check=_check_name),
    Question("auth", "How the connector logs in to Salesforce", ("client_credentials", "jwt_bearer", "access_token")),
    Question("catalog", "Which catalog of Partner Central; begin with Sandbox", ("Sandbox", "AWS")),
    Question("profile", "An AWS profile, empty for the usual chain of credentials"),
    Question("role_arn", "An AWS role to assume, empty for none", check=_check_role),
    Question("database", "Where the connector remembers what it did", check=_check_database),
    Question("flag", "The checkbox on Opportunity that shares a deal with AWS", check=_check_flag),
    Question("amount", "What Amount holds: the total of a year, or one month", ("total", "monthly")),
    Question("currency", "The currency of Amount; record: each record's own", ("USD", "EUR", "record")),
    Question("country_picklists", "State and Country/Territory Picklists are switched on", ("no", "yes")),
    Question("invitations", "Invite other partners as well", ("no", "yes")),
    Question("software_partner", "You are a software partner (not consulting or services)", ("no", "yes")),
)


TRUTHS = frozenset(question.name for question in QUESTIONS if question.choices == ("no", "yes"))


def name_of(login_url: str) -> str:
    """A connection's name after its org: ``https://acme--uat.sandbox.my.salesforce.com`` gives ``acme--uat``."""
    host = (urlsplit(login_url).hostname or "").partition(".")[0].lower()
    found = re.sub(r"[^a-z0-9_-]", "-", host).strip("-_")[:63]
    return found if found and not found.isdigit() else "org"


def to_answers(given: dict[str, str]) -> Answers:
    """The answers, of the texts that are given by question; those left out keep their defaults. Raises UserError."""
    if not given.get("login_url"):
        raise UserError("The address of your Salesforce org is missing.", "Give it with --login-url.")
    read = {question.name: question.read(given[question.name]) for question in QUESTIONS if given.get(question.name)}
    if read.get("profile") and read.get("role_arn"):
        raise UserError("Both a profile and a role are given.", "Name the one with which the connector begins.")
    found: dict[str, Any] = {name: answer == "yes" if name in TRUTHS else answer for name, answer in read.items()}
    return Answers(**found)
