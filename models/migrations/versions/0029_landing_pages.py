"""Tables of landing pages, and the page of a submission."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
_ID = sa.text(
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from "
    "clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)
_NOW = sa.text("now()")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "pages",
        sa.Column("id", sa.Uuid(), server_default=_ID, nullable=False),
        sa.Column("slug", sa.String(length=50), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=True),
        sa.Column("published_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pages")),
        sa.UniqueConstraint("slug", name=op.f("uq_pages_slug")),
    )
    op.create_table(
        "page_versions",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("form_id", sa.Uuid(), nullable=True),
        sa.Column("author", sa.String(length=50), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name=op.f("fk_page_versions_page_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_page_versions_form_id")),
        sa.PrimaryKeyConstraint("page_id", "version", name=op.f("pk_page_versions")),
    )
    op.create_table(
        "page_visits",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("hour", _MOMENT, nullable=False),
        sa.Column("source", sa.String(length=50), nullable=False),
        sa.Column("views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("machine_views", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["pages.id"], name=op.f("fk_page_visits_page_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("page_id", "hour", "source", name=op.f("pk_page_visits")),
    )
    op.add_column("form_submissions", sa.Column("landing_page_id", sa.Uuid(), nullable=True))
    op.add_column("form_submissions", sa.Column("source", sa.String(length=50), nullable=True))
    op.create_index(
        "ix_form_submissions_landing",
        "form_submissions",
        ["landing_page_id", "submitted_at"],
        postgresql_where=sa.text("landing_page_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Downgrade."""
    op.drop_index("ix_form_submissions_landing", "form_submissions")
    op.drop_column("form_submissions", "source")
    op.drop_column("form_submissions", "landing_page_id")
    for table in ("page_visits", "page_versions", "pages"):
        op.drop_table(table)
