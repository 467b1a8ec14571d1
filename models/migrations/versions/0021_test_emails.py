"""A third kind of e-mail: tests."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Upgrade."""
    _set_kinds("marketing", "transactional", "test")


def downgrade() -> None:
    """Downgrade: tests become transactional."""
    op.execute("UPDATE emails SET kind = 'transactional' WHERE kind = 'test'")
    _set_kinds("marketing", "transactional")


def _set_kinds(*kinds: str) -> None:
    words = ", ".join(f"'{kind}'" for kind in kinds)
    op.drop_constraint(op.f("ck_emails_kind_known"), "emails")
    op.create_check_constraint(op.f("ck_emails_kind_known"), "emails", f"kind IN ({words})")
