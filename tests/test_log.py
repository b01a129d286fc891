from __future__ import annotations

import io
import json
import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from connector import log
from connector.adapters.salesforce_login_errors import LOGIN_RULES
from connector.core.catalogue.salesforce import CALLS, ROWS


@pytest.fixture(autouse=True)
def _logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test configures, and give each its own registered secrets."""
    monkeypatch.setattr(log, "REDACTION", log.Redaction())
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in log.VENDORS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def logged(message: str, *args: object, kind: str = "json", extra: dict[str, Any] | None = None, **more: Any) -> str:
    stream = io.StringIO()
    log.configure("INFO", kind, stream)
    logging.getLogger("connector.sync").info(message, *args, extra=extra, **more)
    return stream.getvalue()


def test_json_has_the_keys_in_order() -> None:
    extra = {"event": "link.synced", "connection": "acme", "salesforce_id": "006000000000001AAA", "attempt": 2}
    line = logged("Created %s.", "O123", extra=extra)
    found = json.loads(line)
    assert line.count("\n") == 1
    assert list(found) == ["time", "level", "event", "message", "logger", "connection", "salesforce_id", "attempt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert (found["level"], found["event"], found["message"]) == ("INFO", "link.synced", "Created O123.")
    assert (found["connection"], found["attempt"]) == ("acme", 2)


def test_a_line_without_event_has_its_logger_as_event() -> None:
    assert json.loads(logged("x"))["event"] == "connector.sync"


def test_text_has_a_sentence_and_pairs() -> None:
    extra = {"event": "link.synced", "connection": "acme", "error": "two words", "attempt": 2, "ids": ["a"]}
    line = logged("Created %s.", "O123", kind="text", extra=extra)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO Created O123\.  connection=acme error=\"two words\" attempt=2 ids=\[\"a\"\]\n", line
    )
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO Done\.\n", logged("Done.", kind="text"))


@pytest.mark.parametrize(
    ("kind", "stream", "is_json"),
    [
        ("auto", Terminal(), False),
        ("auto", io.StringIO(), True),
        ("text", io.StringIO(), False),
        ("json", Terminal(), True),
    ],
)
def test_auto_is_text_on_a_terminal(kind: str, stream: io.StringIO, is_json: bool) -> None:
    log.configure("INFO", kind, stream)
    logging.getLogger("x").info("hello")
    assert stream.getvalue().startswith("{") is is_json


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("INFO", "json")
    logging.getLogger("x").info("hello")
    assert json.loads(capsys.readouterr().err)["message"] == "hello"


def test_configuring_again_replaces() -> None:
    first, second = io.StringIO(), io.StringIO()
    log.configure("INFO", "json", first)
    log.configure("warning", "json", second)
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    assert first.getvalue() == ""
    assert [json.loads(line)["message"] for line in second.getvalue().splitlines()] == ["yes"]


@pytest.mark.parametrize(("level", "expected"), [("DEBUG", "WARNING"), ("INFO", "WARNING"), ("ERROR", "ERROR")])
@pytest.mark.parametrize("vendor", ["requests", "botocore", "simple_salesforce", "apscheduler", "alembic"])
def test_vendors_are_never_below_warning(level: str, expected: str, vendor: str) -> None:
    log.configure(level, "json", io.StringIO())
    assert logging.getLevelName(logging.getLogger(vendor).level) == expected
    assert logging.getLevelName(logging.getLogger("urllib3").level) == "ERROR", "its warnings hold paths"


SESSION = "00D000000000001!AQ4AQFtk.x_9Zz8wXq"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {SESSION}", SESSION),
        (f"{{'Authorization': 'Bearer {SESSION}'}}", SESSION),
        ("Authorization: AWS4-HMAC-SHA256 Credential=x, Signature=abcdef0123", "abcdef0123"),
        ("sent bearer abcdefghij.klm", "abcdefghij.klm"),
        (f"Authorized by OAuth {SESSION}", SESSION),
        ("sent oauth abc123defghi", "abc123defghi"),
        ("sent OAuth  abcdefghijk-9", "abcdefghijk-9"),
        (f"session {SESSION} is over", SESSION),
        ("grant_type=client_credentials&client_secret=A1B2C3&x=1", "A1B2C3"),
        ('{"client_secret": "A1B2C3"}', "A1B2C3"),
        ('{"access_token":"A1B2C3","id":1}', "A1B2C3"),
        ("refresh_token=A1B2C3", "A1B2C3"),
        (f"assertion={JWT}", JWT),
        (f"sent {JWT} away", JWT),
        ("postgresql://user:p4ssw0rd@db.example/x", "p4ssw0rd"),
        ("key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("key ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
        (f"aws_secret_access_key = {SECRET_KEY}", SECRET_KEY),
        (f"secret '{SECRET_KEY}' here", SECRET_KEY),
        ("X-Amz-Security-Token=abcDEF123&y=2", "abcDEF123"),
        ("token IQoJb3JpZ2luX2VjEAoaCXVzLWVhc3QtMSJH/+=", "IQoJb3JpZ2luX2VjEAoaCXVzLWVhc3QtMSJH"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
        ("mail rose@edge.example now", "rose@edge.example"),
        ("mail <o'neil+x@sub.edge.example>", "neil+x@sub.edge.example"),
        ("call +15125550123", "5125550123"),
        ("call +1 (512) 757-6000.", "757-6000"),
        ("call +44 20 7946 0958", "7946 0958"),
        ("call (512) 757-6000", "757-6000"),
        ("call 512.757.6000", "757.6000"),
        ("call 01 23 45 67 89", "45 67 89"),
        ("call 030 12345678", "12345678"),
    ],
)
def test_secrets_and_persons_are_removed_everywhere(text: str, secret: str) -> None:
    def fail() -> None:
        raise ValueError(text)

    for kind in ("json", "text"):
        lines = [logged(text, kind=kind), logged("x %s", text, kind=kind)]
        lines += [logged("x %r", {"a": [text]}, kind=kind), logged("x", extra={"error": text}, kind=kind)]
        lines.append(logged("x", extra={"data": {"a": [text, (text,)]}, "e": ValueError(text)}, kind=kind))
        lines.append(logged("x", extra={"path": Path(text)}, kind=kind))
        try:
            fail()
        except ValueError:
            lines.append(logged("failed", kind=kind, exc_info=True))
        assert "ValueError" in lines[-1]
        assert not [line for line in lines if secret in line]
        assert all("[removed]" in line for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "006000000000001AAA is linked to O1234567.",
        "Task task-1a2b3c4d5e6f7 of 111122223333 took 4.25 s at 2026-01-31T09:30:00+00:00.",
        "ClientToken 3f0c2a52-1234-5678-9012-0123456789ab was sent.",
        "arn:aws:partnercentral:us-east-1:111122223333:catalog/AWS/opportunity/O1234567",
        "9,999 of 10,000 writes; 1738315800123 ms; 0.0001234567891",
        "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "mappings/opportunity.yaml:31:5: Account.Website is missing.",
        "Version 66.0 on 127.0.0.1:8080, 2026-01-31, 01/02/2026.",
        "The access token is expired.",
        "https://acme.my.salesforce.com/services/oauth2/token",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert json.loads(logged(text))["message"] == text


def test_our_own_sentences_about_salesforce_stay_whole() -> None:
    rules = [(rule.message, rule.cure) for rule in LOGIN_RULES]
    known = [(entry.sentence, entry.cure) for entry in (*ROWS, *CALLS)]
    told = [" ".join(pair) for pair in (*rules, *known)]
    assert any("OAuth settings in Salesforce" in text for text in told)
    redaction = log.Redaction()
    assert [text for text in told if redaction.clean(text) != text] == []


@pytest.mark.parametrize("name", ["Authorization", "client_secret", "password", "access_token", "email", "phone"])
def test_extras_with_telling_names_are_removed(name: str) -> None:
    found = json.loads(logged("x", extra={name: "harmless", "more": {name: ["harmless"]}}))
    assert found[name] == "[removed]"
    assert found["more"][name] == "[removed]"


@pytest.mark.parametrize("secret", ["plain words here", 'qu"ote\\back', "sla/sh+plus&x", "line\nbreak\nkey", "größe-x"])
def test_registered_secrets_are_removed_in_every_form(secret: str) -> None:
    log.redact(secret)
    for form in (secret, repr(secret), json.dumps(secret), quote(secret, safe=""), quote_plus(secret)):
        for kind in ("json", "text"):
            for line in (logged(f"<{form}>", kind=kind), logged("x", extra={"a": form}, kind=kind)):
                assert "[removed]" in line
                assert form.strip("'\"") not in line


def test_short_or_empty_secrets_are_not_registered() -> None:
    log.redact("")
    log.redact("ab")
    assert json.loads(logged("a cab"))["message"] == "a cab"


def test_longer_secrets_go_before_those_inside_them() -> None:
    log.redact("secret-one")
    log.redact("secret-one-and-more")
    assert json.loads(logged("<secret-one-and-more>"))["message"] == "<[removed]>"


def test_plain_values_keep_their_kind() -> None:
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    extra = {"n": 1, "f": 0.5, "t": True, "none": None, "at": moment, "key": SecretStr("hidden"), "s": {"b"}}
    found = json.loads(logged("x", extra=extra))
    assert (found["n"], found["f"], found["t"], found["none"]) == (1, 0.5, True, None)
    assert found["at"] == "2026-01-31T09:30:00.000Z"
    assert found["s"] == ["b"]
    assert "hidden" not in str(found)


def test_other_handlers_get_the_record_as_it_was() -> None:
    seen: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    log.configure("INFO", "json", io.StringIO())
    keeper = Keeper()
    logging.getLogger().addHandler(keeper)
    logging.getLogger("x").info("mail %s", "a@b.example", extra={"error": "a@b.example"})
    assert (seen[0].msg, seen[0].args) == ("mail %s", ("a@b.example",))
    assert seen[0].__dict__["error"] == "a@b.example"


def test_text_lines_cannot_be_forged() -> None:
    line = logged("name\n12:00:00 ERROR forged \x1b[31m", kind="text", extra={"a": "x\ny"})
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_a_line_that_cannot_be_written_shows_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    handler = log.RedactingHandler(io.StringIO())
    handler.handle(logging.LogRecord("x", logging.INFO, __file__, 7, "%d items", ("hush-hush",), None))
    assert handler.stream.getvalue() == ""  # type: ignore[attr-defined]
    shown = capsys.readouterr().err
    assert re.fullmatch(r"A log line could not be written \(.*test_log\.py:7\)\.\n", shown)


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "1" * 100_000, "a." * 50_000, "1-" * 50_000, "Aa1/" * 25_000, "0 1" * 33_000]
)
def test_long_texts_are_cleaned_quickly(text: str) -> None:
    started = time.perf_counter()
    logged(text)
    assert time.perf_counter() - started < 2
