"""Room for encrypted subjects, which rewrites no row; an index of the few e-mails that were not simply sent."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Upgrade."""
    op.alter_column("emails", "subject", type_=sa.Text(), existing_type=sa.String(255))
    op.create_index(
        "ix_emails_status_id",
        "emails",
        ["status", "id"],
        postgresql_where=sa.text("status IN ('failed', 'bounced', 'complained', 'in_doubt', 'cancelled')"),
    )


def downgrade() -> None:
    """Downgrade: an encrypted subject that is longer than before is replaced by nothing."""
    op.drop_index("ix_emails_status_id", "emails")
    op.alter_column(
        "emails",
        "subject",
        type_=sa.String(255),
        existing_type=sa.Text(),
        postgresql_using="CASE WHEN length(subject) > 255 THEN '' ELSE subject END",
    )
