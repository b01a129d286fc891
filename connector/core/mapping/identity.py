"""Whether a mapping lets the connector know its own opportunities again. Decides nothing else."""

from __future__ import annotations

from connector.core.mapping.complaints import Document, Keys
from connector.core.mapping.nodes import ADOPTED, CompiledMapping, Leaf
from connector.errors import FileProblem


def check_identity(document: Document, mapping: CompiledMapping) -> FileProblem | None:
    """The problem of a mapping that does not send the record's own id as AWS's partner identifier.

    By it an opportunity is found again whose create was never answered, or which an empty ledger does not know: with
    anything else it would be created twice, and AWS never deletes.
    """
    leaf = mapping.tree.members.get(ADOPTED)
    if isinstance(leaf, Leaf) and _is_own_id(leaf):
        return None
    cure = f"Write `{ADOPTED}: Id` below opportunity:; what an earlier integration sent goes to salesforce.adopt."
    keys: Keys = ("opportunity",) if leaf is None else ("opportunity", ADOPTED)
    message = "The record's Id must be sent as PartnerOpportunityIdentifier: by it its opportunity is found again."
    return document.problem(keys, message, cure)


def _is_own_id(leaf: Leaf) -> bool:
    changed = leaf.steps or leaf.values or leaf.when is not None or leaf.template is not None
    return bool(leaf.sources) and leaf.sources[0].text.casefold() == "id" and not changed
