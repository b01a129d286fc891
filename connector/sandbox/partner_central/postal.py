"""Which countries have postal codes, and what they look like.

From AWS's published validation sheets (PostalCodeValidations, CountriesWithoutPostalCode). A country in
neither table has postal codes of a form that AWS does not publish. The first sheet tells messages, not checks: for
Brunei, Ireland, El Salvador, Eswatini and the Vatican it prints one code, or one town's, and any code of theirs passes.
"""

from __future__ import annotations

import re
from functools import cache

# `#` a digit, `@` a capital letter, `*` either, `~` an optional space, `|` separates alternatives,
# anything else stands for itself.
_FORMATS = {
    "BD AF AL AM AT AU BG CC CH CV CX CY DK ET GE GL GW HT HU LI LR LU MK MZ NE NF NO NZ PH PY SJ TN ZA": "####",
    "AX BA BT CU DE DO DZ EE EG ES FI FR GT GU HN HR ID IQ IT JO KE KH KR KW LA LK MA ME MH MM MN "
    "MP MX MY NA NI NP PE PK PR PW RS SD SN SS TD TH TR TW UA UY VI ZM": "#####",
    "CN CO EC KG KZ NG PA RO SG TJ TM TT VN": "######",
    "FO IS LS MG OM PG": "###",
    "CR MV": "####|#####",
    "CZ GR SK": "###~##",
    "BE": "B-####|####",
    "BH": "###|####",
    "BL": "97133",
    "BM": "@@ ##|@@ @@",
    "BN": "@@####",
    "BR": "#####|#####-###",
    "CA": "@#@~#@#",
    "GB": "@#~#@@|@##~#@@|@#@~#@@|@@#~#@@|@@##~#@@|@@#@~#@@",
    "GF": "973##",
    "GP": "971##",
    "IE": "@#*~****",
    "IL": "#####|#######",
    "IN": "###~###",
    "JM": "##",
    "JP": "#######|###-####",
    "LT": "#####|LT-#####",
    "MC": "980##",
    "MF": "97150",
    "MQ": "972##",
    "MT": "@@@~####",
    "NC": "988##",
    "NL": "####~@@",
    "PF": "987##",
    "PL": "##-###",
    "PM": "97500",
    "PT": "####|####-###",
    "RE": "974##",
    "SA": "#####-####",
    "SE": "S-#####|SE-#####|###~##",
    "SM": "4789#",
    "SV": "####",
    "SZ": "@###",
    "US": "#####|#####-####",
    "VA": "120|00120",
    "VC": "VC####",
    "WF": "986##",
    "YT": "976##",
}

_WITHOUT = """
AE AG AN AO AW BF BI BJ BO BQ BS BW BZ CF CG CI CK CM CW DJ DM ER FJ GD GH GM GQ GY HK HM KI KM KN LY ML
MO MR MW NR NU QA RW SB SC SH SL SR ST SY TF TG TK TL TO TV UG VU YE ZW
"""

_SYMBOLS = {"#": "[0-9]", "@": "[A-Z]", "*": "[0-9A-Z]", "~": " ?", "|": "|"}


def is_without(country: str) -> bool:
    """Whether a country has no postal codes, so that the field has to stay empty."""
    return country in _without()


def is_wellformed(country: str, code: str) -> bool:
    """Whether a postal code has its country's published form; any text where none is published."""
    pattern = _pattern(country)
    return pattern is None or pattern.fullmatch(code) is not None


def describe(country: str) -> str:
    """The published forms in words of digits and letters: `99999 OR 99999-9999`."""
    words = _formats().get(country, "").replace("#", "9").replace("@", "A").replace("*", "X").replace("~", " ")
    return words.replace("|", " OR ")


@cache
def _without() -> frozenset[str]:
    return frozenset(_WITHOUT.split())


@cache
def _formats() -> dict[str, str]:
    return {code: form for codes, form in _FORMATS.items() for code in codes.split()}


@cache
def _pattern(country: str) -> re.Pattern[str] | None:
    form = _formats().get(country)
    if form is None:
        return None
    return re.compile("".join(_SYMBOLS.get(char, re.escape(char)) for char in form))
