"""Spans as OpenTelemetry has them. Imported only when traces are wanted; the only module that makes any."""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode

from connector import __version__
from connector.tracing.export import Exporter

Attributes = Mapping[str, str | int | float]

FLUSH_SECONDS = 1.0
"""What delivering the rest may take at the end: it has to fit into the time that a stop may take."""
LINKS_OF_A_LOOK = 100
"""Links whose steps are part of the trace of the look. The first look at a large org would make one of a hundred
thousand spans, which nobody can open: those after the first hundred have traces of their own, which refer to the look.
"""
_UNSAFE = re.compile(r"[^\w.:/{}@ -]")
_LONGEST = 200
_QUIET = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")
"""They tell each batch that is lost; the exporter here tells it once."""


@dataclass(slots=True)
class Look:
    """A look that is under way. ``is_busy``: it has something to tell."""

    span: Span
    is_busy: bool = False
    numbers: Iterator[int] = field(default_factory=count)


_LOOK: ContextVar[Look | None] = ContextVar("look", default=None)


class Spans:
    """Makes spans and has them delivered, as the OTEL_* variables say. Safe for any number of threads."""

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(Exporter()))
        self._tracer = self._provider.get_tracer("connector", __version__)
        self._levels = {name: logging.getLogger(name).level for name in _QUIET}
        for name in _QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._make_record = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self._marked_record)

    def stop(self) -> None:
        """Deliver the rest in time that is bounded, whatever the collector does."""
        logging.setLogRecordFactory(self._make_record)
        delivery = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        delivery.start()
        delivery.join(FLUSH_SECONDS)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)

    @contextmanager
    def look(self, verb: str, connection: str) -> Iterator[None]:
        found = Look(self._tracer.start_span(verb, attributes={"connection": connection}))
        token = _LOOK.set(found)
        try:
            with _current(found.span):
                yield
        except BaseException:
            found.is_busy = True
            raise
        finally:
            _LOOK.reset(token)
            # One that is never ended is never delivered.
            if found.is_busy:
                found.span.end()

    @contextmanager
    def steps(self, connection: str, salesforce_id: str, opportunity_id: str) -> Iterator[None]:
        told = {"connection": connection, "salesforce_id": salesforce_id, "opportunity_id": opportunity_id}
        found = _LOOK.get()
        inside, see_also = None, []
        if found is not None and next(found.numbers) >= LINKS_OF_A_LOOK:
            inside, see_also = Context(), [Link(found.span.get_span_context())]
        with self._open("link", SpanKind.INTERNAL, told, inside, see_also):
            yield

    @contextmanager
    def call(self, name: str, attributes: Attributes) -> Iterator[None]:
        with self._open(name, SpanKind.CLIENT, attributes):
            yield

    def note(self, attributes: Attributes) -> None:
        trace.get_current_span().set_attributes(_cleaned(attributes))

    @contextmanager
    def _open(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        inside: Context | None = None,
        see_also: Sequence[Link] = (),
    ) -> Iterator[None]:
        found = _LOOK.get()
        if found is not None:
            found.is_busy = True
        span = self._tracer.start_span(name, inside, kind, _cleaned(attributes), see_also)
        try:
            with _current(span):
                yield
        finally:
            span.end()

    def _marked_record(self, *args: Any, **options: Any) -> logging.LogRecord:
        """A log record that says in which span it was made, so that logs and traces meet."""
        record = self._make_record(*args, **options)
        seen = trace.get_current_span().get_span_context()
        if seen.is_valid:
            record.trace_id = trace.format_trace_id(seen.trace_id)
            record.span_id = trace.format_span_id(seen.span_id)
        return record


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """The span is the innermost one of the block; it fails with the block. An error's text may hold anything."""
    with trace.use_span(span, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            span.set_status(StatusCode.ERROR)
            if "error.type" not in (getattr(span, "attributes", None) or {}):
                span.set_attribute("error.type", type(error).__name__)
            raise


def _cleaned(attributes: Attributes) -> dict[str, str | int | float]:
    """Without what is empty; texts are codes and ids, so that nothing else may stand in them."""
    return {
        name: _UNSAFE.sub("?", value)[:_LONGEST] if isinstance(value, str) else value
        for name, value in attributes.items()
        if value != ""
    }


def _resource() -> Resource:
    """Who makes these spans, as far as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES do not say it."""
    ours = {
        "service.name": "partner-central-connector",
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
    }
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})
