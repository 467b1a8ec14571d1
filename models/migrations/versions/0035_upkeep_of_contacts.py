"""Indexes of the upkeep of contacts: erased ones by their erasure, recipients by their creation."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Upgrade."""
    _create(["erased_at"], ["created_at", "id"])


def downgrade() -> None:
    """Downgrade."""
    _create(["id"], ["id"])


def _create(erased: list[str], recipients: list[str]) -> None:
    for name, columns, where in (
        ("erased", erased, "erased_at IS NOT NULL"),
        ("recipients", recipients, "is_recipient AND erased_at IS NULL"),
    ):
        op.drop_index(f"ix_contacts_{name}", "contacts")
        op.create_index(f"ix_contacts_{name}", "contacts", columns, postgresql_where=sa.text(where))
