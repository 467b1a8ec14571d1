"""Tables of sign-up forms, and recipients of their e-mails that are no contacts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
_ID = sa.text(
    "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from "
    "clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
)
_NOW = sa.text("now()")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Upgrade."""
    op.add_column("contacts", sa.Column("is_recipient", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    recipients = sa.text("is_recipient AND erased_at IS NULL")
    op.create_index("ix_contacts_recipients", "contacts", ["id"], postgresql_where=recipients)
    op.create_table(
        "forms",
        sa.Column("id", sa.Uuid(), server_default=_ID, nullable=False),
        sa.Column("slug", sa.String(length=50), nullable=False),
        sa.Column("state", sa.String(length=50), server_default=sa.text("'active'"), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notify", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.Column("updated_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.CheckConstraint("state IN ('active', 'disabled')", name=op.f("ck_forms_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forms")),
        sa.UniqueConstraint("slug", name=op.f("uq_forms_slug")),
    )
    op.create_table(
        "consent_texts",
        sa.Column("id", sa.Uuid(), server_default=_ID, nullable=False),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("texts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_consent_texts_form_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_texts")),
        sa.UniqueConstraint("form_id", "digest", name=op.f("uq_consent_texts_form_id_digest")),
        sa.UniqueConstraint("form_id", "version", name=op.f("uq_consent_texts_form_id_version")),
    )
    _create_submissions()


def _create_submissions() -> None:
    op.create_table(
        "form_submissions",
        sa.Column("id", sa.Uuid(), server_default=_ID, nullable=False),
        sa.Column("form_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=50), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("email_index", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=50), nullable=False),
        sa.Column("consent_text_id", sa.Uuid(), nullable=True),
        sa.Column("page", sa.String(), nullable=True),
        sa.Column("network", sa.String(length=50), nullable=True),
        sa.Column("submitted_at", _MOMENT, server_default=_NOW, nullable=False),
        sa.Column("reminded_at", _MOMENT, nullable=True),
        sa.Column("confirmed_at", _MOMENT, nullable=True),
        sa.Column("confirmed_by", sa.String(length=50), nullable=True),
        sa.Column("confirmed_network", sa.String(length=50), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'confirmed', 'expired')", name=op.f("ck_form_submissions_state_known")
        ),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_form_submissions_form_id")),
        sa.ForeignKeyConstraint(
            ["consent_text_id"], ["consent_texts.id"], name=op.f("fk_form_submissions_consent_text_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_submissions")),
    )
    for name, columns, where in (
        ("form", ["form_id", "state"], None),
        ("pending", ["submitted_at", "id"], "state = 'pending'"),
        ("address", ["email_index"], "email_index IS NOT NULL"),
        ("contact", ["contact_id"], "contact_id IS NOT NULL"),
    ):
        condition = sa.text(where) if where else None
        op.create_index(f"ix_form_submissions_{name}", "form_submissions", columns, postgresql_where=condition)


def downgrade() -> None:
    """Downgrade."""
    for table in ("form_submissions", "consent_texts", "forms"):
        op.drop_table(table)
    op.drop_index("ix_contacts_recipients", "contacts")
    op.drop_column("contacts", "is_recipient")
