"""Index the events of an e-mail by id, which orders them by time."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Upgrade; the new index replaces the old one."""
    op.create_index("ix_events_email_id_id", "events", ["email_id", "id"])
    op.drop_index("ix_events_email_id", table_name="events")


def downgrade() -> None:
    """Downgrade."""
    op.create_index("ix_events_email_id", "events", ["email_id"])
    op.drop_index("ix_events_email_id_id", table_name="events")
