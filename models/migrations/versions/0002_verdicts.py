"""Add the classification of hits, counts of hits by machines, and the horizon of kept events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_MOMENTS = ("machine_opened_at", "machine_clicked_at")
_COUNTERS = ("machine_opened", "machine_clicked")


def upgrade() -> None:
    """Upgrade; rewrites no table."""
    reasons: sa.Column[list[str]] = sa.Column(
        "reasons", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
    )
    op.add_column("events", reasons)
    for name in _MOMENTS:
        op.add_column("emails", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in _COUNTERS:
        op.add_column("email_stats", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "horizons",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_horizons")),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("horizons")
    for name in _COUNTERS:
        op.drop_column("email_stats", name)
    for name in _MOMENTS:
        op.drop_column("emails", name)
    op.drop_column("events", "reasons")
