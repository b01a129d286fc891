"""The `event` keys of the log, collected from the source, with their levels and what each means."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

PACKAGE = Path(__file__).parents[1] / "connector"
LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "exception": "ERROR",
    "critical": "CRITICAL",
}
ORDER = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

MEANINGS: Mapping[str, str] = {
    "account_unknown": "STS did not tell the AWS account; the quota is kept by access key instead",
    "adopted": "what a person or another tool made at AWS for this record is taken over; nothing was made anew",
    "alert": "what the webhook is told: something needs a person; at INFO that it is over",
    "alert_webhook": "the webhook takes no alert, which is tried again until it does; at INFO that it takes them again",
    "aws_call": "one call to AWS with its request, where `partner_central.debug_log` asks for it: only enums, dates, "
    "booleans, numbers and ids; other text is starred out, and so is what AWS's model calls sensitive",
    "config_differs": "another worker serves a connection with other files; give all machines the same",
    "cut_off": "the time to stop was over while these were under way; each is looked up at the next start",
    "fence_lost": "another worker has the AWS account since; the turn ends and nothing more is sent",
    "fields_barred": "Salesforce lets the connector not write these fields any more, or again",
    "fields_refused": "Salesforce refuses fields of an invitation's row; the others are written",
    "inbound_failed": "a value of AWS fits no Salesforce field as the mapping has it",
    "job_failed": "a loop failed, or a worker's reload of one connection, and tries again by itself, with growing "
    "pauses; told once for each reason",
    "job_crashed": "a loop, or a connection's end, failed unexpectedly: a fault of the connector, worth a report",
    "ledger_back": "a worker's ledger and queue work again",
    "ledger_lost": "the database refused in the middle of a turn, which ends; nothing is sent without it",
    "ledger_out": "a worker cannot use its database and tries again",
    "limit_reached": "a guard holds the connection until a person decides; `connector status` says how",
    "mapping_failed": "a transform failed on this record, which is held",
    "no_traces": "`OTEL_` variables ask for traces, and they cannot be made; the sync runs without",
    "operation": "a write to AWS and how it ended",
    "page_count_failed": "the figures of the page could not be counted; the older ones are shown",
    "page_failed": "a page could not be made; the sync goes on",
    "pulled": "Salesforce was asked what changed",
    "put_off": "trouble around one record; it is tried again by itself",
    "queue_failed": "a worker's queue stopped unexpectedly; it begins anew by itself",
    "recovered": "a loop that failed works again",
    "refresh_failed": "AWS's side of one deal could not be read; it is tried again by itself",
    "refused": "a connection reaches another account, org or catalog than its ledger, and must not run",
    "release_void": "the record changed after a person released it, so it keeps waiting",
    "reload_refused": "after SIGHUP the files were wrong, one line for each mistake; all goes on as it was",
    "reloaded": "after SIGHUP: what is new, gone and changed",
    "rescued": "a worker is not heard of any more; another one goes on with its connection",
    "restart_needed": "after SIGHUP: a change that counts from the next start only",
    "rested": "a record has come to rest: synced, held, or waiting for somebody",
    "sign_in_unnoted": "somebody signed in to the page, and the audit trail could not be written",
    "simulation_denied": "IAM does not let the connector ask what it may do",
    "start_failed": "a connection cannot be started and is tried again by itself; the others go on",
    "started": "the daemon runs",
    "stopped": "the daemon has stopped, and nothing is in flight",
    "summary_denied": "IAM does not allow `GetAwsOpportunitySummary`; the rest goes on",
    "traces_delivered": "the collector takes traces again",
    "traces_lost": "the collector does not take traces; the sync goes on",
    "turn": "what a worker did in one turn of a connection",
    "turn_failed": "a worker's turn of a connection failed; it comes again by itself",
    "usage_lost": "calls of a connection that ended are missing from the count of the day",
    "watch_failed": "the watch met something unexpected, and goes on",
    "web_failed": "the page has stopped; the sync goes on",
    "web_port": "the page's port is taken; tried again by itself, and the sync goes on",
    "web_started": "where the page is",
    "write_back_failed": "Salesforce refuses to show a record's state; its row is parked until it changes or `retry`",
}


@dataclass(frozen=True)
class Told:
    """One place that logs."""

    event: str
    levels: frozenset[str]
    place: str


def places() -> list[Told]:
    """Every place of the product that logs, and its event; "" where none can be found."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "sandbox"):
            continue
        module = ast.parse(path.read_text(encoding="utf-8"))
        for call in calls_of(module):
            where = f"{path.relative_to(PACKAGE.parent)}:{call.lineno}"
            function = function_around(module, call)
            events = events_of(module, function, call) or {""}
            levels = frozenset(levels_of(module, function, call))
            found += [Told(event, levels, where) for event in sorted(events)]
    return found


