"""The kinds of values that config.yaml has: durations, addresses, paths, ids; each with sentence and cure.

Sentences never show the value: it may come from the environment. Of a database's URL they show what is before ://.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from connector.core.selection import to_id18
from connector.errors import UserError
from connector.resources import packaged

DEFAULT_MAPPING = "mappings/opportunity.yaml"
SHIPPED_MAPPINGS = (DEFAULT_MAPPING, "mappings/invitations.yaml")
UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)
DATABASES = frozenset({"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"})
EMBEDDED_DATABASE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)")


def refusal(sentence: str, cure: str = "") -> PydanticCustomError:
    """An error that pydantic collects; ``sentence`` continues after the key's name, as in "must be …"."""
    return PydanticCustomError("connector", "{sentence}", {"sentence": sentence, "cure": cure})


def suggestion(word: str, known: Iterable[str]) -> str:
    """ "Did you mean …?", or "" where nothing is close."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"Did you mean {folded[close[0]]}?" if close else ""


def one_of(*choices: str) -> BeforeValidator:
    """Exactly one of the words; another spelling is answered with the right one."""

    def check(value: Any) -> Any:
        if value in choices:
            return value
        rule = f"must be {', '.join(choices[:-1])} or {choices[-1]}."
        raise refusal(rule, suggestion(str(value), choices) or "Write one of them.")

    return BeforeValidator(check)


def to_duration(value: Any) -> Any:
    """``500ms``, ``30s``, ``5m``, ``2h``, ``1d`` → timedelta."""
    if isinstance(value, timedelta):
        return value
    text = str(value)
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d)", text)
    if match is None:
        if re.fullmatch(r"[0-9.]+", text) and not isinstance(value, bool):
            raise refusal("has no unit.", "Write ms, s, m, h or d after the number, as in 30s.")
        raise refusal("must be a duration.", "Write a number and a unit: 500ms, 30s, 5m, 2h or 1d.")
    amount = float(match[1])
    if amount <= 0:
        raise refusal("must be longer than nothing.", "Write a duration such as 30s.")
    if amount > LONGEST / timedelta(**{UNITS[match[2]]: 1}):
        raise refusal("must be at most 366 days.", "Write a shorter duration.")
    return timedelta(**{UNITS[match[2]]: amount})


def refuse_truth(value: Any) -> Any:
    """pydantic would take ``true`` for 1."""
    if isinstance(value, bool):
        raise refusal("must be a number.", "Write a number.")
    return value


def split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise refusal("is not a valid address.", "Write it as https://host.") from None
    if not parts.hostname or re.search(r"[\s\\]", text):
        raise refusal("is not a valid address.", "Write it as https://host.")
    return parts


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def to_service_url(text: str) -> str:
    """An address that credentials are sent to: https, or http on this machine; without a closing slash."""
    parts = split_url(text)
    if parts.scheme not in {"https", "http"}:
        raise refusal("must begin with https://.", "Write the address as https://host.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise refusal(
            "must begin with https://.", "Plain http:// is accepted for this machine only, such as 127.0.0.1."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise refusal("must be an address only.", "Leave out user name, ? and #.")
    return text.rstrip("/")


def to_host_url(text: str) -> str:
    """A service address without a path."""
    address = to_service_url(text)
    if urlsplit(address).path:
        raise refusal("must not have a path.", "Write https:// and the host, without what follows.")
    return address


def to_proxy_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise refusal("must begin with http:// or https://.", "Write the proxy as http://host:port.")
    split_url(text)
    return text


def to_database_url(text: str, info: ValidationInfo) -> str:
    """A SQLAlchemy URL of SQLite, or of PostgreSQL by way of psycopg.

    The path of an embedded database becomes absolute, from config.yaml's directory.
    """
    if text.startswith("postgres://"):
        raise refusal("begins with postgres://, which is out of use.", "Write postgresql+psycopg://.")
    cure = "Write sqlite:///connector.db or postgresql+psycopg://user@host/database."
    begins = re.match(r"([a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?)://", text)
    if begins is None:
        raise refusal("must be a database URL.", cure)
    if begins[1] not in DATABASES:
        raise refusal(f"begins with {begins[0]}, which the connector does not use.", cure)
    match = EMBEDDED_DATABASE.fullmatch(text)
    return f"{match[1]}{_absolute(match[2], info)}{match[3]}" if match else text


def to_file(value: Any, info: ValidationInfo) -> Any:
    """An existing file, relative to config.yaml's directory."""
    if not isinstance(value, (str, Path)):
        raise refusal("must be the path of a file.", "Put it in quotes.")
    path = _absolute(str(value), info)
    if not path.is_file():
        raise refusal(f"names {path}, and there is no such file.", "Check the path.")
    return path


