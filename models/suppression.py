"""Table of suppressions: addresses that get no more e-mail. They outlive the contact."""

from uuid import UUID

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Stamp, Word, one_of

REASONS = ("unsubscribed", "hard_bounce", "complaint", "manual", "erased")


class Suppression(Base):
    """One address, as a blind index, so that another import cannot resubscribe it.

    `is_unsubscribed`: the person unsubscribed, whatever stronger reason hides it. `erased` marks the replaced index of
    an erased contact, which no address has.

    If `is_former`, the index may be that of version 0.1.0, under which several addresses could be one.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        one_of("reason", REASONS),
        Index("ix_suppressions_reason_since", "reason", "since", "email_index"),
    )

    email_index: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    reason: Mapped[Word]
    since: Mapped[Stamp]
    email_id: Mapped[UUID | None]
    is_former: Mapped[Flag]
    is_unsubscribed: Mapped[Flag]
