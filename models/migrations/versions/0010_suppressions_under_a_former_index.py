"""Mark the suppressions whose index may be that of case folding, under which several addresses could be one."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Upgrade; all present rows are marked, without rewriting the table."""
    op.add_column("suppressions", sa.Column("is_former", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.alter_column("suppressions", "is_former", server_default=sa.text("false"))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("suppressions", "is_former")
