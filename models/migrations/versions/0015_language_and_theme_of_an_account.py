"""Language and theme of an account's pages."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("accounts", sa.Column("language", sa.String(length=2), nullable=True))
    op.add_column("accounts", sa.Column("theme", sa.String(length=5), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("accounts", "theme")
    op.drop_column("accounts", "language")
