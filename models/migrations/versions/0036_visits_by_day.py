"""Table of visits of landing pages by day, filled from those by hour."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "page_visit_days",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("source", sa.String(length=50), nullable=False),
        sa.Column("views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("machine_views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name=op.f("fk_page_visit_days_page_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("page_id", "day", "source", name=op.f("pk_page_visit_days")),
    )
    op.execute(
        "INSERT INTO page_visit_days (page_id, day, source, views, machine_views) "
        "SELECT page_id, CAST(hour AT TIME ZONE 'UTC' AS date) AS day, source, sum(views), sum(machine_views) "
        "FROM page_visits GROUP BY page_id, day, source"
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("page_visit_days")