def to_directory(value: Any, info: ValidationInfo) -> Any:
    """An existing directory, relative to config.yaml's."""
    if not isinstance(value, (str, Path)):
        raise refusal("must be the path of a directory.", "Put it in quotes.")
    path = _absolute(str(value), info)
    if not path.is_dir():
        raise refusal(f"names {path}, and there is no such directory.", "Check the path, or make it.")
    return path


def to_mapping_file(value: Any, info: ValidationInfo) -> Any:
    """As ``to_file``; a shipped mapping stands in where its name is given and no such file lies there."""
    if str(value) in SHIPPED_MAPPINGS and not _absolute(str(value), info).is_file():
        try:
            return packaged(*str(value).split("/"))
        except UserError as error:
            raise refusal("names the shipped mapping, and it is missing.", error.cure) from None
    return to_file(value, info)


def to_mapping_files(value: Any, info: ValidationInfo) -> Any:
    """One mapping file, or a list of those that make up one mapping."""
    if not isinstance(value, list | tuple):
        return (to_mapping_file(value, info),)
    if not value:
        raise refusal("names no file.", f"Write {DEFAULT_MAPPING}.")
    files = tuple(to_mapping_file(item, info) for item in value)
    twice = [path for index, path in enumerate(files) if path in files[:index]]
    if twice:
        raise refusal(f"names {twice[0]} twice.", "Name each file once.")
    return files


def to_listen_address(text: str) -> str:
    """``host:port`` with a name or address of this machine (IPv6 in brackets; port 0: any free one), or ``off``."""
    if text == "off":
        return text
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", text)
    if match is None or int(match[2]) > 65_535:
        raise refusal("must be an address and a port.", "Write 127.0.0.1:8720, or off.")
    return text


def to_webhook_url(text: str) -> str:
    """An address that messages are posted to, path and query included; the sentences never show it."""
    parts = split_url(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise refusal("must begin with https://.", "Plain http:// is accepted for this machine only.")
    return text


def _absolute(path: str, info: ValidationInfo) -> Path:
    directory = (info.context or {}).get("directory", Path())
    return Path(directory, path).absolute()


def to_organization_id(text: str) -> str:
    """An org's id in its 18-character form. The last three characters tell the case of the first fifteen."""
    if not re.fullmatch(r"00D[A-Za-z0-9]{12}([A-Z0-5]{3})?", text):
        cure = "Copy it from Setup, Company Information: 00D and 12 or 15 more characters."
        raise refusal("must be an organization id.", cure)
    full = to_id18(text)
    if len(text) == 18 and text != full:
        raise refusal("is mistyped: its last three characters do not fit the others.", "Copy it again.")
    return full


def to_api_version(value: Any) -> Any:
    """``"66.0"``; without quotes YAML reads a number, which means the same."""
    text = str(value) if isinstance(value, float) else value
    if not isinstance(text, str) or not re.fullmatch(r"\d\d\.0", text):
        raise refusal("must be a Salesforce API version.", 'Write it as "66.0".')
    if not 60 <= float(text) <= 68:
        raise refusal("must be between 60.0 and 68.0.", 'Write "66.0".')
    return text


def check_pem(text: str) -> None:
    """Refuses what cannot be a usable private key, without looking into it."""
    if "ENCRYPTED PRIVATE KEY" in text or "Proc-Type: 4,ENCRYPTED" in text:
        raise refusal("is encrypted.", "Give a key without passphrase: openssl pkey -in KEY -out PLAIN.")
    if not re.search(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", text):
        raise refusal("must be a private key as PEM text.", "Write ${file:server.key} to read it from a file.")


def _check_printable(text: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]*", text):
        raise refusal("must be plain printable text.", "Use letters, digits and punctuation without accents.")
    return text


def _check_role(text: str) -> str:
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", text):
        raise refusal("must be the ARN of a role.", "Write it as arn:aws:iam::111122223333:role/name.")
    return text


Duration = Annotated[timedelta, BeforeValidator(to_duration)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, BeforeValidator(refuse_truth), Field(gt=0)]
Rate = Annotated[float, BeforeValidator(refuse_truth), Field(gt=0, allow_inf_nan=False)]
ServiceUrl = Annotated[Text, AfterValidator(to_service_url)]
HostUrl = Annotated[Text, AfterValidator(to_host_url)]
ProxyUrl = Annotated[Text, AfterValidator(to_proxy_url)]
DatabaseUrl = Annotated[Text, AfterValidator(to_database_url)]
ExistingDirectory = Annotated[Path, BeforeValidator(to_directory)]
ExistingFile = Annotated[Path, BeforeValidator(to_file)]
MappingFiles = Annotated[tuple[Path, ...], BeforeValidator(to_mapping_files)]
OrganizationId = Annotated[Text, AfterValidator(to_organization_id)]
ApiVersion = Annotated[str, BeforeValidator(to_api_version)]
HeaderText = Annotated[str, AfterValidator(_check_printable)]
RoleArn = Annotated[Text, AfterValidator(_check_role)]
ListenAddress = Annotated[Text, AfterValidator(to_listen_address)]
