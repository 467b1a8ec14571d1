"""Add the templates that a sending host cannot use."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "template_faults",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("template", sa.String(50), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("template_faults")
