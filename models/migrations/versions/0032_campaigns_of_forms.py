"""An index of the campaigns that forms enroll people in: the tick asks for the forms of each campaign."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_CAMPAIGN = sa.text("(definition ->> 'campaign_id')")


def upgrade() -> None:
    """Upgrade."""
    there = sa.text("definition ->> 'campaign_id' IS NOT NULL")
    op.create_index("ix_forms_campaign", "forms", [_CAMPAIGN], postgresql_where=there)


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_forms_campaign", "forms")
