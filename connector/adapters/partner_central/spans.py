"""What a trace tells of a call to AWS, in OpenTelemetry's words: operation, codes and AWS's own id of the request."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from connector import tracing

SERVICE = "PartnerCentral Selling"


def calling(operation: str) -> AbstractContextManager[None]:
    """The span of one call, with all its attempts and its wait for a turn."""
    name = f"{SERVICE}.{operation}"
    return tracing.call(name, {"rpc.system": "aws-api", "rpc.service": SERVICE, "rpc.method": operation})


def note_wait(seconds: float) -> None:
    """How long the call waited for its turn at the quota's pace."""
    tracing.note({"connector.pace.wait_seconds": round(seconds, 3)})


def note_answer(answer: Mapping[str, Any]) -> None:
    """An answer of botocore; one that refuses has a code."""
    metadata = answer.get("ResponseMetadata") or {}
    code = str((answer.get("Error") or {}).get("Code") or "").rpartition("#")[2].partition(":")[0]
    tracing.note(
        {
            "http.response.status_code": metadata.get("HTTPStatusCode", ""),
            "aws.request_id": str(metadata.get("RequestId") or ""),
            "http.request.resend_count": metadata.get("RetryAttempts") or "",
            "error.type": code,
        }
    )


def note_error(error: Exception) -> None:
    """What botocore raised: with an answer, or without one."""
    answer = getattr(error, "response", None)
    if isinstance(answer, Mapping):
        note_answer(answer)
    else:
        tracing.note({"error.type": type(error).__name__})
