"""List the contacts that audiences may include; add what erasing, releasing and starting outside a window record."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
_MOMENTS = ("listed_at", "erased_at", "released_at")
_REASONS = ("unsubscribed", "hard_bounce", "complaint", "manual")

# A contact counts as listed, except if a single send created it and nothing was added since: no details, no campaign.
_LIST = """
UPDATE contacts c SET listed_at = created_at
 WHERE EXISTS (SELECT FROM enrollments n WHERE n.contact_id = c.id)
    OR coalesce(first_name, last_name, company, role, industry, timezone, locale) IS NOT NULL OR attributes <> '{}'
    OR NOT EXISTS (SELECT FROM emails e WHERE e.contact_id = c.id AND e.campaign_id IS NULL
                      AND e.accepted_at = c.created_at)
"""


def upgrade() -> None:
    """Upgrade."""
    for name in _MOMENTS:
        op.add_column("contacts", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    is_erased = sa.text("erased_at IS NOT NULL")
    op.create_index("ix_contacts_erased", "contacts", ["id"], postgresql_where=is_erased)
    op.add_column("campaigns", sa.Column("opened_until", sa.DateTime(timezone=True), nullable=True))
    for table, name in (("campaigns", "skips_received"), ("suppressions", "is_unsubscribed")):
        op.add_column(table, sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.execute("UPDATE suppressions SET is_unsubscribed = true WHERE reason = 'unsubscribed'")
    _set_reasons(*_REASONS, "erased")
    op.execute(_LIST)


def downgrade() -> None:
    """Downgrade."""
    op.execute("UPDATE suppressions SET reason = 'manual' WHERE reason = 'erased'")
    _set_reasons(*_REASONS)
    op.drop_column("suppressions", "is_unsubscribed")
    op.drop_column("campaigns", "skips_received")
    op.drop_column("campaigns", "opened_until")
    op.drop_index("ix_contacts_erased", "contacts")
    for name in reversed(_MOMENTS):
        op.drop_column("contacts", name)


def _set_reasons(*reasons: str) -> None:
    words = ", ".join(f"'{reason}'" for reason in reasons)
    op.drop_constraint(op.f("ck_suppressions_reason_known"), "suppressions")
    op.create_check_constraint(op.f("ck_suppressions_reason_known"), "suppressions", f"reason IN ({words})")
