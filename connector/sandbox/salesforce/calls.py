"""A request and its answer as the resources see them: below the version, header names lower-cased.

The same shapes serve a request of its own and a part of a composite one, so there is no plumbing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from connector.sandbox.salesforce.faults import ApiError, Fault, RowError
from connector.sandbox.salesforce.writes import Actor

FIRST_VERSION = 31
LAST_VERSION = 68


@dataclass(frozen=True, slots=True)
class Call:
    """`path` is below the version, without a leading slash; `body` is decoded JSON, None without one."""

    method: str
    version: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: object
    actor: Actor

    @property
    def base(self) -> str:
        return f"/services/data/v{self.version}"

    def read_object(self) -> dict[str, object]:
        """The body, where it is a JSON object; ApiError JSON_PARSER_ERROR where it is not."""
        if isinstance(self.body, dict):
            return self.body
        raise ApiError(
            400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."
        )

    def read_time(self, header: str) -> datetime | None:
        """The moment of a conditional header, None where it is not sent; ApiError 400 for no HTTP date."""
        text = self.headers.get(header)
        if text is None:
            return None
        try:
            return parsedate_to_datetime(text).astimezone(UTC)
        except ValueError:
            message = f"Invalid value for header {header}: {text}"
            raise ApiError(400, "INVALID_HTTP_HEADER", message) from None


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is JSON to be, None for an empty one."""

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


def to_http_date(moment: datetime) -> str:
    """`Thu, 03 Sep 2026 21:35:07 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def to_reply(error: ApiError | RowError) -> Reply:
    """The refusal of a single request: a list of `{message, errorCode}`, with `fields` for a row's."""
    if isinstance(error, ApiError):
        return Reply(error.status, [{"message": error.message, "errorCode": error.code}])
    return Reply(error.status, [_to_entry(fault) for fault in error.faults])


def _to_entry(fault: Fault) -> dict[str, object]:
    if fault.offender:  # the JSON reader of the row resources refuses a wrong type before the row is looked at
        message = (
            f"Cannot deserialize instance of {fault.kind} from {fault.offender} or request may be missing a "
            "required field at [line:1, column:1]"
        )
        return {"message": message, "errorCode": "JSON_PARSER_ERROR"}
    if fault.code in {"NOT_FOUND", "ENTITY_IS_DELETED"}:
        return {"errorCode": fault.code, "message": fault.message}
    return {"message": fault.message, "errorCode": fault.code, "fields": list(fault.fields)}
