"""Add the moments of a contact's latest consent and pause requests."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
_COLUMNS = ("consent_said_at", "pause_said_at")


def upgrade() -> None:
    """Upgrade."""
    for name in _COLUMNS:
        op.add_column("contacts", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Downgrade."""
    for name in reversed(_COLUMNS):
        op.drop_column("contacts", name)
