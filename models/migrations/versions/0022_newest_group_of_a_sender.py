"""An index of the groups of each sender, for reports and for the deletion of old senders."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Upgrade."""
    op.create_index("ix_send_groups_sender_id_started_at", "send_groups", ["sender_id", "started_at"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_send_groups_sender_id_started_at", "send_groups")
