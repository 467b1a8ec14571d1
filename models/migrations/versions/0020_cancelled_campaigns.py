"""Campaigns can be cancelled; an edit of a draft names the version that it changes."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_STATES = "state IN ('draft', 'running', 'paused', 'finished'{})"


def upgrade() -> None:
    """Upgrade."""
    op.add_column("campaigns", sa.Column("stop_after", sa.Uuid(), nullable=True))
    op.add_column("campaigns", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.drop_constraint(op.f("ck_campaigns_state_known"), "campaigns")
    op.create_check_constraint(op.f("ck_campaigns_state_known"), "campaigns", _STATES.format(", 'cancelled'"))


def downgrade() -> None:
    """Downgrade: a cancelled campaign counts as finished."""
    op.execute("UPDATE campaigns SET state = 'finished', finished_at = coalesce(finished_at, now()) "
               "WHERE state = 'cancelled'")  # fmt: skip
    op.drop_constraint(op.f("ck_campaigns_state_known"), "campaigns")
    op.create_check_constraint(op.f("ck_campaigns_state_known"), "campaigns", _STATES.format(""))
    op.drop_column("campaigns", "version")
    op.drop_column("campaigns", "stop_after")
