"""Mapping files of a few lines, compiled against AWS's real model, and what comes of a record."""

from __future__ import annotations

from datetime import date
from textwrap import dedent, indent
from typing import Any

from connector import yamlfile
from connector.adapters.partner_central import mapping_shapes
from connector.core.mapping import CompiledMapping, compile_mapping, map_record
from connector.core.model import Mapped, Problem
from connector.errors import FileProblem
from connector.mapping_files import transforms

FILE = "mappings/small.yaml"
TODAY = date(2026, 11, 21)


def problems_of(text: str) -> tuple[FileProblem, ...]:
    """Every problem of a whole mapping file."""
    mapping, problems = compile_mapping(yamlfile.parse(dedent(text), FILE), mapping_shapes(), transforms())
    assert (mapping is None) == bool(problems)
    return problems


def small(tree: str, sections: str = "") -> str:
    """A mapping file with this tree below ``opportunity:``."""
    head = "version: 1\nsalesforce: {object: Opportunity, where: Share_With_AWS__c = TRUE}\nopportunity:\n"
    return head + indent(dedent(tree).strip("\n"), "  ") + "\n" + dedent(sections)


def compiled(tree: str, sections: str = "") -> CompiledMapping:
    """A small mapping that must be right."""
    document = yamlfile.parse(small(tree, sections), FILE)
    mapping, problems = compile_mapping(document, mapping_shapes(), transforms())
    assert mapping is not None, [str(problem) for problem in problems]
    return mapping


def mapped(tree: str, record: dict[str, Any], sections: str = "") -> Mapped:
    """A record put through a small mapping."""
    return map_record(compiled(tree, sections), record, TODAY)


def sent(tree: str, record: dict[str, Any]) -> dict[str, Any]:
    """What AWS would get of a record."""
    return mapped(tree, record).opportunity


def problem_at(result: Mapped, path: str) -> Problem:
    """The one problem told at a path."""
    (found,) = [problem for problem in result.problems if problem.path == path]
    return found
