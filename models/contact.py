"""Table of contacts, with their flags."""

from typing import Any

from sqlalchemy import Dialect, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from models import folding, vault
from models.base import Base, Flag, Id, Moment, Stamp, Word


class Encrypted(TypeDecorator[str]):
    """Text stored as a Fernet token; NULL stays NULL, and a token that no key opens is read as None.

    Tokens of equal texts differ, so compare blind indexes.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the signature is SQLAlchemy's
        return None if value is None else vault.current().encrypt(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the signature is SQLAlchemy's
        return None if value is None else vault.current().decrypt_all([value])[0]


# Expressions that searches by prefix compare, each with its index; a contact without the column is not in it.
FULL_NAME = folding.sql("coalesce(first_name || ' ', '') || coalesce(last_name, '')")
LAST_NAME = folding.sql("last_name")
COMPANY = folding.sql("company")
HAS_NAME = "coalesce(first_name, last_name) IS NOT NULL"


class Contact(Base):
    """One person. Flags stay set across campaigns.

    Half of each page stays free for HOT updates: at fillfactor 80 only a third of the flag updates are HOT. No index
    has a column that events change.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        Index("ix_contacts_erased", "erased_at", postgresql_where=text("erased_at IS NOT NULL")),
        Index("ix_contacts_full_name", text(FULL_NAME), "id", postgresql_where=text(HAS_NAME)),
        Index("ix_contacts_last_name", text(LAST_NAME), "id", postgresql_where=text("last_name IS NOT NULL")),
        Index(
            "ix_contacts_recipients", "created_at", "id", postgresql_where=text("is_recipient AND erased_at IS NULL")
        ),
        Index("ix_contacts_company", text(COMPANY), "id", postgresql_where=text("company IS NOT NULL")),
        Index("ix_contacts_industry_id", "industry", "id", postgresql_where=text("industry IS NOT NULL")),
        Index("ix_contacts_role_id", "role", "id", postgresql_where=text("role IS NOT NULL")),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(Encrypted)
    email_index: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    industry: Mapped[Word | None]
    role: Mapped[Word | None]
    company: Mapped[str | None] = mapped_column(String(100))
    timezone: Mapped[Word | None]
    locale: Mapped[str | None] = mapped_column(String(20))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    created_at: Mapped[Stamp]
    updated_at: Mapped[Stamp]
    email_followup_status: Mapped[Word] = mapped_column(server_default=text("'new'"), default="new")
    email_1_sent: Mapped[Flag]
    email_1_opened: Mapped[Flag]
    email_1_clicked: Mapped[Flag]
    email_2_sent: Mapped[Flag]
    email_2_opened: Mapped[Flag]
    email_2_clicked: Mapped[Flag]
    email_3_sent: Mapped[Flag]
    email_3_opened: Mapped[Flag]
    email_3_clicked: Mapped[Flag]
    converted: Mapped[Flag]
    converted_at: Mapped[Moment | None]
    # Marketing e-mails wait until then at the contact's request.
    paused_until: Mapped[Moment | None]
    # The latest request to unsubscribe or resubscribe, to pause or resume. An older request that arrives later changes
    # nothing.
    consent_said_at: Mapped[Moment | None]
    pause_said_at: Mapped[Moment | None]
    # Audiences include a contact from then on. A single send alone lists nobody.
    listed_at: Mapped[Moment | None]
    # Not a contact, but an address that a form writes to (engine/audience/recipients).
    is_recipient: Mapped[Flag]
    # The latest release of a suppression by hand, and the erasure of the personal data.
    released_at: Mapped[Moment | None]
    erased_at: Mapped[Moment | None]
    score: Mapped[int] = mapped_column(Integer, server_default=text("0"), default=0)
