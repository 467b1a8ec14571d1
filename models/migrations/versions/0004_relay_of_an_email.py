"""Add the relay of an e-mail's last attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Upgrade; does not rewrite the table."""
    op.add_column("emails", sa.Column("relay", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("emails", "relay")