def calls_of(module: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {*LEVELS, "log"}:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "logger":
                yield node


def function_around(module: ast.Module, call: ast.Call) -> ast.AST:
    """The innermost function that the call stands in."""
    around = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= call.lineno <= (node.end_lineno or 0)
    ]
    return max(around, key=lambda node: node.lineno, default=module)


def events_of(module: ast.Module, function: ast.AST, call: ast.Call) -> set[str]:
    extra = next((keyword.value for keyword in call.keywords if keyword.arg == "extra"), None)
    return set() if extra is None else set(keys_in(module, function, extra))


Bound = Mapping[str, frozenset[str]]
"""The words that a function's parameters may be in one call."""


def keys_in(module: ast.Module, function: ast.AST, node: ast.AST, bound: Bound = MappingProxyType({})) -> Iterator[str]:
    """What the key "event" may be in an expression: written out, in a variable, or given by a function nearby."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                yield from keys_in(module, function, value, bound)
            elif isinstance(key, ast.Constant) and key.value == "event":
                yield from words_in(function, value, bound)
    elif isinstance(node, ast.BinOp):
        yield from keys_in(module, function, node.left, bound)
        yield from keys_in(module, function, node.right, bound)
    elif isinstance(node, ast.Name):
        for value in assigned(function, node.id):
            yield from keys_in(module, function, value, bound)
    elif isinstance(node, ast.Call):
        yield from keys_given(module, function, node)


def keys_given(module: ast.Module, caller: ast.AST, call: ast.Call) -> Iterator[str]:
    """What a function of the same module gives to this caller."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    for other in ast.walk(module):
        if isinstance(other, ast.FunctionDef) and other.name == name:
            bound = bind(other, caller, call)
            for returned in ast.walk(other):
                if isinstance(returned, ast.Return) and returned.value is not None:
                    yield from keys_in(module, other, returned.value, bound)


def bind(function: ast.FunctionDef, caller: ast.AST, call: ast.Call) -> Bound:
    """The parameters of a function as this call has them; what it leaves out has its default."""
    named = [one.arg for one in function.args.args if one.arg != "self"]
    defaults = dict(zip(named[::-1], function.args.defaults[::-1], strict=False))
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    nodes = {**defaults, **dict(zip(named, call.args, strict=False)), **given}
    return {name: frozenset(words_in(caller, node, {})) for name, node in nodes.items()}


def words_in(function: ast.AST, node: ast.AST, bound: Bound) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from words_in(function, node.body, bound)
        yield from words_in(function, node.orelse, bound)
    elif isinstance(node, ast.Name) and node.id in bound:
        yield from bound[node.id]
    elif isinstance(node, ast.Name):
        for value in assigned(function, node.id):
            yield from words_in(function, value, bound)


def assigned(function: ast.AST, name: str) -> Iterator[ast.AST]:
    """What a variable is given inside a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name and node.value is not None:
            yield node.value
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if getattr(target, "id", "") == name:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=True)
                yield from (value for one, value in pairs if getattr(one, "id", "") == name)


def levels_of(module: ast.Module, function: ast.AST, call: ast.Call) -> set[str]:
    assert isinstance(call.func, ast.Attribute)
    if call.func.attr in LEVELS:
        return {LEVELS[call.func.attr]}
    inside = named_in(call.args[0])
    if inside or not isinstance(call.args[0], ast.Name):
        return inside
    name = call.args[0].id
    given = {level for value in assigned(function, name) for level in named_in(value)}
    return given or levels_given(module, function, name)


def levels_given(module: ast.Module, function: ast.AST, name: str) -> set[str]:
    """The levels that a function is called with, anywhere in the product."""
    called = getattr(function, "name", "")
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if called and f"{called}(" in text:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and called == getattr(node.func, "id", getattr(node.func, "attr", "")):
                    found |= {level for word in node.args for level in named_in(word)}
    return found


def named_in(node: ast.AST) -> set[str]:
    """Levels that stand in an expression as logging has them."""
    return {inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute) and inner.attr in ORDER}


def rows() -> list[tuple[str, str, str]]:
    """Event, levels and meaning of all there are."""
    levels: dict[str, set[str]] = {}
    for told in places():
        if told.event:
            levels.setdefault(told.event, set()).update(told.levels)
    return [
        (f"`{event}`", ", ".join(sorted(levels[event], key=ORDER.index)), MEANINGS.get(event, ""))
        for event in sorted(levels)
    ]
