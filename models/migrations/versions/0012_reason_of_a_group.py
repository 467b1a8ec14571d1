"""Keep the reason why a group's e-mails were given back untried."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("send_groups", sa.Column("reason", sa.Text(), nullable=True))
    where = sa.text("reason IS NOT NULL")
    op.create_index("ix_send_groups_untried", "send_groups", ["campaign_id", "step", "id"], postgresql_where=where)


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_send_groups_untried", table_name="send_groups")
    op.drop_column("send_groups", "reason")
