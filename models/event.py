"""Events: what came back about an e-mail."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Id, Moment, Stamp, Word, one_of

TYPES = ("opened", "clicked", "converted", "unsubscribed", "replied", "auto_replied", "bounced", "complained")
SOURCES = ("human", "machine", "unknown")


class Event(Base):
    """One thing that happened to an e-mail. Stored once (`dedupe_key`), applied once (`applied_at`).

    `held`: it speaks of a mail that is not recorded as sent yet; recording the mail releases it.
    """

    __tablename__ = "events"
    __table_args__ = (
        one_of("event_type", TYPES),
        one_of("source", SOURCES),
        Index(
            "ix_events_unapplied",
            "received_at",
            "id",
            postgresql_where=text("applied_at IS NULL AND NOT held"),
        ),
        Index("ix_events_held", "email_id", postgresql_where=text("held")),
    )

    id: Mapped[Id]
    email_id: Mapped[UUID] = mapped_column(ForeignKey("emails.id"), index=True)
    event_type: Mapped[Word]
    event_data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    timestamp: Mapped[Stamp]
    source: Mapped[Word] = mapped_column(server_default=text("'unknown'"), default="unknown")
    dedupe_key: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    received_at: Mapped[Stamp]
    applied_at: Mapped[Moment | None]
    held: Mapped[Flag]
