"""Table of the files in quarantine."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "quarantines",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("folder", sa.String(length=50), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("host", "folder", name=op.f("pk_quarantines")),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("quarantines")
