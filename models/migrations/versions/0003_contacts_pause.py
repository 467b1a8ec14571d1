"""Add pauses of contacts."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("contacts", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("contacts", "paused_until")
