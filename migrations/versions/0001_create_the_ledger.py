"""Create the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection", sa.String(length=63), nullable=False),
        sa.Column("catalog", sa.String(length=16), nullable=False),
        sa.Column("salesforce_id", sa.String(length=18), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("presence", sa.String(length=16), nullable=False),
        sa.Column("mapped", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("content", sa.String(length=32), nullable=False),
        sa.Column("opportunity_id", sa.String(length=32), nullable=False),
        sa.Column("candidate_id", sa.String(length=32), nullable=False),
        sa.Column("existing", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("base", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("attached", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("task", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("submitted", sa.String(length=32), nullable=False),
        sa.Column("refusal", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shown", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("write_back_error", sa.Text(), server_default="", nullable=False),
        sa.Column("rest_status", sa.String(length=16), nullable=False),
        sa.Column("rest_message", sa.Text(), server_default="", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("poll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("write_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint(
            "connection", "catalog", "salesforce_id", name=op.f("uq_link_connection_catalog_salesforce_id")
        ),
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index("ix_link_due_at", ["connection", "catalog", "due_at"], unique=False)
        batch_op.create_index("ix_link_opportunity_id", ["connection", "catalog", "opportunity_id"], unique=False)
        batch_op.create_index("ix_link_poll_at", ["connection", "catalog", "poll_at"], unique=False)
        batch_op.create_index("ix_link_rest_status", ["connection", "catalog", "rest_status"], unique=False)
        batch_op.create_index("ix_link_write_back_at", ["connection", "catalog", "write_back_at"], unique=False)

    op.create_table(
        "request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection", sa.String(length=63), nullable=False),
        sa.Column("salesforce_id", sa.String(length=18), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request")),
    )
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_request_connection"), ["connection"], unique=False)

    op.create_table(
        "sighting",
        sa.Column("connection", sa.String(length=63), nullable=False),
        sa.Column("catalog", sa.String(length=16), nullable=False),
        sa.Column("opportunity_id", sa.String(length=32), nullable=False),
        sa.Column("partner_identifier", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("connection", "catalog", "opportunity_id", name=op.f("pk_sighting")),
    )
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sighting_partner_identifier", ["connection", "catalog", "partner_identifier"], unique=False
        )

    op.create_table(
        "usage",
        sa.Column("connection", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "kind", "hour", name=op.f("pk_usage")),
    )
    op.create_table(
        "watermark",
        sa.Column("connection", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("connection", "name", name=op.f("pk_watermark")),
    )
    op.create_table(
        "operation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("link_id", sa.Integer(), nullable=False),
        sa.Column("connection", sa.String(length=63), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("intent", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("client_token", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("response", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["link.id"], name=op.f("fk_operation_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
    )
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.create_index("ix_operation_created_at", ["connection", "action", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_operation_link_id"), ["link_id"], unique=False)
        batch_op.create_index("ix_operation_sent_at", ["connection", "sent_at", "attempts"], unique=False)
        batch_op.create_index(batch_op.f("ix_operation_state"), ["state"], unique=False)
        batch_op.create_index(
            "uq_operation_open_link",
            ["link_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("operation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_operation_open_link", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )
        batch_op.drop_index(batch_op.f("ix_operation_state"))
        batch_op.drop_index("ix_operation_sent_at")
        batch_op.drop_index(batch_op.f("ix_operation_link_id"))
        batch_op.drop_index("ix_operation_created_at")

    op.drop_table("operation")
    op.drop_table("watermark")
    op.drop_table("usage")
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.drop_index("ix_sighting_partner_identifier")

    op.drop_table("sighting")
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_request_connection"))

    op.drop_table("request")
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_index("ix_link_write_back_at")
        batch_op.drop_index("ix_link_rest_status")
        batch_op.drop_index("ix_link_poll_at")
        batch_op.drop_index("ix_link_opportunity_id")
        batch_op.drop_index("ix_link_due_at")

    op.drop_table("link")
