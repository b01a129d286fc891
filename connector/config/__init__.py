"""config.yaml: what may stand in it, and reading it with every mistake told at once.

This package builds nothing and connects to nothing. Secrets never reach a message, a repr or a log.
"""

from connector.config.load import Config, documents_of, load, locate
from connector.config.models import (
    AccessToken,
    ClientCredentials,
    Connection,
    JwtBearer,
    Limits,
    Log,
    PartnerCentral,
    Quota,
    Salesforce,
    Schedule,
)

__all__ = [
    "AccessToken",
    "ClientCredentials",
    "Config",
    "Connection",
    "JwtBearer",
    "Limits",
    "Log",
    "PartnerCentral",
    "Quota",
    "Salesforce",
    "Schedule",
    "documents_of",
    "load",
    "locate",
]
