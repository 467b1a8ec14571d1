"""An index by which the submissions of a form are listed by state, the newest first."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Upgrade."""
    op.drop_index("ix_form_submissions_form", "form_submissions")
    op.create_index("ix_form_submissions_form", "form_submissions", ["form_id", "state", "id"])


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_form_submissions_form", "form_submissions")
    op.create_index("ix_form_submissions_form", "form_submissions", ["form_id", "state"])
