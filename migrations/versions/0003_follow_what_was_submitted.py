"""Follow what was submitted: AWS's own word, the owner, invitations, and what inbound fields were given."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = ("refusals", "aws", "assigned", "invitations", "taken")
_INSTANTS = ("refresh_at", "answer_at")


def upgrade() -> None:
    for name in _JSON:
        op.add_column("link", sa.Column(name, sa.JSON(), nullable=True))
    for name in _INSTANTS:
        op.add_column("link", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
        op.create_index(f"ix_link_{name}", "link", ["connection", "catalog", name])
    # What an earlier version submitted is followed from now on.
    link = sa.table("link", sa.column("opportunity_id", sa.String()), sa.column("refresh_at", sa.DateTime(True)))
    op.execute(link.update().where(link.c.opportunity_id != "").values(refresh_at=sa.func.current_timestamp()))


def downgrade() -> None:
    with op.batch_alter_table("link") as batch_op:
        for name in _INSTANTS:
            batch_op.drop_index(f"ix_link_{name}")
        for name in (*_INSTANTS, *_JSON):
            batch_op.drop_column(name)
