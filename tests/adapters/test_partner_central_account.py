"""Which AWS account a connection reaches, how little is done to find out, and what is counted together."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_front import DENIED, ROLE, Front

from connector.adapters.clock import Stopping, SystemClock
from connector.adapters.partner_central import Paces, PartnerCentralClient, PartnerCentralSettings, Spent
from connector.adapters.partner_central.account import account_of, bucket_of
from connector.app import AWS_ACCOUNT, AWS_READS, App
from connector.errors import LedgerUnavailable, LoginFailed
from connector.sandbox.server import HttpsServer
from tests.world import World

Make = Callable[..., PartnerCentralClient]
ACCOUNT = "111122223333"
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::444455556666:user/x</Arn><UserId>A</UserId><Account>444455556666</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@pytest.fixture
def settings(
    served: tuple[Front, HttpsServer], front: Front, monkeypatch: pytest.MonkeyPatch
) -> PartnerCentralSettings:
    """Settings for AWS itself, of which only STS can be reached."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", served[1].url)
    front.sts = (200, IDENTITY)
    return PartnerCentralSettings("AWS", ca_bundle=served[1].ca_bundle)


def changed(settings: PartnerCentralSettings, **fields: Any) -> PartnerCentralSettings:
    return replace(settings, **fields)


@pytest.mark.parametrize("role", [ROLE, "arn:aws-us-gov:iam::111122223333:role/a/path/name"])
def test_a_role_names_its_account(settings: PartnerCentralSettings, front: Front, role: str) -> None:
    assert account_of(changed(settings, role_arn=role)) == ACCOUNT
    assert front.assumed == []


def test_credentials_may_know_their_account(
    settings: PartnerCentralSettings, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", ACCOUNT)
    assert account_of(settings) == ACCOUNT
    assert account_of(changed(settings, endpoint_url="https://aws.example")) == ACCOUNT
    assert front.assumed == []


def test_a_profile_may_name_its_account(settings: PartnerCentralSettings, front: Front, tmp_path: Path) -> None:
    text = f"[other]\naws_access_key_id=OTHERKEY\naws_secret_access_key=s\naws_account_id={ACCOUNT}\n"
    (tmp_path / "credentials").write_text(text)
    assert account_of(changed(settings, profile="other")) == ACCOUNT
    assert front.assumed == []


@pytest.mark.parametrize("stated", ["", "acme", "1111-2222-3333"])
def test_else_sts_is_asked(
    settings: PartnerCentralSettings, front: Front, monkeypatch: pytest.MonkeyPatch, stated: str
) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", stated)
    assert account_of(settings) == "444455556666"
    (asked,) = front.assumed
    assert asked["Action"] == ["GetCallerIdentity"]


def test_sts_is_not_asked_where_the_credentials_are_for_something_else(
    settings: PartnerCentralSettings, front: Front
) -> None:
    assert account_of(changed(settings, endpoint_url="https://aws.example")) == ""
    assert front.assumed == []


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        ((403, DENIED), {}),
        ((500, "<html>"), {}),
        ((200, "<html>"), {}),
        ((200, "<html><body>Sign in</body></html>"), {}),
        ((200, IDENTITY.replace("444455556666", "someone")), {}),
        ((200, IDENTITY), {"proxy": "http://127.0.0.1:9"}),
        ((200, IDENTITY), {"ca_bundle": None}),
    ],
    ids=["denied", "down", "a proxy's page", "a whole one", "no account", "proxy out of reach", "unknown authority"],
)
def test_not_knowing_is_no_trouble(
    settings: PartnerCentralSettings,
    front: Front,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, str],
    fields: dict[str, Any],
) -> None:
    front.sts = answer
    with caplog.at_level(logging.INFO, "connector"):
        assert account_of(changed(settings, **fields)) == ""
    told = [record for record in caplog.records if record.name.startswith("connector")]
    assert {record.levelno for record in told} <= {logging.INFO}
    assert len(told) <= 1
    assert "OURKEY" not in str([vars(record) for record in told])


def test_without_an_account_the_bucket_is_that_of_the_key(
    settings: PartnerCentralSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = changed(settings, endpoint_url="https://aws.example")
    bucket = bucket_of(elsewhere)
    assert bucket == bucket_of(changed(elsewhere, catalog="Sandbox", in_flight=2))
    assert bucket != bucket_of(changed(elsewhere, endpoint_url="https://other.example"))
    assert "OURKEY" not in bucket
    assert not bucket.isdigit()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTHERKEY")
    assert bucket != bucket_of(elsewhere)


# the client


def test_the_account_is_found_once_by_whichever_thread_comes_first(front: Front, make: Make) -> None:
    learned: list[str] = []
    client = make(Spent(lambda _: 0, lambda _: 0, learned.append), role_arn=None)
    operations = ["ListOpportunities", "ListSolutions"] * 8
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda operation: client.call(operation, {}), operations))
    assert learned == [client._bucket]
    assert client.account() == ""


