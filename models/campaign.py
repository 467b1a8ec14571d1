"""Tables of campaigns and their steps."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Integer, SmallInteger, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Flag, Id, Moment, Stamp, Word, one_of

STATES = ("draft", "running", "paused", "finished", "cancelled")


class Campaign(Base):
    """A follow-up sequence for an audience; `variables` are shared by all its e-mails.

    `pardoned_at` is when a person last resumed it. `pardoned` has the counts of that hour before the resumption, which
    no longer count for the automatic pause.

    Until `opened_until` step 1 may go out outside its window. If `skips_received`, contacts who got one of its
    templates before are enrolled as stopped. A draft is `enrolled_by_hand` once somebody, not a form, has enrolled
    contacts: its launch does not add the audience.

    Long work proceeds in pages. While the audience is being enrolled, `enroll_from` is the moment from which the delay
    of step 1 counts, and `enroll_after` the last contact enrolled. After a resumption `unpark_after` is the last parked
    e-mail that was passed, and after a cancellation `stop_after` the last enrollment. They are null when that work is
    complete. `version` counts the edits of a draft, so that of two at once the second is refused.
    """

    __tablename__ = "campaigns"
    __table_args__ = (one_of("state", STATES),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    state: Mapped[Word] = mapped_column(server_default=text("'draft'"), default="draft")
    reason: Mapped[str | None] = mapped_column(Text)
    timezone: Mapped[Word] = mapped_column(server_default=text("'UTC'"), default="UTC")
    audience: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    variables: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"), default=dict)
    created_at: Mapped[Stamp]
    launched_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]
    pardoned_at: Mapped[Moment | None]
    pardoned: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    enroll_from: Mapped[Moment | None]
    enroll_after: Mapped[UUID | None]
    unpark_after: Mapped[UUID | None]
    stop_after: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"), default=1)
    opened_until: Mapped[Moment | None]
    skips_received: Mapped[Flag]
    enrolled_by_hand: Mapped[Flag]


class CampaignStep(Base):
    """Step 1, 2 or 3: its template, its delay after the step before, its send window.

    A launch sets `template_version` if the template is in the database; it is null for one of the folder. The window is
    in minutes after midnight in the campaign's time zone; weekdays are ISO (1 = Monday).
    """

    __tablename__ = "campaign_steps"
    __table_args__ = (
        CheckConstraint("step BETWEEN 1 AND 3", name="step_range"),
        CheckConstraint("delay_s >= 0", name="delay_not_negative"),
        CheckConstraint(
            "0 <= window_start_min AND window_start_min < window_end_min AND window_end_min <= 1440",
            name="window_in_a_day",
        ),
        CheckConstraint("cardinality(weekdays) > 0", name="weekdays_not_empty"),
    )

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaigns.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    template: Mapped[Word]
    template_version: Mapped[int | None] = mapped_column(SmallInteger)
    subject: Mapped[str] = mapped_column(String(255))
    delay_s: Mapped[int] = mapped_column(Integer)
    window_start_min: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"), default=0)
    window_end_min: Mapped[int] = mapped_column(SmallInteger, server_default=text("1440"), default=1440)
    weekdays: Mapped[list[int]] = mapped_column(
        ARRAY(SmallInteger), server_default=text("'{1,2,3,4,5,6,7}'"), default=lambda: list(range(1, 8))
    )
