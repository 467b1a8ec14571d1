"""Indexes of the upkeep of submissions; the number of those that expired and were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
_INDEXES = {
    "unreminded": (["submitted_at", "id"], "state = 'pending' AND reminded_at IS NULL"),
    "to_forget": (["submitted_at"], "email_index IS NOT NULL"),
}


def upgrade() -> None:
    """Upgrade."""
    op.add_column("forms", sa.Column("expired_deleted", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.drop_index("ix_form_submissions_pending", "form_submissions")
    for name, (columns, where) in _INDEXES.items():
        op.create_index(f"ix_form_submissions_{name}", "form_submissions", columns, postgresql_where=sa.text(where))


def downgrade() -> None:
    """Downgrade."""
    for name in _INDEXES:
        op.drop_index(f"ix_form_submissions_{name}", "form_submissions")
    op.create_index(
        "ix_form_submissions_pending",
        "form_submissions",
        ["submitted_at", "id"],
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_column("forms", "expired_deleted")