def test_the_ledger_is_asked_for_the_account_that_was_found(
    make: Make, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCOUNT_ID", ACCOUNT)
    asked: list[str] = []

    def recorded(account: str) -> int:
        asked.append(account)
        return 0

    client = make(Spent(recorded, recorded, asked.append))
    for _ in range(20):
        client.call("ListOpportunities", {})
    assert (client.account(), asked) == (ACCOUNT, [ACCOUNT, ACCOUNT])


@pytest.mark.parametrize("other", ["OURKEY", "OTHERKEY"])
def test_connections_with_the_same_key_share_their_buckets(
    make: Make, front: Front, tmp_path: Path, other: str
) -> None:
    (tmp_path / "credentials").write_text(f"[other]\naws_access_key_id={other}\naws_secret_access_key=s\n")
    paces = Paces(SystemClock(Stopping()))
    ours, theirs = make(paces=paces), make(paces=paces, profile="other")
    for client in (ours, theirs):
        client.call("ListOpportunities", {})
    is_shared = other == "OURKEY"
    assert [ours._paces[kind] is theirs._paces[kind] for kind in (True, False)] == [is_shared, is_shared]


def test_a_ledger_that_cannot_learn_the_account_stops_the_call(make: Make, front: Front) -> None:
    troubles: list[Exception] = [LedgerUnavailable("The disk is full.")]

    def learn(_: str) -> None:
        if troubles:
            raise troubles.pop()

    client = make(Spent(lambda _: 0, lambda _: 0, learn))
    with pytest.raises(LedgerUnavailable, match="disk is full"):
        client.call("ListOpportunities", {})
    assert front.seen == []
    client.call("ListOpportunities", {})


def test_credentials_that_come_later_are_found(make: Make, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    client, committed = make(), list[int]()
    with pytest.raises(LoginFailed, match="no usable AWS credentials"):
        client.call("CreateOpportunity", {}, on_send=lambda: committed.append(1))
    assert committed == []
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OURKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    client.call("ListOpportunities", {})


def test_credentials_that_run_out_are_told_before_anything_is_committed(
    make: Make, front: Front, served: tuple[Front, HttpsServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", served[1].url)
    front.sts = (403, DENIED)
    committed: list[int] = []
    with pytest.raises(LoginFailed, match="AssumeRole"):
        make(role_arn=ROLE).call("CreateOpportunity", {}, on_send=lambda: committed.append(1))
    assert (committed, front.seen) == ([], [])


# the application


@pytest.fixture
def app(world: World) -> App:
    """Three connections: two to one account, one to another; what each has read today."""
    text = world.config.read_text(encoding="utf-8")
    head, name, section = text.partition("\n  sandbox:\n")
    world.config.write_text(head + "".join(f"\n  {one}:\n{section.rstrip()}" for one in ("a", "b", "c")) + "\n")
    app = world.app()
    for name, reads in (("a", 1), ("b", 10), ("c", 100)):
        app.ledger.add_usage(name, AWS_READS, reads, app.clock.now())
    return app


def test_what_all_connections_of_an_account_spent_counts(app: App) -> None:
    for name, account in (("a", ACCOUNT), ("b", ACCOUNT), ("c", "444455556666")):
        app.ledger.set_watermark(name, AWS_ACCOUNT, account)
    assert [app._spent(name).reads(ACCOUNT) for name in ("a", "b")] == [11, 11]
    assert app._spent("c").reads("444455556666") == 100
    assert app._spent("c").writes("444455556666") == 0


def test_an_account_known_before_counts_when_it_cannot_be_told(app: App) -> None:
    for name in ("a", "b"):
        app.ledger.set_watermark(name, AWS_ACCOUNT, ACCOUNT)
    app._spent("a").learn("key-0123456789abcdef")
    assert app.ledger.watermark("a", AWS_ACCOUNT) == ACCOUNT
    assert app._spent("a").reads("key-0123456789abcdef") == 11
    app._spent("c").learn("key-0123456789abcdef")
    assert app.ledger.watermark("c", AWS_ACCOUNT) == "key-0123456789abcdef"
    assert app._spent("a").reads("key-0123456789abcdef") == 111


def test_what_is_free_of_the_day_is_that_of_the_account(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = {"a": 3, "b": 400, "c": 5_000}
    monkeypatch.setattr(app, "writes_today", lambda name: writes[name])
    assert [app.quota(name).free_today for name in "abc"] == [9_997, 9_600, 5_000]
    for name in ("a", "b"):
        app.ledger.set_watermark(name, AWS_ACCOUNT, ACCOUNT)
    assert [app.quota(name).free_today for name in "abc"] == [9_597, 9_597, 5_000]
    writes["b"] = 20_000
    assert app.quota("a").free_today == 0


def test_an_account_that_nobody_verified_is_not_noted(app: App) -> None:
    app._spent("a").learn("key-0123456789abcdef")
    app._spent("a").learn("444455556666")
    assert app.ledger.watermark("a", AWS_ACCOUNT) == "key-0123456789abcdef"
    app.verify(app.contexts["a"], lambda: ACCOUNT)
    assert app.ledger.watermark("a", AWS_ACCOUNT) == ACCOUNT


def test_nothing_is_loaded_that_is_not_called() -> None:
    code = "import sys, connector.app; sys.exit(bool({'boto3', 'botocore'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
