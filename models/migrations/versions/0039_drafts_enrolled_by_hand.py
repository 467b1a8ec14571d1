"""Drafts whose contacts somebody chose by hand, which a launch does not add its audience to."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"

_MARK = """
    UPDATE campaigns c SET enrolled_by_hand = true
     WHERE state = 'draft' AND EXISTS (
           SELECT FROM enrollments e WHERE e.campaign_id = c.id AND NOT EXISTS (
                  SELECT FROM form_submissions s JOIN forms f ON f.id = s.form_id
                   WHERE s.contact_id = e.contact_id AND f.definition ->> 'campaign_id' = CAST(c.id AS text)))
"""


def upgrade() -> None:
    """Upgrade."""
    op.add_column("campaigns", sa.Column("enrolled_by_hand", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(_MARK)


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("campaigns", "enrolled_by_hand")
