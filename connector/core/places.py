"""Countries, postal codes and US states as AWS Partner Central spells them.

Plain tables, each with its source and the date it was read, and the few functions that look things up.
Names are matched exactly after normalising case, accents and punctuation; nothing here guesses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from babel import Locale
from babel.core import get_global


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Source: enum CountryCode of the partnercentral-selling model (botocore 1.44.5), read 2026-11-21.
# 249 values: ISO 3166-1 without KP, with the former AN. XK is not among them. AWS's field sheet has the same countries,
# names where the API has codes, and Serbia and Montenegro, which has none.
COUNTRY_CODES = _codes(
    """
    AD AE AF AG AI AL AM AN AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC
    EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK
    HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
    """
)

REFUSED_COUNTRIES = frozenset({"KP", "XK"})  # known by name, so that the refusal can say why
COUNTRY_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ja", "zh", "ko")

# What people and AWS's own lists (Opportunity-StandardValues.csv) write that CLDR does not. Read 2026-11-21.
# Keys are normalised: lower case, no accents, no punctuation, no leading "the".
COUNTRY_ALIASES: Mapping[str, str] = {
    "uk": "GB",
    "u k": "GB",
    "great britain": "GB",
    "britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "united kingdom of great britain and northern ireland": "GB",
    "u s": "US",
    "u s a": "US",
    "united states of america": "US",
    "holland": "NL",
    "netherlands antilles": "AN",
    "bonaire sint eustatius and saba": "BQ",
    "sint maarten dutch part": "SX",
    "saint martin french part": "MF",
    "czech republic": "CZ",
    "democratic republic of congo": "CD",
    "democratic republic of the congo": "CD",
    "congo democratic republic of the": "CD",
    "republic of the congo": "CG",
    "ivory coast": "CI",
    "falkland islands malvinas": "FK",
    "heard island and mcdonald islands": "HM",
    "holy see vatican city state": "VA",
    "holy see": "VA",
    "hong kong": "HK",
    "macao": "MO",
    "macau": "MO",
    "iran islamic republic of": "IR",
    "korea": "KR",
    "korea republic of": "KR",
    "republic of korea": "KR",
    "lao people's democratic republic": "LA",
    "libyan arab jamahiriya": "LY",
    "macedonia": "MK",
    "macedonia the former yugoslav republic of": "MK",
    "micronesia federated states of": "FM",
    "moldova republic of": "MD",
    "burma": "MM",
    "palestine": "PS",
    "palestinian territory occupied": "PS",
    "palestine state of": "PS",
    "pitcairn": "PN",
    "bolivia plurinational state of": "BO",
    "brunei darussalam": "BN",
    "people's republic of china": "CN",
    "mainland china": "CN",
    "republic of ireland": "IE",
    "russian federation": "RU",
    "saint helena ascension and tristan da cunha": "SH",
    "saint vincent and the grenadines": "VC",
    "south georgia and the south sandwich islands": "GS",
    "swaziland": "SZ",
    "syrian arab republic": "SY",
    "taiwan province of china": "TW",
    "tanzania united republic of": "TZ",
    "turkey": "TR",
    "united states minor outlying islands": "UM",
    "venezuela bolivarian republic of": "VE",
    "virgin islands british": "VG",
    "virgin islands u s": "VI",
    "us virgin islands": "VI",
}


def normalise_place(name: str) -> str:
    """A place name without case, accents and punctuation: ``The Côte d’Ivoire`` → ``cote d'ivoire``."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    text = "".join(character for character in decomposed if not unicodedata.combining(character))
    text = re.sub(r"[.,()\-–/]", " ", text.replace("&", " and ").replace("’", "'"))
    text = re.sub(r"\bst\b", "saint", re.sub(r"\s+", " ", text).strip())
    return text.removeprefix("the ")


@cache
def country_names() -> Mapping[str, str]:
    """Every known spelling, normalised, to its code; ``REFUSED_COUNTRIES`` are among them.

    Names from Unicode CLDR in ``COUNTRY_LANGUAGES``, the three-letter ISO codes, and ``COUNTRY_ALIASES``.
    """
    names: dict[str, str] = {}
    for code, targets in get_global("territory_aliases").items():
        if len(code) == 3 and code.isalpha() and len(targets) == 1:
            names[code.lower()] = targets[0]
    for language in COUNTRY_LANGUAGES:
        for code, name in Locale.parse(language).territories.items():
            if len(code) == 2 and code.isalpha():
                names[normalise_place(name)] = code
    names.update(COUNTRY_ALIASES)
    wanted = COUNTRY_CODES | REFUSED_COUNTRIES
    return {name: code for name, code in names.items() if code in wanted}


