"""Find the records of which Salesforce refused to show something without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NAME = "ix_link_write_back_error"
_REFUSED = sa.text("write_back_error != ''")


def upgrade() -> None:
    op.create_index(_NAME, "link", ["connection", "catalog"], sqlite_where=_REFUSED, postgresql_where=_REFUSED)


def downgrade() -> None:
    op.drop_index(_NAME, "link")
