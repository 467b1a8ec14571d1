"""Add the refresh token for which a used one was exchanged."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Upgrade; does not rewrite the table."""
    op.add_column("revoked_tokens", sa.Column("successor_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("revoked_tokens", "successor_id")
