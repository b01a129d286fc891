"""Log lines for people and machines, with every secret and personal detail taken out before they are written.

A sentence for people, an ``event`` key for machines, ids in ``extra=``. This module decides nothing about
what is worth a line, and must never raise because of one.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

VENDORS = (
    "urllib3",
    "requests",
    "botocore",
    "boto3",
    "s3transfer",
    "simple_salesforce",
    "apscheduler",
    "alembic",
    "opentelemetry",
    "psycopg",
    "sqlalchemy",
    "uvicorn",
)
REMOVED = "[removed]"
SHORTEST_SECRET = 6  # a shorter one would be found inside ordinary words
OWN_ATTRIBUTES = frozenset(RESERVED_ATTRS) | {"taskName", "event", "color_message"}

# Extras whose value is never shown, whatever it looks like.
SECRET_NAME = re.compile(
    r"(?i)^(authorization|password|passwd|secret|.*_secret|.*secret_?key|private_?key|(access|session|security|"
    r"refresh|id)_?token|token|assertion|credentials?|cookie|set-cookie|e?mail|phone(_?number)?)$"
)

LABELS = (
    r"client_secret|password|passwd|assertion|private_key|(?:access|refresh|session|security|id)[_-]?token|"
    r"(?:aws_)?secret_?(?:access_?)?key|x-amz-security-token|x-amz-signature"
)
# It stands alone, 40 characters of all kinds; a hash has no capitals.
FORTY_CHARACTERS = (
    r"(?<![\w/+=])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*\d)"
    r"[A-Za-z0-9/+]{40}(?![\w/+=])"
)
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", REMOVED),
        (r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+", rf"\1{REMOVED}"),
        # After oauth a token has a digit: our own sentences speak of OAuth settings.
        (r"(?i)\b(bearer|oauth(?=\s+[A-Za-z!._~+/=-]*\d))\s+[A-Za-z0-9!._~+/=-]{8,}", rf"\1 {REMOVED}"),
        (r"\b00D[A-Za-z0-9]{12,15}![A-Za-z0-9._-]+", REMOVED),
        (rf"(?i)\b((?:{LABELS})['\"]?\s*[:=]\s*['\"]?)[^\s'\"&,;}}]+", rf"\1{REMOVED}"),
        (r"\beyJ[\w-]+\.[\w-]+\.[\w-]*", REMOVED),
        (r"(://[^/\s:@]*:)[^/\s@]+@", rf"\1{REMOVED}@"),
        (r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}\b", REMOVED),
        (r"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9/+=]+", REMOVED),
        (FORTY_CHARACTERS, REMOVED),
        (r"(?<![\w.+'-])[\w.+'-]+@[\w-]+(?:\.[\w-]+)+", REMOVED),
        # Telephone numbers: international, or national with separators. Bare digits may be an id.
        (r"(?<![\w+])\+[1-9](?:[ ().\-/]{0,2}\d){6,14}(?!\w)", REMOVED),
        (r"(?<![\w.+-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])", REMOVED),
        (r"(?<![\w.:+/-])(?=(?:\d[ ./-]?){9,15}(?![\w-]))0\d{1,4}(?:[ ./-]\d{2,9}){1,4}(?![\w-])", REMOVED),
    )
)


class Redaction:
    """Takes registered secrets, and whatever looks like a secret or a personal detail, out of texts."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None

    def register(self, secret: str) -> None:
        """Also in the forms it takes in addresses, forms, JSON and tracebacks."""
        secret = secret.strip()
        if len(secret) < SHORTEST_SECRET:
            return
        escaped = json.dumps(secret)[1:-1]
        self._secrets |= {secret, escaped, repr(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)))

    def clean(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REMOVED, text)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def clean_value(self, name: str, value: Any) -> Any:
        """A value of ``extra=`` as plain data; what is not plain becomes text, so that nothing hides."""
        if SECRET_NAME.match(name):
            return REMOVED
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {self.clean(str(key)): self.clean_value(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.clean_value(name, item) for item in value]
        if isinstance(value, datetime):
            return to_stamp(value)
        return self.clean(str(value))

    def clean_record(self, record: logging.LogRecord) -> logging.LogRecord:
        """A copy with its message, extras and traceback cleaned; other handlers keep the original."""
        clean = copy.copy(record)
        clean.msg, clean.args = self.clean(record.getMessage()), ()
        if record.exc_info:
            clean.exc_text = self.clean(logging.Formatter().formatException(record.exc_info))
        elif record.exc_text:
            clean.exc_text = self.clean(record.exc_text)
        clean.exc_info = None
        clean.stack_info = self.clean(record.stack_info) if record.stack_info else None
        for name, value in extras_of(record):
            setattr(clean, name, self.clean_value(name, value))
        return clean


REDACTION = Redaction()
_CONNECTION: ContextVar[str] = ContextVar("connection", default="")


def redact(secret: str) -> None:
    """Never let this text appear in a log line of this process; shorter than six characters is ignored."""
    REDACTION.register(secret)


@contextmanager
def within(connection: str) -> Iterator[None]:
    """Lines of this thread's block belong to the connection, also those of who does not know it, as adapters."""
    token = _CONNECTION.set(connection)
    try:
        yield
    finally:
        _CONNECTION.reset(token)


def extras_of(record: logging.LogRecord) -> Iterable[tuple[str, Any]]:
    return [(name, value) for name, value in record.__dict__.items() if name not in OWN_ATTRIBUTES]


def to_stamp(moment: datetime) -> str:
    """``2026-01-31T09:30:00.123Z``; a time without a zone is taken as it is."""
    if moment.tzinfo is None:
        return moment.isoformat(timespec="milliseconds")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class MachineFormatter(JsonFormatter):
    """One JSON object a line: time, level, event, message, logger, connection ("": of none), and the extras."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = to_stamp(datetime.fromtimestamp(record.created, UTC))
        log_data["level"] = record.levelname
        log_data["event"] = getattr(record, "event", record.name)
        log_data["message"] = record.message
        log_data["logger"] = record.name
        log_data["connection"] = getattr(record, "connection", _CONNECTION.get())
        for name, value in (*extras_of(record), *message_dict.items()):
            log_data.setdefault(name, value)


class PeopleFormatter(logging.Formatter):
    """``HH:MM:SS LEVEL sentence  key=value…`` in local time; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone()
        line = f"{time:%H:%M:%S} {record.levelname} {to_one_line(record.getMessage())}"
        pairs = " ".join(f"{name}={to_word(value)}" for name, value in extras_of(record))
        parts = (f"{line}  {pairs}" if pairs else line, record.exc_text, record.stack_info)
        return "\n".join(part for part in parts if part)


def to_one_line(text: str) -> str:
    """Control characters escaped: a name from a service must not forge a line or colour a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def to_word(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[^\s\"=]+", value):
        return to_one_line(value)
    return json.dumps(value, ensure_ascii=False, default=str)


class RedactingHandler(logging.StreamHandler[TextIO]):
    """Writes cleaned copies of records, whatever logger they come from."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(REDACTION.clean_record(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """The standard one prints the record's arguments, secrets included."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"A log line could not be written ({record.pathname}:{record.lineno}).\n")


def configure(level: str, format: str, stream: TextIO | None = None) -> None:  # noqa: A002 - the config's word
    """Send every log line to ``stream`` (standard error). ``format``: auto, text or json.

    ``auto`` is text on a terminal and JSON otherwise. Calling it again replaces the earlier settings.
    Vendors' loggers stay at WARNING or above, since they log addresses and bodies below it.
    """
    stream = stream or sys.stderr
    is_text = format == "text" or (format == "auto" and stream.isatty())
    handler = RedactingHandler(stream)
    handler.setFormatter(PeopleFormatter() if is_text else MachineFormatter(json_ensure_ascii=False))
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if isinstance(one, RedactingHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for vendor in VENDORS:
        # urllib3 names the paths of repeated calls in its warnings, and a path may hold a query.
        least = logging.ERROR if vendor.startswith("urllib3") else logging.WARNING
        logging.getLogger(vendor).setLevel(max(least, root.level))
