"""Transforms of what identifies and reaches a customer: places, phone, e-mail, website, account numbers.

Errors never quote a person's data: they travel further than the record does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import phonenumbers

from connector.core import places
from connector.core.schema import matches, suggest
from connector.core.transforms.transform import Argument, Transform, TransformError

# Source: the patterns Email, PhoneNumber and WebsiteUrl of the partnercentral-selling model, read 2026-11-21.
EMAIL_PATTERN = (
    r"(?=.{0,80}$)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
)
PHONE_PATTERN = r"\+[1-9][0-9]{1,14}"
WEBSITE_LENGTH = 255
# What follows remembers its latest results: the same people, places and companies come again with every change of
# a record and with every other opportunity of theirs.


@lru_cache(maxsize=1024)
def country_code(value: str) -> str:
    """The ISO code AWS knows, from a code or a name in one of ten languages. Exact; nothing is guessed."""
    text = value.strip()
    code = text.upper() if re.fullmatch(r"[A-Za-z]{2}", text) else ""
    if code in places.COUNTRY_CODES:
        return code
    names = places.country_names()
    found = names.get(places.normalise_place(text), code)
    if found in places.COUNTRY_CODES:
        return found
    if found in places.REFUSED_COUNTRIES:
        raise TransformError(f"AWS does not take the country {text!r}.", "This opportunity cannot be shared.")
    close = suggest(text, places.english_names())
    cure = "Write the two-letter code, e.g. DE, or the country's full name."
    raise TransformError(f"{text!r} is not a country.", f"{cure} {close}".rstrip())


@lru_cache(maxsize=1024)
def us_state(value: str) -> str:
    """AWS's name of a US state or territory, from its name or abbreviation."""
    text = value.strip()
    known = places.US_STATE_SPELLINGS
    squeezed = places.squeeze_state(text)
    found = known.get(squeezed) or known.get(squeezed.removeprefix("us-"))
    if found is None:
        close = suggest(text, places.US_STATES)
        cure = "Write the state's full name or its two letters, e.g. California or CA."
        raise TransformError(f"{text!r} is not a US state.", f"{cure} {close}".rstrip())
    return found


@lru_cache(maxsize=4096)
def phone(value: str, country: str | None, region: str | None) -> str:
    """``+15127576000``: the international form, without extension.

    Numbers without + are those of ``country``, which was looked up, or else of ``region``, which the mapping states.
    What has AWS's form already goes as it is, also where there can be no such number: AWS takes it.
    """
    region = next((place for place in (country, region) if place and is_region(place)), None)
    number = _parsed_phone(value, region)
    if number is None and not value.strip().startswith("+") and region is None:
        raise TransformError(
            "The phone number has no country code.", "Write it like +1 512 757 6000, or fill in the country."
        )
    if number is None or not phonenumbers.is_possible_number(number):
        if re.fullmatch(PHONE_PATTERN, value.strip()):
            return value.strip()
        raise TransformError("This is not a possible phone number.", "Write it like +1 512 757 6000.")
    result = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not re.fullmatch(PHONE_PATTERN, result):
        raise TransformError("The phone number is too long for AWS.", "Write it like +1 512 757 6000.")
    return result


def is_region(code: str) -> bool:
    """Whether this country has a numbering plan of its own."""
    return code in phonenumbers.SUPPORTED_REGIONS


