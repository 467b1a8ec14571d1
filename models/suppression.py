"""Suppressions: addresses that get no more mail; they outlive the contact."""

from uuid import UUID

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Stamp, Word, one_of

REASONS = ("unsubscribed", "hard_bounce", "complaint", "manual")


class Suppression(Base):
    """One address, known only by its blind index, so that a re-import cannot resubscribe anyone."""

    __tablename__ = "suppressions"
    __table_args__ = (one_of("reason", REASONS),)

    email_index: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    reason: Mapped[Word]
    since: Mapped[Stamp]
    email_id: Mapped[UUID | None]