def english_names() -> tuple[str, ...]:
    """The English names of the countries AWS takes, for suggestions."""
    territories = Locale.parse("en").territories
    return tuple(territories[code] for code in sorted(COUNTRY_CODES) if code in territories)


# Source: documentation of Address.StateOrRegion in the partnercentral-selling model (botocore 1.44.5), read
# 2026-11-21.
# Postal abbreviations and those of the AP stylebook, written without dots and spaces.
US_STATES: Mapping[str, tuple[str, ...]] = {
    "Alabama": ("AL", "Ala"),
    "Alaska": ("AK",),
    "American Samoa": ("AS",),
    "Arizona": ("AZ", "Ariz"),
    "Arkansas": ("AR", "Ark"),
    "California": ("CA", "Calif"),
    "Colorado": ("CO", "Colo"),
    "Connecticut": ("CT", "Conn"),
    "Delaware": ("DE", "Del"),
    "Dist. of Columbia": ("DC", "District of Columbia", "Washington DC"),
    "Federated States of Micronesia": ("FM", "Micronesia"),
    "Florida": ("FL", "Fla"),
    "Georgia": ("GA",),
    "Guam": ("GU",),
    "Hawaii": ("HI",),
    "Idaho": ("ID",),
    "Illinois": ("IL", "Ill"),
    "Indiana": ("IN", "Ind"),
    "Iowa": ("IA",),
    "Kansas": ("KS", "Kan"),
    "Kentucky": ("KY",),
    "Louisiana": ("LA",),
    "Maine": ("ME",),
    "Marshall Islands": ("MH",),
    "Maryland": ("MD",),
    "Massachusetts": ("MA", "Mass"),
    "Michigan": ("MI", "Mich"),
    "Minnesota": ("MN", "Minn"),
    "Mississippi": ("MS", "Miss"),
    "Missouri": ("MO",),
    "Montana": ("MT", "Mont"),
    "Nebraska": ("NE", "Neb"),
    "Nevada": ("NV", "Nev"),
    "New Hampshire": ("NH",),
    "New Jersey": ("NJ",),
    "New Mexico": ("NM",),
    "New York": ("NY",),
    "North Carolina": ("NC",),
    "North Dakota": ("ND",),
    "Northern Mariana Islands": ("MP",),
    "Ohio": ("OH",),
    "Oklahoma": ("OK", "Okla"),
    "Oregon": ("OR", "Ore"),
    "Palau": ("PW",),
    "Pennsylvania": ("PA",),
    "Puerto Rico": ("PR",),
    "Rhode Island": ("RI",),
    "South Carolina": ("SC",),
    "South Dakota": ("SD",),
    "Tennessee": ("TN", "Tenn"),
    "Texas": ("TX", "Tex"),
    "Utah": ("UT",),
    "Vermont": ("VT",),
    "Virginia": ("VA",),
    "Virgin Islands": ("VI", "US Virgin Islands", "Virgin Islands, U.S."),
    "Washington": ("WA", "Wash", "Washington State"),
    "West Virginia": ("WV", "W. Va"),
    "Wisconsin": ("WI", "Wis"),
    "Wyoming": ("WY", "Wyo"),
    "APO/AE": ("AE",),
    "AFO/FPO": (),
    "FPO, AP": ("AP",),
}


def squeeze_state(name: str) -> str:
    """A state as it is looked up: ``N. Car.`` style dots, spaces, commas and case do not count."""
    return re.sub(r"[\s.,/’']", "", name).casefold()


US_STATE_SPELLINGS: Mapping[str, str] = {
    squeeze_state(spelling): name for name, others in US_STATES.items() for spelling in (name, *others)
}

# Source: CountriesWithoutPostalCode.csv of aws-samples/partner-crm-integration-samples, read 2026-11-21.
COUNTRIES_WITHOUT_POSTAL_CODE = _codes(
    """
    AE AG AN AO AW BF BI BJ BO BQ BS BW BZ CF CG CI CK CM CW DJ DM ER FJ GD GH GM GQ GY HK HM KI KM
    KN LY ML MO MR MW NR NU QA RW SB SC SH SL SR ST SY TF TG TK TL TO TV UG VU YE ZW
    """
)