def _parsed_phone(value: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    """The number; ``0049 30 …`` is also read as ``+49 30 …`` where the country does not dial 00."""
    text = value.strip()
    number = _parse_phone(text, region)
    abroad = re.sub(r"^\(?00", "+", text)
    if abroad != text and (number is None or not phonenumbers.is_valid_number(number)):
        return _parse_phone(abroad, region) or number
    return number


def _parse_phone(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=4096)
def email(value: str) -> str:
    """Lower case, as AWS's pattern wants it."""
    text = value.strip().lower()
    if matches(EMAIL_PATTERN, text):
        return text
    checks = (
        (text.count("@") > 1 and re.search(r"[,;\s]", text), "There is more than one e-mail address."),
        ("@" not in text, "The e-mail address has no @."),
        (re.search(r"\s", text), "The e-mail address has a space in it."),
        (not text.isascii(), "The e-mail address has letters that AWS does not take, such as ü."),
        (len(text) > 80, "The e-mail address is longer than 80 characters."),
        ("." not in text.rpartition("@")[2], "The e-mail address has no dot after the @."),
        (True, "This is not an e-mail address that AWS takes."),
    )
    message = next(message for fails, message in checks if fails)
    raise TransformError(message, "Write one address like name@customer.example.")


@lru_cache(maxsize=4096)
def website(value: str) -> str:
    """A web address with scheme, its host in lower case, its path as it is."""
    text = value.strip()
    while "&amp;" in text:  # Salesforce shows it so in some places, and people copy it from there
        text = text.replace("&amp;", "&")
    if re.search(r"\s", text):
        raise TransformError("The website has a space in it.", _WEBSITE_CURE)
    address = _split_url(text if "://" in text else f"https://{text.lstrip('/')}")
    host = _checked_host(address)
    result = address._replace(netloc=_netloc(address, host)).geturl()
    if len(result) > WEBSITE_LENGTH and "://" not in text:
        result = result.removeprefix("https://")  # AWS takes the bare name too
    if len(result) > WEBSITE_LENGTH:
        raise TransformError(f"The website is longer than {WEBSITE_LENGTH} characters.", "Shorten it.")
    return result


_WEBSITE_CURE = "Write one address like www.customer.example."


def _split_url(text: str) -> SplitResult:
    try:
        address = urlsplit(text)
        _ = address.port
    except ValueError as error:
        raise TransformError("This is not a web address.", _WEBSITE_CURE) from error
    if address.scheme not in {"http", "https"}:
        raise TransformError("This is not a web address.", _WEBSITE_CURE)
    return address


def _checked_host(address: SplitResult) -> str:
    host = (address.hostname or "").rstrip(".")
    if "." not in host:
        raise TransformError("There is no dot in the website's name.", _WEBSITE_CURE)
    labels = host.split(".")
    if address.username is not None or re.search(r"[,;:@\[\]\\\"'<>]", host) or not all(labels):
        raise TransformError("This is not a web address.", _WEBSITE_CURE)
    if not re.fullmatch(r"[^\W\d_]{2,}|xn--[a-z0-9-]+", labels[-1]):
        raise TransformError("The website does not end like a web address (.com, .de …).", _WEBSITE_CURE)
    return host


def _netloc(address: SplitResult, host: str) -> str:
    return host if address.port is None else f"{host}:{address.port}"


def aws_account_id(value: str) -> str:
    """The twelve digits, without dashes and spaces."""
    return _digits_of(value, 12, "An AWS account id", "Write it like 111122223333.")


def duns(value: str) -> str:
    """The nine digits, without dashes and spaces."""
    return _digits_of(value, 9, "A D-U-N-S number", "Write it like 123456789, with its leading zeros.")


def _digits_of(value: str, length: int, what: str, cure: str) -> str:
    text = re.sub(r"[\s\-–]", "", value)
    if not re.fullmatch(f"[0-9]{{{length}}}", text):
        raise TransformError(f"{what} has {length} digits and nothing else.", cure)
    return text


_COUNTRY = Argument(
    "country",
    "aws_path",
    False,
    None,
    "The AWS path of the customer's country code, for numbers without +.",
)
_REGION = Argument(
    "region",
    "text",
    False,
    None,
    "A fixed country code for numbers without +, e.g. that of your own team.",
    is_region,
    "a country code such as US",
)

TRANSFORMS = (
    Transform(
        "country_code",
        "A country's two-letter code, from a code or a name in ten languages.",
        "text",
        "text",
        country_code,
        errors="An unknown name; a country AWS does not take.",
    ),
    Transform(
        "us_state",
        "A US state or territory in AWS's spelling.",
        "text",
        "text",
        us_state,
        errors="Anything that is not exactly a state's name or abbreviation.",
    ),
    Transform(
        "phone",
        "A phone number in international form, +15127576000; an extension is dropped.",
        "text",
        "text",
        phone,
        (_COUNTRY, _REGION),
        "No country code and no country; too short or too long for its country.",
    ),
    Transform(
        "email",
        "An e-mail address in lower case.",
        "text",
        "text",
        email,
        errors="Several addresses, none, or one that does not fit AWS's pattern.",
    ),
    Transform(
        "website",
        "A web address with https:// where it has no scheme.",
        "text",
        "text",
        website,
        errors="No dot, a space, no web address, longer than 255 characters.",
    ),
    Transform(
        "aws_account_id",
        "An AWS account id, without dashes and spaces.",
        "text",
        "text",
        aws_account_id,
        errors="Anything but 12 digits.",
    ),
    Transform(
        "duns",
        "A D-U-N-S number, without dashes and spaces.",
        "text",
        "text",
        duns,
        errors="Anything but 9 digits.",
    ),
)
