"""Who caused each write, since when a record is shared, who may write for an account, and which alerts were told.

Of operations that are over only the digest of their body stays, since customers' contacts stand in it.
"""

import hashlib
import json
import re
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_REFUSED = "the audit trail is append-only"


def _text(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    op.add_column("link", sa.Column("flagged_at", _INSTANT, nullable=True))
    op.add_column("link", sa.Column("asked", sa.JSON(), nullable=True))
    op.add_column("link", _text("cause"))
    op.add_column("link", sa.Column("rest_code", sa.String(64), nullable=False, server_default=""))
    op.drop_index("ix_link_rest_status", "link")
    op.create_index("ix_link_rest_status", "link", ["connection", "catalog", "rest_status", "rest_code"])
    op.execute("UPDATE link SET name = substr(name, 1, 255) WHERE length(name) > 255")
    op.create_index("ix_link_name", "link", ["connection", "catalog", "name", "id"])
    # Of two that fit alike SQLite takes the one made last, and this one holds far less.
    refused = sa.text("write_back_error != ''")
    op.drop_index("ix_link_write_back_error", "link")
    op.create_index(
        "ix_link_write_back_error",
        "link",
        ["connection", "catalog"],
        sqlite_where=refused,
        postgresql_where=refused,
    )
    op.add_column("request", _text("asked_by"))
    op.add_column("operation", sa.Column("body_sha256", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("connection", sa.String(63), nullable=False),
        sa.Column("salesforce_id", sa.String(18), nullable=False, server_default=""),
        sa.Column("opportunity_id", sa.String(32), nullable=False, server_default=""),
        sa.Column("operation_id", sa.Integer(), nullable=True),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("action", sa.String(64), nullable=False, server_default=""),
        _text("actor"),
        _text("cause"),
        sa.Column("body_sha256", sa.String(64), nullable=False, server_default=""),
        sa.Column("client_token", sa.String(64), nullable=False, server_default=""),
        _text("detail"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["connection", "at"])
    op.create_index("ix_audit_salesforce_id", "audit", ["connection", "salesforce_id", "at"])
    op.create_table(
        "fence",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        _text("holder"),
        sa.Column("taken_at", _INSTANT, nullable=True),
        sa.Column("released_at", _INSTANT, nullable=True),
        sa.Column("free_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("account", name="pk_fence"),
    )
    op.create_table(
        "alert",
        sa.Column("connection", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        _text("message"),
        sa.Column("since", _INSTANT, nullable=True),
        sa.Column("tell_by", _INSTANT, nullable=True),
        sa.Column("told_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("connection", "kind", name="pk_alert"),
    )
    op.create_table(
        "mention",
        sa.Column("connection", sa.String(63), nullable=False),
        sa.Column("catalog", sa.String(16), nullable=False),
        sa.Column("identifier", sa.String(80), nullable=False),
        sa.Column("link_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "catalog", "identifier", "link_id", name="pk_mention"),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name="fk_mention_link_id"),
    )
    op.create_index("ix_mention_link_id", "mention", ["link_id"])
    _mention_what_is_known()
    _refuse_changes()
    _empty_what_is_over()


_LINK = sa.table(
    "link",
    sa.column("id", sa.Integer),
    sa.column("connection", sa.String),
    sa.column("catalog", sa.String),
    sa.column("task", sa.JSON(none_as_null=True)),
    sa.column("invitations", sa.JSON(none_as_null=True)),
)
_MENTION = sa.table("mention", *(sa.column(name) for name in ("connection", "catalog", "identifier", "link_id")))
_OF_PROCESS = re.compile(r"(?:task|eng|engi|job)-[A-Za-z0-9]{4,60}")


def _mention_what_is_known() -> None:
    bind, last = op.get_bind(), 0
    query = sa.select(_LINK).where(sa.or_(_LINK.c.task.is_not(None), _LINK.c.invitations.is_not(None)))
    query = query.order_by(_LINK.c.id).limit(_ROWS)
    while rows := bind.execute(query.where(_LINK.c.id > last)).all():
        found = [
            {"connection": row.connection, "catalog": row.catalog, "identifier": one, "link_id": row.id}
            for row in rows
            for one in sorted(set(_ids_in([row.task, row.invitations])))
        ]
        if found:
            bind.execute(sa.insert(_MENTION), found)
        last = rows[-1].id


def _ids_in(value: object) -> Iterator[str]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _ids_in(one)
    elif isinstance(value, str) and _OF_PROCESS.fullmatch(value):
        yield value


_OPERATION = sa.table(
    "operation",
    sa.column("id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("body", sa.Text),
    sa.column("body_sha256", sa.String),
    sa.column("intent", sa.JSON(none_as_null=True)),
    sa.column("response", sa.JSON(none_as_null=True)),
    sa.column("error", sa.Text),
)
_ROWS = 500
_KEPT = ("Id", "Arn", "LastModifiedDate", "TaskId", "TaskArn", "TaskStatus", "ReasonCode", "StartTime", "OpportunityId")
_KEPT += ("EngagementId", "EngagementInvitationId", "ResourceSnapshotJobId", "found")
_PEOPLE = ("Contacts", "Contact", "OpportunityTeam", "SenderContacts", "Assignee", "Sender", "Receiver")
_REACHES = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+|(?<![\w+])\+[1-9](?:[ ().\-/]{0,2}\d){6,14}(?!\w)")


def _empty_what_is_over() -> None:
    """Some rows at a time, whatever the ledger has; an open operation keeps all, and gets its digest."""
    bind, last = op.get_bind(), 0
    columns = (_OPERATION.c.id, _OPERATION.c.state, _OPERATION.c.body, _OPERATION.c.intent, _OPERATION.c.response)
    query = sa.select(*columns, _OPERATION.c.error).order_by(_OPERATION.c.id).limit(_ROWS)
    digested = sa.update(_OPERATION).where(_OPERATION.c.id == sa.bindparam("number"))
    digested = digested.values(body_sha256=sa.bindparam("digest"))
    emptied = digested.values(
        {"body": "", **{name: sa.bindparam(f"new_{name}") for name in ("intent", "response", "error")}}
    )
    while rows := bind.execute(query.where(_OPERATION.c.id > last)).all():
        open_ones = [{"number": row.id, "digest": _digest(row.body)} for row in rows if row.state == "open"]
        over = [_emptied(row) for row in rows if row.state != "open"]
        for statement, values in ((digested, open_ones), (emptied, over)):
            if values:
                bind.execute(statement, values)
        last = rows[-1].id


def _digest(body: str) -> str:
    """Of what was emptied before, as by a way back, nobody knows it any more."""
    return hashlib.sha256(body.encode()).hexdigest() if body else ""


def _emptied(row: sa.Row) -> dict:
    intent, response = row.intent or {}, row.response
    paths = {name: [entry[0] for entry in intent[name]] for name in ("changes", "overrules") if intent.get(name)}
    return {
        "number": row.id,
        "digest": _digest(row.body),
        "new_intent": paths or None,
        "new_response": None if response is None else {name: response[name] for name in _KEPT if name in response},
        "new_error": _without_people(row.error, row.body) if row.error else "",
    }


def _without_people(words: str, body: str) -> str:
    """AWS's words without what they quote of a person."""
    for value in sorted(set(_telling(json.loads(body or "{}"), False)), key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "[…]", words)
    return _REACHES.sub("[…]", words)


def _telling(value: object, is_person: bool) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _telling(one, is_person or name in _PEOPLE)
    elif isinstance(value, list):
        for one in value:
            yield from _telling(one, is_person)
    elif isinstance(value, str) and len(value) > 1 and (is_person or " " in value or "@" in value):
        yield value


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # INSERT OR REPLACE deletes without telling any trigger.
        op.execute(
            "CREATE TRIGGER audit_keeps_rows BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        )
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_keeps_{verb.lower()} BEFORE {verb} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )


def downgrade() -> None:
    for name in ("mention", "alert", "fence", "audit"):
        op.drop_table(name)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_audit_change()")
    # Pairs of a path and a value are what an older version reads there.
    op.execute("UPDATE operation SET intent = NULL WHERE state <> 'open'")
    # Column by column: a batch makes the table anew, and SQLite does not let go of one that others refer to.
    op.drop_column("operation", "body_sha256")
    op.drop_column("request", "asked_by")
    op.drop_index("ix_link_name", "link")
    op.drop_index("ix_link_rest_status", "link")
    op.create_index("ix_link_rest_status", "link", ["connection", "catalog", "rest_status"])
    for name in ("rest_code", "cause", "asked", "flagged_at"):
        op.drop_column("link", name)
