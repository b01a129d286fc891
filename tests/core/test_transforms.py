"""Each transform by its table of good, empty and wrong values; results always fit AWS's own patterns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import botocore.session
import phonenumbers
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core import places
from connector.core.transforms import TRANSFORMS, Argument, Transform, TransformError, apply
from connector.core.transforms.contacts import EMAIL_PATTERN

MODEL = botocore.session.get_session().get_service_model("partnercentral-selling")
AMOUNT = MODEL.shape_for("SoftwareRevenue").members["Value"].members["Amount"].metadata["pattern"]
EMAIL = MODEL.shape_for("Contact").members["Email"].metadata["pattern"]
PHONE = MODEL.shape_for("Contact").members["Phone"].metadata["pattern"]
DAY = MODEL.shape_for("LifeCycle").members["TargetCloseDate"].metadata["pattern"]


def run(name: str, value: Any, argument: Any = None, **looked_up: Any) -> Any:
    transform = TRANSFORMS[name]
    return apply(transform, value, {**transform.bind(argument), **looked_up})


GOOD: list[tuple[str, Any, Any, Any]] = [
    ("trim", None, "  a b \u00a0", "a b"),
    ("trim", None, "\u200b x \ufeff", "x"),
    ("trim", None, " \n ", None),
    ("trim", None, 12.0, "12"),
    ("trim", None, 1e16, "10000000000000000"),
    ("trim", None, Decimal("12.50"), "12.5"),
    ("trim", None, date(2027, 1, 2), "2027-01-02"),
    ("trim", None, [" a ", "", "b"], ["a", "b"]),
    ("lower", None, "ÄB", "äb"),
    ("upper", None, "sw1a 1aa", "SW1A 1AA"),
    ("truncate", 3, "abcdef", "abc"),
    ("truncate", 3, "abc", "abc"),
    ("truncate", 3, "ab cd", "ab"),
    ("truncate", {"length": 2}, ["abc", "d"], ["ab", "d"]),
    ("split", None, "a; b;;c;", ["a", "b", "c"]),
    ("split", ",", "a,b", ["a", "b"]),
    ("split", None, ["a;b", "c"], ["a", "b", "c"]),
    ("split", None, ";;", None),
    ("join", None, ["a", "b", 3], "a, b, 3"),
    ("join", " / ", ["a", "", None, "b"], "a / b"),
    ("join", None, "a", "a"),
    ("replace", {"old": "&", "new": "and"}, "a & b & c", "a and b and c"),
    ("replace", "x", "axb", "ab"),
    ("replace", "a", "a", None),
    ("prefix", "SF-", "006", "SF-006"),
    ("suffix", " Ltd", "Acme", "Acme Ltd"),
    ("strip_prefix", "SF-", "SF-006", "006"),
    ("strip_prefix", "SF-", "006", "006"),
    ("first_line", None, "\n  one \ntwo", "one"),
    ("first_line", None, " \n ", None),
    ("one_line", None, "a\r\n b\t c", "a b c"),
    ("digits", None, "No. 12-3", "123"),
    ("digits", None, "none", None),
    ("digits", None, "٣4", "4"),
    ("html_text", None, "<p>a &amp; b</p>", "a & b"),
    ("html_text", None, "one<br>two<br/>three", "one\ntwo\nthree"),
    ("html_text", None, "<ul><li>a</li><li>b&nbsp;c</li></ul>", "a\n\nb c"),
    ("html_text", None, "<div>x</div>\n\n\n\n<div>y</div>", "x\n\ny"),
    ("html_text", None, "<style>p{}</style>kept<script>1<2</script>", "kept"),
    ("html_text", None, "a < b and plain", "a < b and plain"),
    ("html_text", None, "first\nsecond", "first\nsecond"),
    ("html_text", None, "<p><br></p>", None),
    ("unique", None, ["b", "a", "b", "B"], ["b", "a", "B"]),
    ("unique", None, "a", ["a"]),
    ("sort", None, ["b", "A", "a", "C"], ["A", "a", "b", "C"]),
    ("only", ["a", "c"], ["a", "b", "c"], ["a", "c"]),
    ("only", "a", ["b"], None),
    ("only", ["a"], "a", ["a"]),
    ("money", None, 12500, "12500.00"),
    ("money", None, 12500.5, "12500.50"),
    ("money", None, 1e7, "10000000.00"),
    ("money", None, Decimal("0.005"), "0.01"),
    ("money", None, 0, "0.00"),
    ("money", None, -0.0, "0.00"),
    ("money", None, "1,234.56", "1234.56"),
    ("money", None, " 12500 ", "12500.00"),
    ("money", None, "+5.", "5.00"),
    ("money", None, "9" * 31, "9" * 31 + ".00"),
    ("money", None, 1e-30, "0.00"),
    ("integer", None, 12.0, 12),
    ("integer", None, "1,200", 1200),
    ("integer", None, "-3", -3),
    ("round", None, 2.5, Decimal(3)),
    ("round", 1, "0.25", Decimal("0.3")),
    ("round", {"digits": 2}, -0.005, Decimal("-0.01")),
    ("divide", 12, 270000, Decimal(22500)),
    ("divide", {"by": 0.5}, "1", Decimal(2)),
    ("multiply", 12, "1,000", Decimal(12000)),
    ("multiply", -1, 2, Decimal(-2)),
    ("date", None, "2026-12-31", "2026-12-31"),
    ("date", None, " 2026-12-31 ", "2026-12-31"),
    ("date", None, "2026-12-31T23:30:00.000+0000", "2026-12-31"),
    ("date", "Asia/Tokyo", "2026-12-31T23:30:00.000+0000", "2027-01-01"),
    ("date", {"zone": "America/New_York"}, "2026-12-31T03:00:00Z", "2026-12-30"),
    ("date", "Asia/Tokyo", "2026-12-31", "2026-12-31"),
    ("date", None, "2026-12-31T23:30:00", "2026-12-31"),
    ("date", None, date(2026, 12, 31), "2026-12-31"),
    ("date", "Asia/Tokyo", datetime(2026, 12, 31, 23, tzinfo=UTC), "2027-01-01"),
    ("yes_no", None, True, "Yes"),
    ("yes_no", None, False, "No"),
    ("yes_no", None, 1, "Yes"),
    ("yes_no", None, 0, "No"),
    ("yes_no", None, 1.0, "Yes"),
    ("yes_no", None, " TRUE ", "Yes"),
    ("yes_no", None, "no", "No"),
    ("country_code", None, "de", "DE"),
    ("country_code", None, "UK", "GB"),
    ("country_code", None, "USA", "US"),
    ("country_code", None, "U.S.A.", "US"),
    ("country_code", None, "U.S.", "US"),
    ("country_code", None, "United States of America", "US"),
    ("country_code", None, "the netherlands", "NL"),
    ("country_code", None, "Deutschland", "DE"),
    ("country_code", None, "Allemagne", "DE"),
    ("country_code", None, "España", "ES"),
    ("country_code", None, "Espana", "ES"),
    ("country_code", None, "Svizzera", "CH"),
    ("country_code", None, "Países Baixos", "NL"),
    ("country_code", None, "België", "BE"),
    ("country_code", None, "日本", "JP"),
    ("country_code", None, "中国", "CN"),
    ("country_code", None, "대한민국", "KR"),
    ("country_code", None, "Côte d’Ivoire", "CI"),
    ("country_code", None, "Cote d'Ivoire", "CI"),
    ("country_code", None, "Saint Lucia", "LC"),
    ("country_code", None, "St. Lucia", "LC"),
    ("country_code", None, "Trinidad & Tobago", "TT"),
    ("country_code", None, "Netherlands Antilles", "AN"),
    ("country_code", None, "Korea", "KR"),
    ("country_code", None, "Türkiye", "TR"),
    ("country_code", None, "Turkey", "TR"),
    ("country_code", None, "Great Britain", "GB"),
    ("country_code", None, "England", "GB"),
    ("country_code", None, "Georgia", "GE"),
    ("us_state", None, "CA", "California"),
    ("us_state", None, "ca", "California"),
    ("us_state", None, "Calif.", "California"),
    ("us_state", None, "new  york", "New York"),
    ("us_state", None, "N.Y.", "New York"),
    ("us_state", None, "N. Y.", "New York"),
    ("us_state", None, "W.Va.", "West Virginia"),
    ("us_state", None, "US-TX", "Texas"),
    ("us_state", None, "DC", "Dist. of Columbia"),
    ("us_state", None, "D.C.", "Dist. of Columbia"),
    ("us_state", None, "District of Columbia", "Dist. of Columbia"),
    ("us_state", None, "Washington, D.C.", "Dist. of Columbia"),
    ("us_state", None, "Dist. of Columbia", "Dist. of Columbia"),
    ("us_state", None, "Washington", "Washington"),
    ("us_state", None, "PR", "Puerto Rico"),
    ("us_state", None, "U.S. Virgin Islands", "Virgin Islands"),
    ("us_state", None, "GU", "Guam"),
    ("us_state", None, "FPO, AP", "FPO, AP"),
    ("us_state", None, "apo/ae", "APO/AE"),
    ("phone", None, "+1 (512) 757-6000", "+15127576000"),
    ("phone", None, "+1 512 757 6000 ext. 12", "+15127576000"),
    ("phone", None, "+49 (0)30 12345678", "+493012345678"),
    ("phone", None, "+39 06 1234 5678", "+390612345678"),
    ("phone", {"region": "DE"}, "030 12345678", "+493012345678"),
    ("phone", None, " +123 ", "+123"),  # there is no such number, and AWS takes it
    ("email", None, " First.Last@Customer.EXAMPLE ", "first.last@customer.example"),
    ("email", None, "o'hara+x@a-b.example", "o'hara+x@a-b.example"),
    ("website", None, "www.genepoint.com", "https://www.genepoint.com"),
    ("website", None, " http://www.uos.com ", "http://www.uos.com"),
    ("website", None, "HTTPS://WWW.Uos.COM/Path/?Q=A#B", "https://www.uos.com/Path/?Q=A#B"),
    ("website", None, "www.expressl&amp;t.net", "https://www.expressl&t.net"),
    ("website", None, "a.example/?x=1&amp;amp;copy=2", "https://a.example/?x=1&copy=2"),
    ("website", None, "//a.example:8080/x", "https://a.example:8080/x"),
    ("website", None, "münchen.example", "https://münchen.example"),
    ("website", None, "shop.xn--hlcj6aya9esc7a", "https://shop.xn--hlcj6aya9esc7a"),
    ("website", None, "a.example.", "https://a.example"),
    ("website", None, "a.example/" + "x" * 240, "a.example/" + "x" * 240),  # too long with https://
    ("aws_account_id", None, "1111-2222-3333", "111122223333"),
    ("aws_account_id", None, " 1111 2222 3333", "111122223333"),
    ("aws_account_id", None, 111122223333, "111122223333"),
    ("duns", None, "12-345-6789", "123456789"),
    ("duns", None, "000000001", "000000001"),
]


@pytest.mark.parametrize(("name", "argument", "value", "expected"), GOOD)
def test_a_good_value_is_transformed(name: str, argument: Any, value: Any, expected: Any) -> None:
    assert run(name, value, argument) == expected


BAD: list[tuple[str, Any, Any, str]] = [
    ("trim", None, True, "yes/no"),
    ("trim", None, {"a": 1}, "structure"),
    ("html_text", None, {"a": 1}, "structure"),
    ("money", None, -0.01, "negative"),
    ("money", None, "-5", "negative"),
    ("money", None, "12.500,50", "not a number"),
    ("money", None, "$5", "not a number"),
    ("money", None, "5 USD", "not a number"),
    ("money", None, "1e5", "not a number"),
    ("money", None, "12,34", "not a number"),
    ("money", None, "0,123", "not a number"),
    ("money", None, "1234,567", "not a number"),
    ("money", None, "--5", "not a number"),
    ("money", None, ".", "not a number"),
    ("money", None, "٣", "not a number"),
    ("money", None, "9" * 32, "31 digits"),
    ("money", None, "9" * 31 + ".999", "31 digits"),
    ("money", None, "9" * 41, "too long"),
    ("money", None, float("nan"), "out of range"),
    ("money", None, float("inf"), "out of range"),
    ("money", None, 1e300, "out of range"),
    ("money", None, True, "not a number"),
    ("money", None, {"a": 1}, "not a number"),
    ("integer", None, 1.5, "whole"),
    ("divide", 12, "much", "not a number"),
    ("multiply", 12, "much", "not a number"),
    ("round", 0, "much", "not a number"),
    ("date", None, "31.12.2026", "not a date"),
    ("date", None, "20261231", "not a date"),
    ("date", None, "2026-W01-1", "not a date"),
    ("date", None, "2026-02-30", "no such date"),
    ("date", None, "2026-02-03Tnoon", "no such date"),
    ("date", None, "0226-02-03", "four digits"),
    ("date", "Asia/Tokyo", "9999-12-31T23:30:00Z", "out of range"),
    ("date", None, 20261231, "not a date"),
    ("yes_no", None, "maybe", "neither"),
    ("yes_no", None, 2, "neither"),
    ("yes_no", None, ["Yes"], "neither"),
    ("country_code", None, "Germny", "Did you mean 'Germany'?"),
    ("country_code", None, "Neverland", "not a country"),
    ("country_code", None, "ZZZ", "not a country"),
    ("country_code", None, "XK", "does not take"),
    ("country_code", None, "Kosovo", "does not take"),
    ("country_code", None, "KP", "does not take"),
    ("country_code", None, "North Korea", "does not take"),
    ("country_code", None, "-", "not a country"),
    ("us_state", None, "Texass", "Did you mean 'Texas'?"),
    ("us_state", None, "Bavaria", "not a US state"),
    ("us_state", None, "ZZ", "not a US state"),
    ("phone", None, "(512) 757-6000", "no country code"),
    ("phone", None, "call me", "no country code"),
    ("phone", None, "+1 23", "not a possible"),
    ("phone", None, "+0123", "not a possible"),
    ("phone", None, "+1 512 757 60000000", "not a possible"),
    ("email", None, "name", "no @"),
    ("email", None, "name@example", "no dot"),
    ("email", None, "first last@customer.example", "space"),
    ("email", None, "a@b.example; c@d.example", "more than one"),
    ("email", None, "jürgen@b.example", "ü"),
    ("email", None, "a" * 80 + "@b.example", "80"),
    ("email", None, "name@@customer.example", "not an e-mail"),
    ("email", None, ".name@customer.example", "not an e-mail"),
    ("website", None, "n/a", "no dot"),
    ("website", None, "customer", "no dot"),
    ("website", None, "a.example b.example", "space"),
    ("website", None, "a.example;b.example", "not a web address"),
    ("website", None, "name@customer.example", "not a web address"),
    ("website", None, "ftp://a.example", "not a web address"),
    ("website", None, "https://[x", "not a web address"),
    ("website", None, "a.example:port", "not a web address"),
    ("website", None, "a..example", "not a web address"),
    ("website", None, "10.0.0.1", "does not end"),
    ("website", None, "N.A.", "does not end"),
    ("website", None, "a.example/" + "x" * 255, "255"),
    ("aws_account_id", None, "11112222333", "12 digits"),
    ("aws_account_id", None, "acme", "12 digits"),
    ("aws_account_id", None, "١" * 12, "12 digits"),
    ("duns", None, "12345678", "9 digits"),
    ("join", None, [{"a": 1}], "structure"),
    ("sort", None, [True], "yes/no"),
    ("only", "a", [{"a": 1}], "structure"),
]


@pytest.mark.parametrize(("name", "argument", "value", "part"), BAD)
def test_a_bad_value_is_told(name: str, argument: Any, value: Any, part: str) -> None:
    with pytest.raises(TransformError) as caught:
        run(name, value, argument)
    assert part in str(caught.value)
    assert caught.value.message.endswith((".", "…"))
    assert caught.value.cure


def test_every_transform_is_in_both_tables_and_documented() -> None:
    assert {row[0] for row in GOOD} == set(TRANSFORMS)
    never_fails = {"unique"}
    told = {row[0] for row in BAD} | {name for name, found in TRANSFORMS.items() if found.takes == "text"}
    assert told | never_fails == set(TRANSFORMS)
    for name, transform in TRANSFORMS.items():
        assert transform.name == name
        assert transform.summary.endswith(".")
        assert transform.errors.endswith(".")
        assert all(argument.summary.endswith(".") for argument in transform.arguments)


def test_a_default_is_no_transform() -> None:
    assert "default" not in TRANSFORMS


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@pytest.mark.parametrize("value", [None, "", []])
def test_nothing_stays_nothing(name: str, value: Any) -> None:
    transform = TRANSFORMS[name]
    arguments = {argument.name: "x" for argument in transform.arguments}
    assert apply(transform, value, arguments) is None


PHONES = [
    ("(512) 757-6000", "US", "+15127576000"),
    ("(512) 757-6000 x123", "US", "+15127576000"),
    ("030 12345678", "DE", "+493012345678"),
    ("0049 30 12345678", "DE", "+493012345678"),
    ("0049 30 12345678", "US", "+493012345678"),
    ("0049 30 12345678", None, "+493012345678"),
    ("020 7946 0958", "GB", "+442079460958"),
    ("+49 30 12345678", "US", "+493012345678"),
    ("06 1234 5678", "IT", "+390612345678"),
]


@pytest.mark.parametrize(("value", "country", "expected"), PHONES)
def test_phone_reads_local_numbers_by_the_country(value: str, country: str | None, expected: str) -> None:
    path = {"country": "Customer.Account.Address.CountryCode"}
    assert run("phone", value, path, country=country) == expected


def test_phone_prefers_the_country_looked_up_to_the_region_stated() -> None:
    argument = {"country": "Customer.X", "region": "DE"}
    assert run("phone", "(512) 757-6000", argument, country="US") == "+15127576000"
    assert run("phone", "030 12345678", argument, country=None) == "+493012345678"


def test_phone_refuses_too_short_local_numbers_and_unknown_countries() -> None:
    for value, country in (("555-01", "US"), ("(512) 757-6000", "AN"), ("", "US")):
        if value:
            with pytest.raises(TransformError):
                run("phone", value, None, country=country)
    assert run("phone", "", None, country="US") is None


def test_errors_quote_no_personal_data() -> None:
    for name, value in (
        ("email", "first last@x"),
        ("phone", "12345"),
        ("duns", "77"),
        ("website", "myhome"),
    ):
        with pytest.raises(TransformError) as caught:
            run(name, value)
        assert value not in str(caught.value)


# Arguments

BINDINGS: list[tuple[str, Any, dict[str, Any]]] = [
    ("trim", None, {}),
    ("trim", {}, {}),
    ("truncate", 120, {"length": 120}),
    ("truncate", {"length": 120}, {"length": 120}),
    ("split", None, {"separator": ";"}),
    ("split", {"separator": ","}, {"separator": ","}),
    ("replace", "a", {"old": "a", "new": ""}),
    ("replace", {"old": "a", "new": "b"}, {"old": "a", "new": "b"}),
    ("divide", 12, {"by": Decimal(12)}),
    ("divide", 0.1, {"by": Decimal("0.1")}),
    ("only", ["a", "b"], {"values": ("a", "b")}),
    ("only", {"values": ["a"]}, {"values": ("a",)}),
    ("phone", None, {"country": None, "region": None}),
    ("phone", "Customer.X", {"country": "Customer.X", "region": None}),
    ("phone", {"region": "DE"}, {"country": None, "region": "DE"}),
    ("date", None, {"zone": None}),
]


@pytest.mark.parametrize(("name", "given_argument", "expected"), BINDINGS)
def test_arguments_bind(name: str, given_argument: Any, expected: dict[str, Any]) -> None:
    assert TRANSFORMS[name].bind(given_argument) == expected


MISBINDINGS: list[tuple[str, Any, str]] = [
    ("trim", 5, "trim takes no argument"),
    ("trim", {"length": 5}, "trim has no argument 'length'"),
    ("truncate", None, "truncate needs length"),
    ("truncate", {}, "truncate needs length"),
    ("truncate", {"lenght": 5}, "truncate has no argument 'lenght'"),
    ("truncate", "5", "length must be a whole number above 0, not '5'"),
    ("truncate", 0, "length must be a whole number above 0"),
    ("truncate", True, "length must be a whole number"),
    ("truncate", [5], "length must be a whole number"),
    ("truncate", 1.5, "length must be a whole number"),
    ("divide", 0, "by must be a number above 0"),
    ("divide", "x", "by must be a number above 0"),
    ("divide", float("nan"), "by must be a number above 0"),
    ("multiply", True, "by must be a number"),
    ("round", 99, "digits must be a whole number from 0 to 20"),
    ("prefix", 5, "text must be a text"),
    ("split", "", "separator must be a text that is not empty"),
    ("replace", {"new": "x"}, "replace needs old"),
    ("only", [1], "values must be a list of texts"),
    ("only", None, "only needs values"),
    ("date", "Mars/Base", "zone must be a time zone"),
    ("date", "../etc", "zone must be a time zone"),
    ("date", "Europe", "zone must be a time zone"),
    ("phone", 1, "country must be an AWS path"),
    ("phone", {"region": "Germany"}, "region must be a country code"),
    ("phone", {"region": "AN"}, "region must be a country code"),
]


@pytest.mark.parametrize(("name", "given_argument", "part"), MISBINDINGS)
def test_a_wrong_argument_is_told(name: str, given_argument: Any, part: str) -> None:
    with pytest.raises(TransformError) as caught:
        TRANSFORMS[name].bind(given_argument)
    assert part in caught.value.message
    assert caught.value.cure


def test_a_list_function_sees_the_whole_list_and_no_empties() -> None:
    seen: list[Any] = []
    transform = Transform("count", "Counts.", "list", "integer", lambda values: seen.append(values) or len(values))
    assert apply(transform, ["a", None, "", "b"], {}) == 2
    assert seen == [["a", "b"]]


def test_an_argument_may_be_optional_with_a_default() -> None:
    argument = Argument("by", "integer", False, 7, "A number.")
    transform = Transform("add", "Adds.", "number", "number", lambda value, by: value + by, (argument,))
    assert apply(transform, 1, transform.bind(None)) == 8
    assert apply(transform, [1, 2], transform.bind(2)) == [3, 4]


# Tables

COUNTRY_ENUM = set(MODEL.shape_for("CountryCode").metadata["enum"])


def test_the_country_codes_are_those_of_the_model() -> None:
    assert set(places.COUNTRY_CODES) == COUNTRY_ENUM
    assert len(places.COUNTRY_CODES) == 249


@pytest.mark.parametrize("code", sorted(places.COUNTRY_CODES))
def test_every_country_is_known_by_code_and_english_name(code: str) -> None:
    assert run("country_code", code.lower()) == code
    names = [name for name, found in places.country_names().items() if found == code]
    assert names
    assert all(run("country_code", name) == code for name in names)


def test_the_aliases_give_countries_aws_takes() -> None:
    assert set(places.COUNTRY_ALIASES.values()) <= places.COUNTRY_CODES
    for alias in places.COUNTRY_ALIASES:
        assert places.normalise_place(alias) == alias


def test_the_states_are_those_the_model_documents() -> None:
    documented = regex.sub("<[^>]+>", "", MODEL.shape_for("Address").members["StateOrRegion"].documentation)
    for name in places.US_STATES:
        assert regex.search(rf"(?:: |\| ){regex.escape(name)}(?: \||\s*$)", documented), name
    assert len(places.US_STATES) == documented.count("|") + 1


def test_no_abbreviation_means_two_states() -> None:
    spellings = [places.squeeze_state(s) for name, others in places.US_STATES.items() for s in (name, *others)]
    assert len(set(spellings)) == len(spellings)


def test_the_email_pattern_is_that_of_the_model() -> None:
    assert EMAIL_PATTERN == EMAIL


# Properties

ANY = st.one_of(
    st.text(max_size=60),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.booleans(),
    st.decimals(),
    st.dates(),
    st.lists(st.text(max_size=20), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
ARGUMENTS: dict[str, Any] = {
    "truncate": 5,
    "replace": "a",
    "prefix": "x",
    "suffix": "x",
    "strip_prefix": "x",
    "divide": 3,
    "multiply": 3,
    "only": ["a"],
}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@given(value=ANY)
@settings(max_examples=60, deadline=None)
def test_nothing_but_a_transform_error_ever_escapes(name: str, value: Any) -> None:
    try:
        result = run(name, value, ARGUMENTS.get(name))
    except TransformError:
        return
    assert result not in ("", [])


@given(st.one_of(st.floats(), st.integers(), st.decimals(), st.from_regex(r"[0-9,.+-]{1,40}", fullmatch=True)))
@settings(deadline=None)
def test_money_always_fits_the_pattern(value: Any) -> None:
    try:
        result = run("money", value)
    except TransformError:
        return
    assert regex.fullmatch(AMOUNT, result)


@given(st.one_of(st.emails(), st.from_regex(r"[A-Za-z.]{1,20}@[A-Za-z.-]{1,20}", fullmatch=True)))
@settings(deadline=None)
def test_email_always_fits_the_pattern(value: str) -> None:
    try:
        result = run("email", value)
    except TransformError:
        return
    assert regex.fullmatch(EMAIL, result)


@given(st.from_regex(r"\+?[0-9 ()/x-]{3,25}", fullmatch=True), st.sampled_from(["US", "DE", "AN", None, "IT"]))
@settings(deadline=None)
def test_phone_always_fits_the_pattern(value: str, country: str | None) -> None:
    try:
        result = run("phone", value, None, country=country)
    except TransformError:
        return
    assert regex.fullmatch(PHONE, result)
    assert result == value.strip() or phonenumbers.is_possible_number(phonenumbers.parse(result))


@given(st.datetimes(timezones=st.timezones()))
@settings(deadline=None)
def test_date_always_fits_the_pattern(moment: datetime) -> None:
    try:
        result = run("date", moment.isoformat())
    except TransformError:
        return
    assert regex.fullmatch(DAY, result)


@given(
    st.from_regex(
        r"(https?://)?[A-Za-z0-9.&-]{1,20}\.[A-Za-z]{1,4}(:[0-9]{1,4})?(/[a-zA-Z0-9&;]{0,9})?", fullmatch=True
    )
)
@settings(deadline=None)
def test_website_changes_nothing_the_second_time(value: str) -> None:
    try:
        once = run("website", value)
    except TransformError:
        return
    assert 4 <= len(once) <= 255
    assert run("website", once) == once
