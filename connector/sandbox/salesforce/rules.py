"""What an admin, a busy org or a test puts in the way of a write: validation rules and scripted faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.sandbox.salesforce.faults import Fault, RowError, row_fault


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """Refuses a write when `is_broken` is true of the row as it would become."""

    object: str
    is_broken: Callable[[Mapping[str, Any]], bool]
    message: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WireFault:
    """An answer to give instead of the real one. `body` is sent as it is; with `after_commit` the request is
    carried out first, as when a proxy gives up on a server that does not. `matches` sees method and path."""

    status: int
    body: str = ""
    content_type: str = "text/html"
    after_commit: bool = False
    matches: Callable[[str, str], bool] = lambda _method, _path: True


class Rules:
    """The obstacles of one org.

    `whole_call`: codes for which a collection is refused as a whole with the HTTP status beside them, and nothing
    of it is saved. The platform does so with what it stumbles over while it reads the call, and when it breaks
    down (500) over one of the rows.
    """

    def __init__(self) -> None:
        self.validation: list[ValidationRule] = []
        self.wire_faults: list[WireFault] = []
        self.whole_call: dict[str, int] = {}
        self._row_faults: defaultdict[str, list[Fault]] = defaultdict(list)

    def fail_row(self, record_id: str, fault: Fault, times: int = 1) -> None:
        """Refuses the next `times` updates of a row."""
        self._row_faults[record_id].extend([fault] * times)

    def lock_row(self, record_id: str, times: int = 1) -> None:
        """Another transaction holds the row during the next `times` updates."""
        self.fail_row(record_id, lock_fault(record_id), times)

    def check_row(self, record_id: str) -> None:
        waiting = self._row_faults.get(record_id)
        if waiting:
            raise RowError(waiting.pop(0))

    def check_valid(self, object_name: str, row: Mapping[str, Any]) -> None:
        broken = [
            Fault("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, rule.fields)
            for rule in self.validation
            if rule.object == object_name and rule.is_broken(row)
        ]
        if broken:
            raise RowError(*broken)

    def take_wire_fault(self, method: str, path: str) -> WireFault | None:
        """The first waiting fault that fits this request, once."""
        for index, fault in enumerate(self.wire_faults):
            if fault.matches(method, path):
                return self.wire_faults.pop(index)
        return None


def lock_fault(record_id: str) -> Fault:
    return Fault(
        "UNABLE_TO_LOCK_ROW",
        f"unable to obtain exclusive access to this record or 1 records: {record_id}",
    )


def deleted_row() -> RowError:
    return row_fault("ENTITY_IS_DELETED", "entity is deleted")
