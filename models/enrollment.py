"""Table of enrollments: one contact in one campaign."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, EnrollmentId, Moment, Stamp, Word, one_of

# active: step `next_step` is due at `next_at`, or claimed by a sender, whose group lists it
# waiting: the e-mail of the step has a row and is undecided
# finished: every step was sent or failed
# stopped: ended by an action of the contact (`stop_reason`)
STATES = ("active", "waiting", "finished", "stopped")


class Enrollment(Base):
    """One contact in one campaign.

    Every e-mail updates its row once, and no such update is HOT: each index here costs 2 µs per e-mail. The rows of one
    campaign are adjacent, so a BRIN index finds them at no measurable cost.
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        one_of("state", STATES),
        CheckConstraint("get_byte(uuid_send(id), 15) & 3 = 0", name="id_leaves_room_for_steps"),
        UniqueConstraint("contact_id", "campaign_id"),
        Index("ix_enrollments_campaign_id", "campaign_id", postgresql_using="brin"),
        # A waiting enrollment has no next_at, so it sorts after all that can be due. `campaigns.finish` reads both.
        Index(
            "ix_enrollments_running",
            "campaign_id",
            "next_step",
            "next_at",
            "id",
            postgresql_where=text("state IN ('active', 'waiting')"),
        ),
        Index("ix_enrollments_stopped", "campaign_id", "stop_reason", "id", postgresql_where=text("state = 'stopped'")),
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
