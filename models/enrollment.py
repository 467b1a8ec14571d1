"""Enrollments: one contact in one campaign, and where it stands."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, EnrollmentId, Moment, Stamp, Word, one_of

# active: step `next_step` is due at `next_at`, or in hand of a sender, whose group names it · waiting: its mail has a
# row and is not decided yet · finished: every step sent or failed · stopped: by what the contact did (`stop_reason`)
STATES = ("active", "waiting", "finished", "stopped")


class Enrollment(Base):
    """One contact's way through one campaign.

    Every mail moves its row once, and no such move is HOT: each index here costs 2 µs a mail. Those of one campaign
    lie together, so a BRIN finds them (and costs nothing).
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        one_of("state", STATES),
        CheckConstraint("get_byte(uuid_send(id), 15) & 3 = 0", name="id_leaves_room_for_steps"),
        UniqueConstraint("contact_id", "campaign_id"),
        Index("ix_enrollments_campaign_id", "campaign_id", postgresql_using="brin"),
        # A waiting one has no next_at, so it stands behind all that can be due; finishing a campaign asks for any.
        Index(
            "ix_enrollments_running",
            "campaign_id",
            "next_step",
            "next_at",
            "id",
            postgresql_where=text("state IN ('active', 'waiting')"),
        ),
        {"postgresql_with": {"fillfactor": 70}},
    )

    id: Mapped[EnrollmentId]
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaigns.id"))
    next_step: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"), default=1)
    next_at: Mapped[Moment | None]
    state: Mapped[Word] = mapped_column(server_default=text("'active'"), default="active")
    stop_reason: Mapped[Word | None]
    stopped_at: Mapped[Moment | None]
    created_at: Mapped[Stamp]
