"""The first files of a new installation: config.yaml, its mapping, and what keeps secrets out of git.

Gives texts; writes nothing. The mapping is the shipped one with the answers worked in, its cases too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from connector.errors import ConnectorError
from connector.provisioning.answers import Answers

CONFIG, IGNORED, VARIABLES = "config.yaml", ".gitignore", ".env.example"
OPPORTUNITY, INVITATIONS = "mappings/opportunity.yaml", "mappings/invitations.yaml"

_AUTH = {
    "client_credentials": ("client_id: ${SF_CLIENT_ID}", "client_secret: ${SF_CLIENT_SECRET}"),
    "jwt_bearer": (
        "client_id: ${SF_CLIENT_ID}",
        "username: ${SF_USERNAME}           # the integration user's",
        "private_key: ${file:server.key}    # PEM text, without passphrase",
        "# audience: https://test.salesforce.com    # for a sandbox org",
    ),
    "access_token": ("token: ${SF_ACCESS_TOKEN}          # for a trial: it expires and is not renewed",),
}
_VARIABLES = {
    "client_credentials": ("SF_CLIENT_ID", "SF_CLIENT_SECRET"),
    "jwt_bearer": ("SF_CLIENT_ID", "SF_USERNAME"),
    "access_token": ("SF_ACCESS_TOKEN",),
}


def variables_of(answers: Answers) -> tuple[str, ...]:
    """The environment variables that the configuration reads."""
    return _VARIABLES[answers.auth]


def mappings_of(answers: Answers) -> tuple[str, ...]:
    """The mapping files, as config.yaml names them."""
    return (OPPORTUNITY, INVITATIONS) if answers.invitations else (OPPORTUNITY,)


def files_of(answers: Answers, shipped: Mapping[str, str]) -> dict[str, str]:
    """The text of each file by its path; ``shipped`` are the texts of the shipped mappings, by the same paths."""
    made = {CONFIG: config_of(answers)}
    for name in mappings_of(answers):
        made[name] = _adapted(shipped[name], _CHANGES[name](answers), name)
    made[VARIABLES] = "".join(f"{name}=\n" for name in variables_of(answers))
    made[IGNORED] = "".join(f"{line}\n" for line in (".env", "*.db", "*.db-*", "*.key", "*.pem"))
    return made


def config_of(answers: Answers) -> str:
    """config.yaml: what was answered, and beside it what is most often set next."""
    return "\n".join(
        (
            "# Made by `connector init`; docs/config.md has every option. Secrets stay in the environment.",
            f"database: {answers.database}",
            "",
            "connections:",
            "  # This name is part of every ledger key: do not change it later.",
            f"  {answers.connection}:",
            "    salesforce:",
            *(f"      {line}" for line in _salesforce(answers)),
            "",
            "    partner_central:",
            *(f"      {line}" for line in _partner_central(answers)),
            "",
            f"    mapping: {_mapping(answers)}",
            "",
        )
    )


def _salesforce(answers: Answers) -> tuple[str, ...]:
    is_token = answers.auth == "access_token"
    address = (f"  instance_url: {answers.login_url}",) if is_token else ()
    return (
        f"login_url: {answers.login_url}",
        "auth:",
        f"  method: {answers.auth}",
        *address,
        *(f"  {line}" for line in _AUTH[answers.auth]),
        "# organization_id: 00D000000000001EAA    # refuse to start against another org",
        "# ca_bundle: ca.pem                      # certificates to trust instead of the public ones",
        "# proxy: http://proxy.example:3128",
    )


def _partner_central(answers: Answers) -> tuple[str, ...]:
    return (
        f"catalog: {answers.catalog}",
        *((f"profile: {answers.profile}",) if answers.profile else ()),
        *((f"role_arn: {answers.role_arn}",) if answers.role_arn else ()),
        *(("launch_needs_account: false           # a software partner's",) if answers.software_partner else ()),
        "# endpoint_url: https://127.0.0.1:8443  # another address than AWS's, such as that of `connector sandbox`",
        "# ca_bundle: ca.pem",
    )


def _mapping(answers: Answers) -> str:
    names = mappings_of(answers)
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


Change = tuple[str, str]
"""A piece of the shipped text, and what stands there instead."""


def _opportunity(answers: Answers) -> list[Change]:
    changes = [("where: Share_With_AWS__c = TRUE", f"where: {answers.flag} = TRUE")]
    if answers.amount == "monthly":
        changes += [
            ("the total value of a contract of twelve months", "that already. Where it is the total of a year, write"),
            (
                "and divided by 12. If your Amount is monthly already, remove the divide",
                "transform: [{divide: 12}, money]",
            ),
            ("transform: [{divide: 12}, money]\n          when:", "transform: money\n          when:"),
            ("the yearly amount becomes a monthly one", "the monthly amount is sent"),
            ('"8333.33"', '"100000.00"'),
            _MONTHLY_CASE,
        ]
    if answers.country_picklists:
        changes += [
            ("        # With Salesforce's State and Country/Territory Picklists on, write\n", ""),
            ("        #   from: [Account.BillingCountryCode, Account.BillingCountry]\n", ""),
            ("{from: Account.BillingCountry,", "{from: [Account.BillingCountryCode, Account.BillingCountry],"),
            ("from: Account.BillingState\n", "from: [Account.BillingStateCode, Account.BillingState]\n"),
        ]
    return changes + _currency(answers)


def _invitations(answers: Answers) -> list[Change]:
    changes = [_MONTHLY_CASE] if answers.amount == "monthly" else []
    return changes + {"EUR": [_CASES_IN_EUROS], "record": [_CASES_WITH_CURRENCY]}.get(answers.currency, [])


def _currency(answers: Answers) -> list[Change]:
    if answers.currency == "EUR":
        sovereign = "AWS_Partition__c: aws-eusc}\n    expect_problems: "
        refused = '["Project.ExpectedCustomerSpend[0].CurrencyCode"]'
        return [("{value: USD}", "{value: EUR}"), _CASES_IN_EUROS, (f"{sovereign}{refused}", f"{sovereign}[]")]
    if answers.currency == "record":
        of_contract = "{from: CurrencyIsoCode, when: {path: SoftwareRevenue.Value.Amount, present: true}}"
        return [
            (
                "CurrencyCode: {value: USD}\n        Frequency",
                "CurrencyCode: {from: CurrencyIsoCode}\n        Frequency",
            ),
            ("CurrencyCode: {value: USD}", f"CurrencyCode: {of_contract}"),
            _CASES_WITH_CURRENCY,
        ]
    return []


_MONTHLY_CASE = ('"22500.00"', '"270000.00"')
_CASES_IN_EUROS = ("CurrencyCode: USD", "CurrencyCode: EUR")
_CASES_WITH_CURRENCY = ("      Amount: 270000\n", "      Amount: 270000\n      CurrencyIsoCode: USD\n")
_CHANGES = {OPPORTUNITY: _opportunity, INVITATIONS: _invitations}


def _adapted(text: str, changes: list[Change], name: str) -> str:
    """The shipped text with the changes made. One that finds nothing to change is our own mistake, and is told."""
    for old, new in changes:
        if old not in text:
            raise ConnectorError(
                f"The shipped {PurePosixPath(name).name} has no {old.strip()!r}.", "Install the connector again."
            )
        text = text.replace(old, new)
    return text
