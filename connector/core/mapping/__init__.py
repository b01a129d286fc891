"""The mapping file: its shape, how it is read, and how a record becomes what AWS should hold."""

from __future__ import annotations

from connector.core.mapping.cases import run_cases
from connector.core.mapping.compiler import Shapes, compile_mapping
from connector.core.mapping.complaints import Document
from connector.core.mapping.joined import join
from connector.core.mapping.mapper import map_record
from connector.core.mapping.nodes import CompiledMapping

__all__ = ["CompiledMapping", "Document", "Shapes", "compile_mapping", "join", "map_record", "run_cases"]
