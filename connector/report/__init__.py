"""What the reading commands tell, as plain JSON-able values. Computes and reads; prints nothing, writes nothing."""

from __future__ import annotations

from connector.report.aws_side import AwsSide
from connector.report.planning import plans_of
from connector.report.plans import without_readings
from connector.report.search import Answers, reason_of, search
from connector.report.state import status
from connector.report.story import show

__all__ = ["Answers", "AwsSide", "plans_of", "reason_of", "search", "show", "status", "without_readings"]
