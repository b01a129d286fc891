"""The pages of docs/ that are made from the code: `make docs` writes them, and the tests compare them.

A page is made as a whole, or has parts between `<!-- made: NAME -->` and `<!-- end -->` in a page that people write.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from connector.adapters.partner_central import mapping_shapes
from connector.cli import main as cli
from connector.config import models
from connector.config.models import ConfigFile, Section
from connector.core.catalogue import Source, entries
from connector.core.mapping.compiler import without_members
from connector.core.mapping.fact_names import SYNC_FACTS
from connector.core.mapping.leaves import LEAF_KEYS
from connector.core.mapping.nodes import CompiledMapping, Leaf, leaves_of
from connector.core.mapping.tree import SENT_BY_CONNECTOR
from connector.core.messages import GRAMMAR
from connector.core.rules import USE_CASES
from connector.core.rules.associations import ASSOCIATION_SHAPES
from connector.core.schema import Shape
from connector.core.transforms import TRANSFORMS
from connector.mapping_files import load_mapping
from connector.provisioning.salesforce.documented import documented_values
from connector.provisioning.salesforce.package import Package, derive
from connector.resources import packaged
from tests import events

DOCS = Path(__file__).parents[1] / "docs"
MADE = "<!-- Made from the code by `make docs`; edits here are lost. -->"


def table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", MADE, *parts)) + "\n"


# -- commands ----------------------------------------------------------------------------------------


def commands_page() -> str:
    intro = (
        "Errors are one sentence saying what is wrong and one saying what to do. Exit codes: 0 done; 1 done, but "
        "some records are held; 2 a person must edit something; 3 halted (credentials, permission, quota, a "
        "limit, another process owns the ledger, or a service out of reach)."
    )
    return page("Commands", intro, *(command_part(command, path) for path, command in commands_of(cli, "connector")))


def commands_of(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def command_part(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    told = re.sub(r"\s*\n\s*", " ", re.sub(r"\n\s*\n\s*", "  ", (command.help or "").strip())).replace("  ", " ")
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    rows = [option_row(option, context) for option in options]
    return f"## `{path}`\n\n{told}\n\n```\n{usage}\n```\n\n" + table(("Option", "Does"), rows)


def option_row(option: click.Option, context: click.Context) -> tuple[str, str]:
    names, told = option.get_help_record(context) or ("", "")
    return f"`{names}`", re.sub(r"\s+", " ", told)


# -- config ------------------------------------------------------------------------------------------

KINDS: Mapping[str, str] = {
    "Duration": "duration: `500ms`, `30s`, `5m`, `2h`, `1d`",
    "Text": "text",
    "Secret": "secret",
    "PrivateKey": "secret, PEM",
    "HostUrl": "https address",
    "ServiceUrl": "address",
    "ProxyUrl": "address",
    "DatabaseUrl": "SQLAlchemy URL",
    "ExistingDirectory": "path of a directory",
    "ExistingFile": "path",
    "MappingFiles": "path, or list of paths",
    "OrganizationId": "id, `00D…`",
    "ApiVersion": "text",
    "HeaderText": "text",
    "RoleArn": "ARN",
    "Rate": "number above 0",
    "Count": "whole number above 0",
    "Number": "whole number",
    "Share": "0 to 1",
    "bool": "`true` or `false`",
    "Auth": "section",
    "ListenAddress": "address and port, or `off`",
    "Token": "secret, 16 characters or more",
    "Webhook": "https address, a secret",
    "tuple[Text, ...]": "list of names",
}
SECTIONS = (
    ("", ConfigFile),
    ("schedule", models.Schedule),
    ("log", models.Log),
    ("web", models.Web),
    ("health", models.Health),
    ("alerts", models.Alerts),
    ("fleet", models.Fleet),
    ("connections.NAME", models.Connection),
    ("connections.NAME.salesforce", models.Salesforce),
    ("connections.NAME.salesforce.auth", models.ClientCredentials),
    ("connections.NAME.salesforce.auth", models.JwtBearer),
    ("connections.NAME.salesforce.auth", models.AccessToken),
    ("connections.NAME.partner_central", models.PartnerCentral),
    ("connections.NAME.partner_central.quota", models.Quota),
    ("connections.NAME.limits", models.Limits),
)


def config_page() -> str:
    intro = (
        "Every key of config.yaml; `config.example.yaml` has them all with comments. `${NAME}` reads the "
        "environment and `${file:PATH}` a file; `$$` is a dollar sign. Relative paths are relative to "
        "config.yaml. An unknown key is an error. `connector check --offline` tells every mistake at once."
    )
    sources = class_sources(Path(models.__file__ or "").read_text(encoding="utf-8"))
    return page("config.yaml", intro, *(section_part(path, kind, sources[kind.__name__]) for path, kind in SECTIONS))


Sources = dict[str, tuple[str, str]]
"""Of each key: its type as the code has it, and its docstring."""


def class_sources(text: str) -> dict[str, Sources]:
    return {node.name: key_sources(node) for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}


def key_sources(found: ast.ClassDef) -> Sources:
    told: Sources = {}
    for node, following in zip(found.body, [*found.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            words = following.value.value if is_text(following) else ""  # type: ignore[union-attr]
            told[node.target.id] = (ast.unparse(node.annotation), re.sub(r"\s+", " ", str(words)))
    return told


def is_text(node: ast.stmt | None) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def section_part(path: str, kind: type[Section], told: Sources) -> str:
    method = f", `method: {told['method'][0].split(chr(39))[1]}`" if "method" in told else ""
    rows = [
        (f"`{name}`", kind_of(told[name][0]), default_of(field), told[name][1])
        for name, field in kind.model_fields.items()
    ]
    title = f"## `{path}`{method}\n\n" if path else "## The file\n\n"
    return title + table(("Key", "Takes", "Default", "Means"), rows)


def kind_of(annotation: str) -> str:
    """A type of the code in words; those that are said here are refused where nobody has said them."""
    name = annotation.removesuffix(" | None")
    choices = re.search(r"Literal\[(.*?)\]", name)
    if choices is not None:
        return ", ".join(f"`{choice.strip().strip(chr(39))}`" for choice in choices[1].split(","))
    if name in {cls.__name__ for _, cls in SECTIONS} or name.startswith("Annotated[dict"):
        return "section"
    if name.startswith("Annotated[float"):
        return "above 0, up to 1"
    if name.startswith("Annotated[int"):
        return "whole number"
    return KINDS[name]


def default_of(field: Any) -> str:
    value = None if field.is_required() else field.default
    if field.is_required():
        return "needed"
    if isinstance(value, timedelta):
        return f"`{duration_of(value)}`"
    if value is None or isinstance(value, Section) or value == "":
        return "-"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def duration_of(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds}s"


# -- AWS's members -----------------------------------------------------------------------------------


def fields_page() -> str:
    files = (packaged("mappings", "opportunity.yaml"), packaged("mappings", "invitations.yaml"))
    mapping, shapes = load_mapping(files), mapping_shapes()
    assert mapping.submission is not None
    assert mapping.invitations is not None
    intro = (
        "Every member that a mapping may fill, as the installed botocore's model of AWS has it, and what the "
        "shipped mapping fills it from. Where AWS takes certain values only, they are listed; what a rule of AWS "
        "asks for beyond that, `connector check` and the record's own messages tell."
    )
    identifiers = Shape("structure", dict.fromkeys(shapes.entity_types, Shape("string")))
    associated = {leaf.path.rpartition(".")[2]: leaf for leaf in mapping.associate.values()}
    return page(
        "What may be mapped",
        intro,
        part("opportunity", without_members(shapes.create, SENT_BY_CONNECTOR), by_path(leaves_of(mapping.tree))),
        part("associate", identifiers, associated),
        part("submission", shapes.submission, by_path(leaves_of(mapping.submission.members), "AwsSubmission.")),
        part("assign", shapes.assignee, {}),
        part("invitations", shapes.invitation, invitation_leaves(mapping)),
    )


def invitation_leaves(mapping: CompiledMapping) -> dict[str, Leaf]:
    assert mapping.invitations is not None
    return by_path(leaves_of(mapping.invitations.items[0].tree), "Invitation.")


def by_path(leaves: Any, root: str = "") -> dict[str, Leaf]:
    return {re.sub(r"\[\d+\]", "[]", leaf.path.removeprefix(root)): leaf for leaf in leaves}


def part(section: str, shape: Shape, leaves: Mapping[str, Leaf]) -> str:
    required = set(required_of(shape))
    rows = [
        (f"`{path}`" + (" (needed)" if path in required else ""), takes(path, inner), filled_from(leaves.get(path)))
        for path, inner in shape.leaves()
    ]
    return f"## `{section}:`\n\n" + table(("Member", "Takes", "In the shipped mapping"), rows)


def required_of(shape: Shape, above: str = "") -> Iterator[str]:
    """What AWS always asks for, at the top and in each structure that is sent."""
    inner = shape.item if shape.kind == "list" and shape.item is not None else shape
    for name, member in inner.members.items():
        if name in inner.required:
            yield f"{above}{name}"
        yield from required_of(member, f"{above}{name}{'[]' if member.kind == 'list' else ''}.")


MANY = 40
"""More values than this are countries and currencies, which nobody looks up here."""


def takes(path: str, shape: Shape) -> str:
    inner, many = (shape.item, "list of ") if shape.kind == "list" and shape.item is not None else (shape, "")
    values = USE_CASES if path == "Project.CustomerUseCase" else inner.enum
    if len(values) > MANY:
        return f"{many}one of {len(values)} values: {', '.join(f'`{value}`' for value in values[:5])}, …"
    if values:
        return many + ", ".join(f"`{value}`" for value in values)
    return many + bounds_of(inner) + (f", at most {shape.max}" if many and shape.max else "")


def bounds_of(shape: Shape) -> str:
    length = re.fullmatch(r"\(\?s\)\.\{(\d+),(\d+)\}", shape.pattern)
    if length is not None:
        return f"text, {length[1]} to {length[2]} characters"
    if shape.pattern:
        return f"{'text' if shape.kind == 'string' else shape.kind} like `{shape.pattern}`"
    low, high = shape.min, shape.max
    words = "text" if shape.kind == "string" else shape.kind
    if high is not None:
        unit = " characters" if shape.kind == "string" else ""
        return f"{words}, {low or 0} to {high}{unit}"
    return words


def filled_from(leaf: Leaf | None) -> str:
    if leaf is None:
        return "-"
    if leaf.constant is not None:
        return f"always `{leaf.constant}`"
    return ", ".join(f"`{name}`" for name in leaf.origin.fields)


# -- facts -------------------------------------------------------------------------------------------


def facts_page() -> str:
    shapes = mapping_shapes()
    intro = (
        "What `write_back:` and `inbound:` may name, beside `sync.status`, `sync.message` and `sync.at`. Of a "
        "list a fact gives every item's value; `[0]` chooses one by number, and `[AWSSalesRep]` one of the team "
        "by role. Whoever has a first and a last name has a `Name` too. [mapping.md](mapping.md) says how facts "
        "are used."
    )
    assert SYNC_FACTS == ("sync.status", "sync.message", "sync.at")
    roots = (
        ("opportunity", shapes.opportunity, "What GetOpportunity and ListOpportunities tell."),
        ("aws", shapes.aws, "AWS's own view, of GetAwsOpportunitySummary."),
        ("task", shapes.task, "The submission's task."),
        (
            "invitation",
            shapes.invitation_answer,
            "In `write_back` of `invitations` only: what GetEngagementInvitation tells.",
        ),
    )
    return page("Facts", intro, *(facts_part(*root) for root in roots))


def facts_part(root: str, shape: Shape, told: str) -> str:
    rows = [(f"`{root}.{path.replace('[]', '')}`", takes(path, inner)) for path, inner in shape.leaves()]
    return f"## `{root}.…`\n\n{told}\n\n" + table(("Fact", "Is"), rows)


# -- Salesforce --------------------------------------------------------------------------------------


def salesforce_page() -> str:
    mapping = load_mapping((packaged("mappings", "opportunity.yaml"), packaged("mappings", "invitations.yaml")))
    package = derive({"shipped": mapping}, "66.0", mapping_shapes(), documented_values)
    intro = (
        "The custom fields that the shipped mappings use, as `connector salesforce-package` makes them: their types "
        "follow from what AWS takes. Rename or leave out any of them in the mapping, and make the project again. The "
        "object `AWS_Partner_Invitation__c` is only needed to invite partners."
    )
    parts = [
        part for sobject in ("Opportunity", *(c.name for c in package.children)) for part in fields_of(package, sobject)
    ]
    sets = table(("Permission set", "Is"), [(f"`{one.name}`", one.description) for one in package.permission_sets])
    views = table(("List view", "On"), [(one.label, f"`{one.sobject}`") for one in package.views])
    return page("Salesforce", intro, *parts, f"## Permission sets\n\n{sets}", f"## List views\n\n{views}")


def fields_of(package: Package, sobject: str) -> list[str]:
    found = []
    for is_written, title in ((False, "filled in by sellers"), (True, "written back, read-only for sellers")):
        rows = [
            (f"`{field.name}`", str(field.type), field.help)
            for field in package.fields
            if field.sobject == sobject and field.is_written is is_written
        ]
        found.append(f"## `{sobject}`: {title}\n\n" + table(("Field", "Type", "For"), rows))
    return found


# -- errors ------------------------------------------------------------------------------------------

SOURCES: Mapping[Source, tuple[str, str]] = {
    Source.AWS_ERROR: (
        "AWS's error list",
        "What AWS says of a field when it refuses a call, and inside the message of a failed task.",
    ),
    Source.AWS_REASON: ("Why a task failed", "The reason code of a submission's task."),
    Source.AWS_EXCEPTION: (
        "Calls that AWS refuses as a whole",
        "`{operation}` stands for the operation that was called.",
    ),
    Source.SALESFORCE_ROW: ("Rows that Salesforce refuses", "Salesforce answers 200 and refuses single rows."),
    Source.SALESFORCE_CALL: ("Calls that Salesforce refuses as a whole", "What is asked for or written as a whole."),
}
CLASSES = (
    ("retry", "nobody: it is tried again soon, by itself"),
    ("deferred", "nobody: it is tried again later, by itself"),
    ("user", "a seller, who edits the record"),
    ("admin", "an administrator of Salesforce or AWS, or whoever runs the connector"),
)


def errors_page() -> str:
    intro = (
        "What the two services answer when something is wrong, and what it means: the same sentences stand in "
        "`AWS_Sync_Message__c`, in `connector show` and in the log. A code that is not listed here keeps the service's "
        "own words. Where no cure is given there is nothing to do."
    )
    grammar = (
        "A failed task's message, as AWS was recorded to write it, is `" + GRAMMAR + "`; each part is told at the "
        "Salesforce field and the mapping's line that its path comes from."
    )
    parts = (source_part(source, *SOURCES[source]) for source in Source)
    classes = table(("Class", "Who can do something about it"), [(f"`{name}`", who) for name, who in CLASSES])
    return page("Errors", intro, classes, grammar, *parts)


def source_part(source: Source, title: str, told: str) -> str:
    rows = [
        (f"`{one.code}`" + (f" ({one.when})" if one.when else ""), f"`{one.kind}`", one.sentence, one.cure or "-")
        for one in entries()
        if one.source is source
    ]
    return f"## {title}\n\n{told}\n\n" + table(("Code", "Class", "Means", "Cure"), rows)


# -- parts of pages that people write ----------------------------------------------------------------


def leaf_keys_part() -> str:
    return table(("Key", "Means"), [(f"`{name}`", means) for name, means in LEAF_KEYS.items()])


def associations_part() -> str:
    named = [f"`{name}`" for name in mapping_shapes().entity_types]
    rows = [(name, f"`{ASSOCIATION_SHAPES[name.strip('`')][1]}`") for name in named]
    return table(("Entity type", "Its identifiers look like"), rows)


def transforms_part() -> str:
    rows = [
        (
            f"`{one.name}`",
            ", ".join(f"{a.name}{'' if a.required else ' (optional)'}" for a in one.arguments) or "-",
            one.summary,
            f"{one.takes} → {one.gives}",
            one.errors,
        )
        for one in sorted(TRANSFORMS.values(), key=lambda one: one.name)
    ]
    return table(("Name", "Arguments", "Does", "Takes → gives", "Cannot use"), rows)


def events_part() -> str:
    return table(("Event", "Level", "Means"), events.rows())


PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "config.md": config_page,
    "fields.md": fields_page,
    "facts.md": facts_page,
    "errors.md": errors_page,
    "salesforce.md": salesforce_page,
}
PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "mapping.md": {"leaf keys": leaf_keys_part, "transforms": transforms_part, "associations": associations_part},
    "operations.md": {"events": events_part},
}


def expected() -> dict[str, str]:
    """What each made page should hold now, by its name in docs/."""
    made = {name: make() for name, make in PAGES.items()}
    for name, parts in PARTS.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        for mark, make in parts.items():
            text = with_part(text, mark, make())
        made[name] = text
    return made


def with_part(text: str, mark: str, part: str) -> str:
    """The text with what stands at a mark replaced; the mark must be there once."""
    pattern = re.compile(rf"(<!-- made: {mark} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    assert len(pattern.findall(text)) == 1, mark
    return pattern.sub(lambda found: found[1] + part + found[2], text)


def main() -> int:
    for name, text in expected().items():
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"docs/{name} was written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
