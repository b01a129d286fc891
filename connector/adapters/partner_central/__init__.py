"""AWS Partner Central through boto3."""

from __future__ import annotations

from connector.adapters.partner_central.client import WRITES, PartnerCentralClient, Spent
from connector.adapters.partner_central.model import input_shape, mapping_shapes
from connector.adapters.partner_central.pace import Paces
from connector.adapters.partner_central.session import PartnerCentralSettings

__all__ = [
    "WRITES",
    "Paces",
    "PartnerCentralClient",
    "PartnerCentralSettings",
    "Spent",
    "input_shape",
    "mapping_shapes",
]
