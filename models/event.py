"""Tables of events, and of the moments since which they are complete."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Id, Moment, Stamp, Word, one_of

TYPES = ("opened", "clicked", "converted", "unsubscribed", "replied", "auto_replied", "bounced", "complained")
SOURCES = ("human", "machine", "unknown")


class Event(Base):
    """One event of an e-mail. Stored once (`dedupe_key`), applied once (`applied_at`).

    Its id contains its moment, so the primary key serves queries of a time span and saves an index. `source` and
    `reasons` of a hit are its classification, `event_data` the observed facts.

    `held`: the e-mail is not recorded as sent yet; recording it releases the event.
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
    """The moment since which all rows of a kind are kept; older ones may have been deleted."""

    __tablename__ = "horizons"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    since: Mapped[Moment]
