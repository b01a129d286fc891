"""The mapping file: its shape, how it is read, and how a record becomes what AWS should hold."""

from __future__ import annotations

from connector.core.mapping.case_runs import run_cases
from connector.core.mapping.compiler import Reading, Shapes, compile_mapping, read_as_far_as_possible
from connector.core.mapping.complaints import Document
from connector.core.mapping.identity import check_identity
from connector.core.mapping.joined import join
from connector.core.mapping.mapper import map_record
from connector.core.mapping.nodes import CompiledMapping

__all__ = [
    "CompiledMapping",
    "Document",
    "Reading",
    "Shapes",
    "check_identity",
    "compile_mapping",
    "join",
    "map_record",
    "read_as_far_as_possible",
    "run_cases",
]
