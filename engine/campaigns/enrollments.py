"""Enrollments: contacts in a campaign, and the due time of their steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.campaigns import steps, stops
from errors import InvalidInput, NotFound
from models import Campaign, Contact, Enrollment, Suppression


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The number of contacts that a call enrolled, and those of them that it enrolled as stopped, by reason."""

    total: int
    stopped: Mapping[str, int]


def enroll(
    session: Session, campaign_id: UUID, *, contact_ids: Sequence[UUID] | None = None, now: datetime
) -> Enrolled:
    """Enroll these contacts, by default the campaign's audience; enrolled contacts stay as they are.

    Converted and suppressed contacts are enrolled as stopped, which explains why they get nothing. If the campaign was
    launched, the delay of step 1 counts from `now`; if it is finished, it runs again. One INSERT; safe to repeat.
    Raises NotFound; InvalidInput if some of the contacts do not exist.
    """
    query = select(Campaign.state, Campaign.audience, Campaign.launched_at).where(Campaign.id == campaign_id)
    campaign = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if campaign is None:
        raise NotFound("campaign: there is none with this id")
    if contact_ids is None:
        conditions = segments.conditions(segments.read(campaign.audience))
    else:
        conditions = [Contact.id == func.any(list(contact_ids))]
        _refuse_unknown(session, contact_ids)
    launched = campaign.launched_at is not None
    first_at = steps.of(session, campaign_id)[0].due_after(now) if launched else None
    if campaign.state == "finished":
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(state="running", finished_at=None))
    return _add(session, campaign_id, conditions, first_at=first_at, now=now)


def _refuse_unknown(session: Session, contact_ids: Sequence[UUID]) -> None:
    known = session.scalar(select(func.count()).where(Contact.id == func.any(list(contact_ids)))) or 0
    unknown = len(set(contact_ids)) - known
    if unknown:
        raise InvalidInput.of("contact_ids", f"{unknown} of them do not exist; import the contacts first")


def _add(
    session: Session,
    campaign_id: UUID,
    conditions: Sequence[ColumnElement[bool]],
    *,
    first_at: datetime | None,
    now: datetime,
) -> Enrolled:
    obstacle = case(
        (Contact.converted, literal("converted")),
        *((Suppression.reason == reason, literal(stopped_by)) for reason, stopped_by in stops.BY_SUPPRESSION.items()),
    )
    query = select(Contact.id, obstacle.label("obstacle")).where(*conditions).order_by(Contact.id)
    person = query.outerjoin(Suppression, Suppression.email_index == Contact.email_index).subquery().c
    free = person.obstacle.is_(None)
    people = select(
        person.id,
        literal(campaign_id),
        case((free, literal("active")), else_=literal("stopped")),
        case((free, literal(first_at, Enrollment.next_at.type))),
        person.obstacle,
        case((~free, literal(now))),
        literal(now),
    )
    columns = ["contact_id", "campaign_id", "state", "next_at", "stop_reason", "stopped_at", "created_at"]
    # Without SQLAlchemy's defaults: the database makes an id for each row.
    adding = insert(Enrollment).from_select(columns, people, include_defaults=False).on_conflict_do_nothing()
    added = adding.returning(Enrollment.stop_reason).cte("added")
    counts = session.execute(select(added.c.stop_reason, func.count()).group_by(added.c.stop_reason)).all()
    return Enrolled(
        total=sum(count for _, count in counts), stopped={reason: count for reason, count in counts if reason}
    )


def any_of(session: Session, campaign_id: UUID) -> bool:
    """Return True if the campaign has an enrollment."""
    return bool(session.scalar(select(select(Enrollment.id).where(Enrollment.campaign_id == campaign_id).exists())))


_SCHEDULE = text("""
    UPDATE enrollments SET next_at = :first_at
     WHERE campaign_id = :campaign_id AND state = 'active' AND next_step = 1 AND next_at IS NULL
""")


def schedule(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Set the due time of step 1 of contacts enrolled before the launch, counted from `now`."""
    first = steps.of(session, campaign_id)[0]
    session.execute(_SCHEDULE, {"campaign_id": campaign_id, "first_at": first.due_after(now)})


_END_PAUSE = text("""
    UPDATE enrollments SET next_at = :now
     WHERE contact_id = :contact_id AND state = 'active' AND next_at = :paused_until
""")


def end_pause(session: Session, contact_id: UUID, paused_until: datetime, *, now: datetime) -> None:
    """Make steps due now that waited for the end of the contact's pause."""
    session.execute(_END_PAUSE, {"contact_id": contact_id, "paused_until": paused_until, "now": now})
