"""Templates in the database, with versions; e-mails and launched campaigns name the version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
_ID = sa.text(
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from "
    "clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)
_NOW = sa.text("now()")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Upgrade."""
    op.create_table(
        "templates",
        sa.Column("id", sa.Uuid(), server_default=_ID, nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.Column("first_version", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("newest_version", sa.SmallInteger(), nullable=False),
        sa.Column("published_version", sa.SmallInteger(), nullable=True),
        sa.Column("deleted_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint("name", name=op.f("uq_templates_name")),
    )
    op.create_table(
        "template_versions",
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("preheader", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("mjml", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("sample", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("author", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(length=200), nullable=True),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(["template_id"], ["templates.id"], name=op.f("fk_template_versions_template_id")),
        sa.ForeignKeyConstraint(["author"], ["accounts.id"], name=op.f("fk_template_versions_author")),
        sa.PrimaryKeyConstraint("template_id", "version", name=op.f("pk_template_versions")),
    )
    op.add_column("campaign_steps", sa.Column("template_version", sa.SmallInteger(), nullable=True))
    # A version of a template is named like `oferta@3`.
    op.alter_column("template_faults", "template", type_=sa.String(length=60))
    op.add_column("emails", sa.Column("template_version", sa.SmallInteger(), nullable=True))


def downgrade() -> None:
    """Downgrade: e-mails and campaigns of templates in the database need folders of these names, then."""
    op.execute("DELETE FROM template_faults WHERE length(template) > 50")
    op.alter_column("template_faults", "template", type_=sa.String(length=50))
    op.drop_column("emails", "template_version")
    op.drop_column("campaign_steps", "template_version")
    op.drop_table("template_versions")
    op.drop_table("templates")
