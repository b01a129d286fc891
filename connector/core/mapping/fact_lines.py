"""Reads the lines that bring facts to Salesforce: ``write_back`` and ``inbound``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.core.mapping.complaints import Complaints, Keys
from connector.core.mapping.fact_names import FactTable
from connector.core.mapping.leaves import LeafReader
from connector.core.mapping.nodes import NOTHING, Inbound, Leaf, WriteBack
from connector.core.paths import Path
from connector.core.schema import Shape
from connector.core.selection import NAME

_INBOUND_KEYS = ("from", "values", "otherwise", "transform")


@dataclass(slots=True)
class FactLineReader:
    """Turns ``Field__c: fact`` lines into nodes; what it cannot read becomes a complaint.

    ``written`` are the fields of the record that some line fills already, each with its section.
    """

    complaints: Complaints
    leaves: LeafReader
    written: dict[str, str] = field(default_factory=dict)

    def write_back(
        self, value: Any, keys: Keys, facts: FactTable, written: dict[str, str] | None = None
    ) -> tuple[WriteBack, ...]:
        """The lines of a ``write_back``; ``written`` where its fields are not those of the record."""
        if value is not None and not isinstance(value, dict):
            self.complaints.add(keys, "write_back lists Salesforce fields.", "Write `Field__c: fact` lines.")
        found = []
        for name, fact in value.items() if isinstance(value, dict) else ():
            at = (*keys, name)
            self._check_field(name, at, self.written if written is None else written)
            self._check_fact(str(fact or ""), at, facts)
            origin = self.complaints.origin(at)
            found.append(WriteBack(name, str(fact), origin.line, origin.file))
        return tuple(found)

    def inbound(self, value: Any, facts: FactTable) -> tuple[Inbound, ...]:
        """The lines of ``inbound``: fields of the record that take a value of AWS."""
        if value is not None and not isinstance(value, dict):
            message = "inbound lists Salesforce fields."
            self.complaints.add(("inbound",), message, "Write `Field__c: fact` lines.")
        found = []
        for name, inner in value.items() if isinstance(value, dict) else ():
            keys = ("inbound", name)
            self._check_field(name, keys, self.written)
            leaf = self._fact_leaf(inner, keys, facts)
            if leaf is not None:
                found.append(Inbound(name, leaf, leaf.origin.line))
        return tuple(found)

    def _check_field(self, name: str, keys: Keys, written: dict[str, str]) -> None:
        section = str(keys[0])
        if not NAME.fullmatch(name):
            self.complaints.add(
                keys, f"{name!r} is not a field of the record.", "Write back to fields of the record itself."
            )
        elif name.lower() in written:
            message = f"{name} is filled by a line of {written[name.lower()]} already."
            self.complaints.add(keys, message, "Keep one of the lines.")
        else:
            written[name.lower()] = section

    def _check_fact(self, fact: str, keys: Keys, facts: FactTable) -> None:
        wrong = facts.look_over(fact)
        if wrong is not None:
            self.complaints.add(keys, wrong.message, wrong.cure)

    def _fact_leaf(self, value: Any, keys: Keys, facts: FactTable) -> Leaf | None:
        if isinstance(value, str):
            value = {"from": value}
        if not isinstance(value, dict) or value.get("from") in NOTHING:
            cure = "Write e.g. `AWS_Stage__c: aws.LifeCycle.Stage`."
            self.complaints.add_missing(keys, f"{keys[-1]} names no fact.", cure)
            return None
        before = len(self.complaints.found)
        self.complaints.check_names(keys, value, _INBOUND_KEYS)
        if "otherwise" in value and "values" not in value:
            message = "otherwise needs values beside it."
            self.complaints.add((*keys, "otherwise"), message, "Remove it: an empty fact changes nothing.")
        given = value["from"]
        names = [str(name or "") for name in given] if isinstance(given, list) else [str(given)]
        for index, name in enumerate(names):
            at = (*keys, "from", index) if isinstance(given, list) else (*keys, "from")
            self._check_fact(name, at, facts)
        leaf = Leaf(
            path=f"inbound.{keys[-1]}",
            origin=self.complaints.origin(keys, tuple(names)),
            shape=Shape("string"),
            sources=tuple(Path(name, (name,), (), _reader_of(name)) for name in names),
            values=self.leaves.values_of(value, keys),
            otherwise=value.get("otherwise"),
            steps=self.leaves.steps_of(value, keys),
        )
        self.leaves.note(leaf, keys, before)
        return leaf


def _reader_of(name: str) -> Callable[[Any], Any]:
    """Reads one fact of those that are known, by name."""

    def read(facts: Mapping[str, Any]) -> Any:
        return facts.get(name)

    return read
