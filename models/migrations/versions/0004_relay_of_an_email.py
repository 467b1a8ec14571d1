"""The ledger knows over which relay a mail went."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Forward; the table is not rewritten."""
    op.add_column("emails", sa.Column("relay", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Back."""
    op.drop_column("emails", "relay")
