"""AWS Partner Central through boto3."""

from __future__ import annotations

from connector.adapters.partner_central.client import WRITES, PartnerCentralClient, PartnerCentralSettings, Spent
from connector.adapters.partner_central.model import mapping_shapes

__all__ = ["WRITES", "PartnerCentralClient", "PartnerCentralSettings", "Spent", "mapping_shapes"]
