"""Index the groups of senders by lane and start, to find when a lane was last worked on."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Upgrade."""
    op.create_index("ix_send_groups_lane_started_at", "send_groups", ["lane", "started_at"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_send_groups_lane_started_at", table_name="send_groups")
