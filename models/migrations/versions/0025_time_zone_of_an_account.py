"""Time zone of an account's pages."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("accounts", sa.Column("timezone", sa.String(length=50), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("accounts", "timezone")
