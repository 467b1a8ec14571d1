"""Table of assets: pictures for e-mails and pages."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
_ID = sa.text(
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from "
    "clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "assets",
        sa.Column("id", sa.Uuid(), server_default=_ID, nullable=False),
        sa.Column("digest", sa.String(length=50), nullable=False),
        sa.Column("extension", sa.String(length=50), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("octets", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_assets_account_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("digest", name=op.f("uq_assets_digest")),
    )
    op.execute("ALTER TABLE assets ALTER COLUMN octets SET STORAGE EXTERNAL")  # pictures are compressed already


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("assets")
