"""Who caused each write, since when a record is shared, who may write for an account, and which alerts were told."""

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
    op.create_index("ix_audit_salesforce_id", "audit", ["connection", "salesforce_id"])
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
        sa.Column("state", sa.String(16), nullable=False),
        _text("message"),
        sa.Column("since", _INSTANT, nullable=True),
        sa.Column("told_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("connection", "kind", name="pk_alert"),
    )
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
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
    for name in ("alert", "fence", "audit"):
        op.drop_table(name)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_audit_change()")
    with op.batch_alter_table("operation") as batch_op:
        batch_op.drop_column("body_sha256")
    with op.batch_alter_table("request") as batch_op:
        batch_op.drop_column("asked_by")
    with op.batch_alter_table("link") as batch_op:
        batch_op.drop_column("asked")
        batch_op.drop_column("flagged_at")
