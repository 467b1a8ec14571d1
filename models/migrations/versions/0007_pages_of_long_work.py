"""Add the positions of work on campaigns that proceeds in pages: enrolling an audience, making parked e-mails due."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("campaigns", sa.Column("enroll_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("campaigns", sa.Column("enroll_after", sa.Uuid(), nullable=True))
    op.add_column("campaigns", sa.Column("unpark_after", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    for name in ("unpark_after", "enroll_after", "enroll_from"):
        op.drop_column("campaigns", name)
