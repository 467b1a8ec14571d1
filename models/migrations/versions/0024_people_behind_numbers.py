"""Index stopped enrollments and conversions, which are few among many, to list the people behind their numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Upgrade."""
    op.create_index(
        "ix_enrollments_stopped",
        "enrollments",
        ["campaign_id", "stop_reason", "id"],
        postgresql_where=sa.text("state = 'stopped'"),
    )
    op.create_index(
        "ix_emails_converted",
        "emails",
        ["campaign_id", "step", "id"],
        postgresql_where=sa.text("converted_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_emails_converted", "emails")
    op.drop_index("ix_enrollments_stopped", "enrollments")
