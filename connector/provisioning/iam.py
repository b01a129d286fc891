"""The IAM policies that a configuration and its mappings need: as little as possible, in their catalogs only.

Writes JSON structures and asks nobody: it is for an administrator to look at and to attach.
"""

from __future__ import annotations

from collections.abc import Iterable

from connector.core.actions import CATALOG_KEY, Action, needed
from connector.core.mapping import CompiledMapping
from connector.core.model import Structure

MOST = 6144
"""Characters, without white space, that IAM takes for a managed policy."""
_VERSION = "2012-10-17"


def policy(wanted: Iterable[tuple[str, CompiledMapping]]) -> Structure:
    """What the connector may do at AWS; ``wanted`` are the catalogs of its connections with their mappings.

    Each catalog is granted what its own mappings need; catalogs that need the same share a statement.
    """
    by_catalog: dict[str, set[Action]] = {}
    for catalog, mapping in wanted:
        by_catalog.setdefault(catalog, set()).update(needed(mapping))
    shared: dict[tuple[str, ...], list[str]] = {}
    for catalog, actions in sorted(by_catalog.items()):
        shared.setdefault(_names(action for action in actions if action.has_catalog), []).append(catalog)
    statements = [_in_catalogs(catalogs, names) for names, catalogs in shared.items()]
    others = _names(action for actions in by_catalog.values() for action in actions if not action.has_catalog)
    if others:
        statements.append(_statement("AwsMarketplace", others))
    return {"Version": _VERSION, "Statement": statements}


def trust_policy(principal: str, external_id: str | None) -> Structure:
    """Who may take on the role that the connector runs as; ``external_id`` has to be named then, if there is one."""
    statement: Structure = {
        "Sid": "Connector",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": _VERSION, "Statement": [statement]}


def caller_policy(role_arns: Iterable[str]) -> Structure:
    """What whoever runs the connector needs to take on these roles."""
    statement = _statement("TakeOnRole", ("sts:AssumeRole",))
    return {"Version": _VERSION, "Statement": [{**statement, "Resource": sorted(set(role_arns))}]}


def _names(actions: Iterable[Action]) -> tuple[str, ...]:
    return tuple(sorted({action.name for action in actions}))


def _in_catalogs(catalogs: list[str], names: tuple[str, ...]) -> Structure:
    statement = _statement(f"PartnerCentral{''.join(catalogs)}", names)
    return {**statement, "Condition": {"StringEquals": {CATALOG_KEY: catalogs}}}


def _statement(sid: str, names: tuple[str, ...]) -> Structure:
    return {"Sid": sid, "Effect": "Allow", "Action": list(names), "Resource": "*"}