# Source: PostalCodeValidations.csv of the same repository, read 2026-11-21. "#" is a digit, "@" a capital letter,
# "*" either, "|" separates alternatives, anything else stands for itself. AWS's list has no row for other
# countries; its row for the former CS (Serbia and Montenegro) is left out, AWS knows no such country any more.
# The list holds AWS's messages, not its checks. Where a message shows one code or one town's codes rather than the
# country's format (BN KB9999, IE A99 9A9A, SV 1101, SZ M999, VA 120), any code of that country is taken: most of the
# customers there could never be shared otherwise.
_POSTAL_ROWS = """
#####                          AX BA BT CU DE DO DZ EE EG ES FI FR GT GU HN HR ID IQ IT JO KE KH KR
#####                          KW LA LK MA ME
#####                          MH MM MN MP MX MY NA NI NP PE PK PR PW RS SD SN SS TD TH TR TW UA UY
#####                          VI ZM
####                           AF AL AM AT AU BD BG CC CH CV CX CY DK ET GE GL GW HT HU LI LR LU MK
####                           MZ NE NF NO NZ
####                           PH PY SJ SV TN ZA
######                         CN CO EC KG KZ NG PA RO SG TJ TM TT VN
###                            FO IS LS MG OM PG
##                             JM
###|####                       BH
####|#####                     CR MV
### ##|#####                   CZ SK GR
B-####|####                    BE
@@ ##|@@ @@                    BM
@@####                         BN
#####|#####-###                BR
@#@ #@#|@#@#@#                 CA
@#* ****|@#*****               IE
#####|#######                  IL
######|### ###                 IN
#######|###-####               JP
#####|LT-#####                 LT
@@@ ####|@@@####               MT
#### @@|####@@                 NL
##-###                         PL
####|####-###                  PT
#####-####                     SA
S-#####|SE-#####|#####|### ##  SE
@###                           SZ
#####|#####-####               US
120|00120                      VA
VC####                         VC
4789#                          SM
971##                          GP
972##                          MQ
973##                          GF
974##                          RE
976##                          YT
97133                          BL
97150                          MF
97500                          PM
980##                          MC
986##                          WF
987##                          PF
988##                          NC
@# #@@|@## #@@|@@# #@@|@@## #@@|@#@ #@@|@@#@ #@@|@##@@|@###@@|@@##@@|@@###@@|@#@#@@|@@#@#@@  GB
"""


def _read_postal_rows(rows: str) -> dict[str, tuple[str, ...]]:
    formats = {}
    for row in rows.strip().splitlines():
        notation, codes = re.split(r"  +", row, maxsplit=1)
        formats.update(dict.fromkeys(codes.split(), tuple(notation.split("|"))))
    return formats


POSTAL_FORMATS: Mapping[str, tuple[str, ...]] = _read_postal_rows(_POSTAL_ROWS)
_POSTAL_CLASSES = {"#": "[0-9]", "@": "[A-Z]", "*": "[0-9A-Z]"}


def is_postal_code(code: str, country: str) -> bool:
    """Whether a postal code has a format that AWS lists for the country, in capitals; true where it lists none."""
    return country not in POSTAL_FORMATS or _postal_pattern(country).fullmatch(code) is not None


@cache
def _postal_pattern(country: str) -> re.Pattern[str]:
    """One expression for all the formats of a country that AWS lists."""
    formats = POSTAL_FORMATS[country]
    expressions = ["".join(_POSTAL_CLASSES.get(c, re.escape(c)) for c in notation) for notation in formats]
    return re.compile("|".join(expressions))


def show_postal_formats(country: str) -> str:
    """The formats of a country for people: ``99999 or 99999-9999`` (9 a digit, A a letter)."""
    if country == "GB":
        return "L2 2DP, DT3 6GB or SW1A 1AA"
    return " or ".join(_show_notation(notation) for notation in POSTAL_FORMATS.get(country, ()))


def _show_notation(notation: str) -> str:
    digit = "N" if re.search(r"[0-9]", notation) else "9"  # AWS writes 973NN where some digits are fixed
    return notation.replace("#", digit).replace("@", "A").replace("*", "X")
