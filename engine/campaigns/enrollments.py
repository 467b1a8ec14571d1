"""Enrollments: who takes part in a campaign, and what ends it for them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.campaigns import steps
from errors import InvalidInput, NotFound
from models import Campaign, Contact, Enrollment, Suppression

# What a suppression is called when it is why an enrollment stopped.
STOPPED_BY = {
    "unsubscribed": "unsubscribed",
    "hard_bounce": "bounced",
    "complaint": "complained",
    "manual": "suppressed",
}
STOPPED_BY_JSON = json.dumps(STOPPED_BY)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """How many contacts a call enrolled, and how many of them at once as stopped, by reason."""

    total: int
    stopped: Mapping[str, int]


def enroll(
    session: Session, campaign_id: UUID, *, contact_ids: Sequence[UUID] | None = None, now: datetime
) -> Enrolled:
    """Let these contacts, or by default the campaign's audience, take part; those who do already stay as they are.

    Converted and suppressed contacts are enrolled as stopped, so that it can be told why they got nothing. In a
    campaign that was launched, step 1 falls due from `now`; a finished one runs again. One statement in bulk; safe
    to repeat. Raises NotFound, or InvalidInput when some of the contacts do not exist.
    """
    asked = select(Campaign.state, Campaign.audience, Campaign.launched_at).where(Campaign.id == campaign_id)
    campaign = session.execute(asked.with_for_update(key_share=True)).one_or_none()
    if campaign is None:
        raise NotFound("campaign: there is none with this id")
    if contact_ids is None:
        wanted = segments.conditions(segments.read(campaign.audience))
    else:
        wanted = [Contact.id == func.any(list(contact_ids))]
        _refuse_unknown(session, contact_ids)
    launched = campaign.launched_at is not None
    first_at = steps.of(session, campaign_id)[0].due_after(now) if launched else None
    if campaign.state == "finished":
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(state="running", finished_at=None))
    return _add(session, campaign_id, wanted, first_at=first_at, now=now)


def _refuse_unknown(session: Session, contact_ids: Sequence[UUID]) -> None:
    known = session.scalar(select(func.count()).where(Contact.id == func.any(list(contact_ids)))) or 0
    unknown = len(set(contact_ids)) - known
    if unknown:
        raise InvalidInput.of("contact_ids", f"{unknown} of them are of no contact; import the contacts first")


def _add(
    session: Session,
    campaign_id: UUID,
    wanted: Sequence[ColumnElement[bool]],
    *,
    first_at: datetime | None,
    now: datetime,
) -> Enrolled:
    obstacle = case(
        (Contact.converted, literal("converted")),
        *((Suppression.reason == reason, literal(stopped_by)) for reason, stopped_by in STOPPED_BY.items()),
    )
    asked = select(Contact.id, obstacle.label("obstacle")).where(*wanted).order_by(Contact.id)
    person = asked.outerjoin(Suppression, Suppression.email_index == Contact.email_index).subquery().c
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
    # Without defaults: the one for `id` must be the database's, once a row.
    adding = insert(Enrollment).from_select(columns, people, include_defaults=False).on_conflict_do_nothing()
    added = adding.returning(Enrollment.stop_reason).cte("added")
    counts = session.execute(select(added.c.stop_reason, func.count()).group_by(added.c.stop_reason)).all()
    return Enrolled(
        total=sum(count for _, count in counts), stopped={reason: count for reason, count in counts if reason}
    )


def any_of(session: Session, campaign_id: UUID) -> bool:
    """Whether anybody is enrolled in the campaign."""
    return bool(session.scalar(select(select(Enrollment.id).where(Enrollment.campaign_id == campaign_id).exists())))


_SCHEDULE = text("""
    UPDATE enrollments SET next_at = :first_at
     WHERE campaign_id = :campaign_id AND state = 'active' AND next_step = 1 AND next_at IS NULL
""")


def schedule(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Let step 1 of everybody who was enrolled before the launch fall due, counted from `now`."""
    first = steps.of(session, campaign_id)[0]
    session.execute(_SCHEDULE, {"campaign_id": campaign_id, "first_at": first.due_after(now)})


# Locks in the order of ids, so that two stops at once cannot deadlock.
_STOP = text("""
    WITH running AS MATERIALIZED (
        SELECT id FROM enrollments
         WHERE contact_id = ANY(:contact_ids) AND state IN ('active', 'waiting') ORDER BY id FOR UPDATE
    )
    UPDATE enrollments SET state = 'stopped', stop_reason = :reason, stopped_at = :now, next_at = NULL
      FROM running WHERE enrollments.id = running.id
""")
# A mail that a sender has locked is on its way already; waiting for it could deadlock with its group. If it comes back,
# the next claim drops it (`groups.claim`).
_CANCEL = text("""
    WITH queued AS MATERIALIZED (
        SELECT id FROM emails
         WHERE contact_id = ANY(:contact_ids) AND status = 'queued' AND kind = 'marketing'
         ORDER BY id FOR UPDATE SKIP LOCKED
    )
    UPDATE emails SET status = 'cancelled', reason = :reason FROM queued WHERE emails.id = queued.id
""")


def stop(session: Session, contact_ids: Sequence[UUID], reason: str, *, now: datetime) -> int:
    """End the contacts' running enrollments in every campaign and cancel their queued marketing mails.

    `reason` is what the contact did: `converted`, `replied`, `unsubscribed`, `bounced`, `complained`. Returns how
    many enrollments were running; the first reason stays, so it is safe to repeat.
    """
    if not contact_ids:
        return 0
    values = {"contact_ids": list(contact_ids), "reason": reason}
    stopped = session.execute(_STOP, {**values, "now": now})
    session.execute(_CANCEL, values)
    return int(stopped.rowcount)  # type: ignore[attr-defined]
