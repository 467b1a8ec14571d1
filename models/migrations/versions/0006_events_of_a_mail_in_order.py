"""The events of an e-mail by index in the order of their ids, which is that of time."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Forward; the new index serves whom the old one did."""
    op.create_index("ix_events_email_id_id", "events", ["email_id", "id"])
    op.drop_index("ix_events_email_id", table_name="events")


def downgrade() -> None:
    """Back."""
    op.create_index("ix_events_email_id", "events", ["email_id"])
    op.drop_index("ix_events_email_id_id", table_name="events")
