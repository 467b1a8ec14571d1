"""Events: what came back about an e-mail."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Id, Moment, Stamp, Word, one_of

TYPES = ("opened", "clicked", "converted", "unsubscribed", "replied", "auto_replied", "bounced", "complained")
SOURCES = ("human", "machine", "unknown")


class Event(Base):
    """One thing that happened to an e-mail. Stored once (`dedupe_key`), applied once (`applied_at`).

    Its id says when it happened, so the primary key serves whoever asks for a span of time: one index less that every
    pixel would pay for. `source` and `reasons` of a hit are its classification, `event_data` is what was observed.

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
        Index("ix_events_email_id_id", "email_id", "id"),
        Index("ix_events_held", "email_id", postgresql_where=text("held")),
    )

    id: Mapped[Id]
    email_id: Mapped[UUID] = mapped_column(ForeignKey("emails.id"))
    event_type: Mapped[Word]
    event_data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    timestamp: Mapped[Stamp]
    source: Mapped[Word] = mapped_column(server_default=text("'unknown'"), default="unknown")
    reasons: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"), default=list)
    dedupe_key: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    received_at: Mapped[Stamp]
    applied_at: Mapped[Moment | None]
    held: Mapped[Flag]


class Horizon(Base):
    """The moment since which everything of a kind is kept; what is older may have been thrown away."""

    __tablename__ = "horizons"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    since: Mapped[Moment]
