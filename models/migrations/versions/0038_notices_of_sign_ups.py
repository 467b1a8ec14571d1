"""The notices of a confirmed submission, until their values are erased."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("form_submissions", sa.Column("notice_ids", ARRAY(sa.Uuid()), nullable=True))
    op.create_index(
        "ix_form_submissions_notices",
        "form_submissions",
        ["confirmed_at"],
        postgresql_where=sa.text("notice_ids IS NOT NULL"),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_form_submissions_notices", "form_submissions")
    op.drop_column("form_submissions", "notice_ids")
