"""Delivers spans over OTLP and tells once when that does not work, and once when it works again.

Runs in the SDK's own thread; what waits there is bounded by OTEL_BSP_MAX_QUEUE_SIZE, and more than that is dropped.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from connector.tracing import ENDPOINTS

logger = logging.getLogger(__name__)


class Exporter(OTLPSpanExporter):
    """The standard exporter, set up by the standard variables."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            self._delivered()
        else:
            self._not_delivered(len(spans))
        return result

    def _delivered(self) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            extra = {"event": "traces_delivered", "lost": lost}
            logger.info("Traces are delivered again; %d spans were lost.", lost, extra=extra)

    def _not_delivered(self, count: int) -> None:
        if not self._lost:
            address = next((told for name in ENDPOINTS if (told := os.environ.get(name))), "//localhost")
            host = urlsplit(address).hostname  # the rest may hold a password or a key
            extra = {"event": "traces_lost"}
            logger.warning("Traces are not delivered: %s does not take them. The sync goes on.", host, extra=extra)
        self._lost += count
