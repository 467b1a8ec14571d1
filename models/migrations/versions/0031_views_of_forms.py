"""Views of sign-up forms by day."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "form_views",
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("machine_views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_form_views_form_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("form_id", "day", name=op.f("pk_form_views")),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("form_views")
