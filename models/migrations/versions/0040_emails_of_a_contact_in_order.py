"""The index of a contact's e-mails has them in order, so that a page of them reads no others."""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    """Upgrade."""
    op.create_index("ix_emails_contact_id_id", "emails", ["contact_id", "id"])
    op.drop_index("ix_emails_contact_id", "emails")


def downgrade() -> None:
    """Downgrade."""
    op.create_index("ix_emails_contact_id", "emails", ["contact_id"])
    op.drop_index("ix_emails_contact_id_id", "emails")
