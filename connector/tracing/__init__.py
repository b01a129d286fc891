"""Traces, for those who want to see where the time goes: spans of OpenTelemetry, set up by its own OTEL_* variables.

Where these ask for nothing, nothing of OpenTelemetry is imported and every function here returns at once. A span tells
ids, operations, codes and seconds; never a body, a value, a sentence, a query or a token. Nothing here may slow, stop
or fail the sync. No header is added to any call, since neither service has a use for one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import copy_context
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from connector.tracing.spans import Spans

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | int | float]
P = ParamSpec("P")
T = TypeVar("T")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTER = "OTEL_TRACES_EXPORTER"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = ("otlp", "http/protobuf")
_NOTHING = nullcontext()


class _Switch:
    """Holds what makes spans, while there is anything."""

    spans: Spans | None = None


_SWITCH = _Switch()


@contextmanager
def exporting() -> Iterator[None]:
    """Trace what the block does, where the environment asks for it. Never raises for trouble with that.

    Logging is to be set up before. What is not delivered at the end is given a second.
    """
    _start(os.environ)
    try:
        yield
    finally:
        stop()


def stop() -> None:
    """Deliver what there is, for a second at most, and trace nothing from then on."""
    spans, _SWITCH.spans = _SWITCH.spans, None
    if spans is not None:
        spans.stop()


def look(verb: str, connection: str) -> AbstractContextManager[None]:
    """A verb's look at a connection. One that neither calls a service nor fails leaves no span."""
    spans = _SWITCH.spans
    return _NOTHING if spans is None else spans.look(verb, connection)


def steps(connection: str, salesforce_id: str, opportunity_id: str) -> AbstractContextManager[None]:
    """What is done for one link until it comes to rest."""
    spans = _SWITCH.spans
    return _NOTHING if spans is None else spans.steps(connection, salesforce_id, opportunity_id)


def call(name: str, attributes: Attributes) -> AbstractContextManager[None]:
    """One call to a service. The name must have no id in it, or there would be as many names as records."""
    spans = _SWITCH.spans
    return _NOTHING if spans is None else spans.call(name, attributes)


def note(attributes: Attributes) -> None:
    """Add to the innermost span; what is empty is left out."""
    spans = _SWITCH.spans
    if spans is not None:
        spans.note(attributes)


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """The function for other threads: its spans, and its log lines, belong to what is under way here and now."""
    here = copy_context()

    def run(*args: P.args, **options: P.kwargs) -> T:
        # A copy each time, since one context can be entered by one thread only.
        return here.copy().run(function, *args, **options)

    return run


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for traces."""
    exporter = environment.get(EXPORTER, "").strip().lower()
    is_disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_disabled and exporter != "none" and any(environment.get(name) for name in (EXPORTER, *ENDPOINTS))


def _start(environment: Mapping[str, str]) -> None:
    if not is_wanted(environment) or _SWITCH.spans is not None:
        return
    refusal = _refusal(environment)
    if not refusal:
        try:
            from connector.tracing.spans import Spans

            _SWITCH.spans = Spans()
        except ImportError:
            refusal = "Install the extra: `pip install '.[otel]'` in the connector's folder."
        except Exception as error:  # noqa: BLE001 (whatever a variable does to the SDK, the sync goes on)
            refusal = f"OpenTelemetry refuses the OTEL_ variables ({type(error).__name__})."
    if refusal:
        # Platforms set these variables for every process there is: no reason not to run.
        logger.warning("OTEL_ variables ask for traces, but there are none. %s", refusal, extra={"event": "no_traces"})


def _refusal(environment: Mapping[str, str]) -> str:
    """Why these variables cannot be followed, "" where they can."""
    exporter = environment.get(EXPORTER, "").strip().lower()
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), "").strip().lower()
    named = next((name for name in ENDPOINTS if environment.get(name)), "")
    if named and not environment[named].lower().startswith(("http://", "https://")):
        return f"{named} must begin with http:// or https://."
    if exporter and exporter != SPOKEN[0]:
        return f"{EXPORTER} must be {SPOKEN[0]} or none."
    if protocol and protocol != SPOKEN[1]:
        return f"OTEL_EXPORTER_OTLP_PROTOCOL must be {SPOKEN[1]}."
    return ""
