"""Tables of sign-up forms: the forms, the texts that people agree to, and what people submitted."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Stamp, Word, one_of

FORM_STATES = ACTIVE, DISABLED = ("active", "disabled")
SUBMISSION_STATES = ("pending", "confirmed", "expired")


class Form(Base):
    """One sign-up form. `definition` has its texts, fields and effects (engine/forms/definitions)."""

    __tablename__ = "forms"
    __table_args__ = (
        one_of("state", FORM_STATES),
        Index(
            "ix_forms_campaign",
            text("(definition ->> 'campaign_id')"),
            postgresql_where=text("definition ->> 'campaign_id' IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    slug: Mapped[Word] = mapped_column(unique=True)
    state: Mapped[Word] = mapped_column(server_default=text("'active'"), default=ACTIVE)
    definition: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # Encrypted JSON: the addresses that are notified of confirmed submissions.
    notify: Mapped[str] = mapped_column(Text)
    # Submissions that expired and were deleted.
    expired_deleted: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
    created_at: Mapped[Stamp]
    updated_at: Mapped[Stamp]


class ConsentText(Base):
    """A text that people agree to, as a form showed it; a changed text is a new version."""

    __tablename__ = "consent_texts"
    __table_args__ = (UniqueConstraint("form_id", "digest"), UniqueConstraint("form_id", "version"))

    id: Mapped[Id]
    form_id: Mapped[UUID] = mapped_column(ForeignKey("forms.id"))
    version: Mapped[int] = mapped_column(SmallInteger)
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256 of `texts` as canonical JSON
    texts: Mapped[dict[str, str]] = mapped_column(JSONB)  # by language
    created_at: Mapped[Stamp]


class FormViews(Base):
    """The views of a form on a day in UTC; those by machines apart."""

    __tablename__ = "form_views"

    form_id: Mapped[UUID] = mapped_column(ForeignKey("forms.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    views: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
    machine_views: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)


class FormSubmission(Base):
    """One submission, and the consent that it records once it is confirmed.

    Address and fields are there while it is pending only. `email_index` finds it by address for as long. `network` is
    the prefix as events keep it, `page` the address of the page without its query.
    """

    __tablename__ = "form_submissions"
    __table_args__ = (
        one_of("state", SUBMISSION_STATES),
        Index("ix_form_submissions_form", "form_id", "state", "id"),
        Index(
            "ix_form_submissions_unreminded",
            "submitted_at",
            "id",
            postgresql_where=text("state = 'pending' AND reminded_at IS NULL"),
        ),
        Index("ix_form_submissions_to_forget", "submitted_at", postgresql_where=text("email_index IS NOT NULL")),
        Index("ix_form_submissions_address", "email_index", postgresql_where=text("email_index IS NOT NULL")),
        Index("ix_form_submissions_notices", "confirmed_at", postgresql_where=text("notice_ids IS NOT NULL")),
        Index("ix_form_submissions_contact", "contact_id", postgresql_where=text("contact_id IS NOT NULL")),
        Index(
            "ix_form_submissions_landing",
            "landing_page_id",
            "submitted_at",
            postgresql_where=text("landing_page_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    form_id: Mapped[UUID] = mapped_column(ForeignKey("forms.id"))
    state: Mapped[Word] = mapped_column(server_default=text("'pending'"), default="pending")
    email_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    address: Mapped[str | None] = mapped_column(Text)  # encrypted
    fields: Mapped[str | None] = mapped_column(Text)  # encrypted JSON
    language: Mapped[Word]
    consent_text_id: Mapped[UUID | None] = mapped_column(ForeignKey("consent_texts.id"))
    page: Mapped[str | None]
    network: Mapped[Word | None]
    submitted_at: Mapped[Stamp]
    reminded_at: Mapped[Moment | None]
    confirmed_at: Mapped[Moment | None]
    confirmed_by: Mapped[Word | None]  # press, page or form
    confirmed_network: Mapped[Word | None]
    contact_id: Mapped[UUID | None]
    landing_page_id: Mapped[UUID | None]  # the landing page with the form; outlives it
    source: Mapped[Word | None]  # the UTM source of that page, for its counts
    email_id: Mapped[UUID | None]  # the latest e-mail that asks for the confirmation
    notice_ids: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))  # e-mails to colleagues that have its values
