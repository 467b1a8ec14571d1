"""Enrollments: contacts in a campaign, and the due time of their steps."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.audience import segments
from engine.campaigns import steps, stops
from engine.delivery import emails
from errors import InvalidInput, NotFound
from models import Campaign, Contact, Enrollment, Suppression, arrays

PAGE = 5_000  # contacts; such a page takes about 0.2 s
_BEFORE_ALL, _AFTER_ALL = UUID(int=0), UUID(int=(1 << 128) - 1)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The number of contacts that a call enrolled, and those of them that it enrolled as stopped, by reason.

    Unless it `is_complete`, more of the audience follows: `proceed` enrolls the next page.
    """

    total: int
    stopped: Mapping[str, int]
    is_complete: bool = True


def enroll(
    session: Session, campaign_id: UUID, *, contact_ids: Sequence[UUID] | None = None, now: datetime
) -> Enrolled:
    """Enroll these contacts, by default the campaign's audience; enrolled contacts stay as they are.

    Converted and suppressed contacts are enrolled as stopped, which explains why they get nothing. If the campaign was
    launched, the delay of step 1 counts from `now`; if it is finished, it runs again. Of an audience this enrolls the
    first page; `proceed` does the others. Safe to repeat. Raises NotFound; InvalidInput if some of the contacts do not
    exist.
    """
    query = select(Campaign.state, Campaign.launched_at).where(Campaign.id == campaign_id)
    campaign = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if campaign is None:
        raise NotFound("campaign: there is none with this id")
    if campaign.state == "finished":
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(state="running", finished_at=None))
    if contact_ids is None:
        begin(session, campaign_id, now=now)
        return _page(session, campaign_id, PAGE)
    _refuse_unknown(session, contact_ids)
    first_at = None if campaign.launched_at is None else steps.of(session, campaign_id)[0].due_after(now)
    return _add(session, campaign_id, [Contact.id == func.any(list(contact_ids))], first_at=first_at, now=now)


def schedule(session: Session, campaign_id: UUID, *, now: datetime) -> Enrolled:
    """Make step 1 due for contacts enrolled before the launch, its delay counted from `now`.

    Works on the first page; `proceed` does the others, and enrolls the rest of an audience whose enrolling had begun.
    """
    begun = select(Campaign.enroll_after).where(Campaign.id == campaign_id, Campaign.enroll_from.is_not(None))
    begin(session, campaign_id, after=session.scalar(begun) or _AFTER_ALL, now=now)
    return _page(session, campaign_id, PAGE)


def proceed(session: Session, campaign_id: UUID | None = None, *, limit: int = PAGE) -> Enrolled | None:
    """Enroll the next page of an audience, of this campaign or of any; None if no enrolling is incomplete.

    Locks the campaign for an instant only, after the page. Safe to run twice at once and after a crash.
    """
    waiting = select(Campaign.id).where(Campaign.enroll_from.is_not(None)).order_by(Campaign.id).limit(1)
    if campaign_id is not None:
        waiting = waiting.where(Campaign.id == campaign_id)
    incomplete = session.scalar(waiting)
    return None if incomplete is None else _page(session, incomplete, limit)


def audience_size(session: Session, campaign_id: UUID) -> int:
    """Return the number of contacts in the campaign's audience."""
    audience = session.scalar(select(Campaign.audience).where(Campaign.id == campaign_id)) or {}
    query = select(func.count()).select_from(Contact).where(*segments.conditions(segments.read(audience)))
    return session.scalar(query) or 0


def begin(session: Session, campaign_id: UUID, *, after: UUID = _BEFORE_ALL, now: datetime) -> None:
    """Begin to enroll the campaign's audience, from the contact after `after` on; `proceed` does the work.

    The delay of step 1 counts from `now`, if the campaign is launched.
    """
    campaign = update(Campaign).where(Campaign.id == campaign_id)
    session.execute(campaign.values(enroll_from=now, enroll_after=after))


# The position advances only if nobody else has advanced it, begun anew or launched the campaign meanwhile. Otherwise
# the page is done again, which changes nothing.
_ADVANCE = text("""
    UPDATE campaigns
       SET enroll_after = :last, enroll_from = CASE WHEN CAST(:last AS uuid) IS NOT NULL THEN enroll_from END
     WHERE id = :id AND enroll_from = :since AND enroll_after = :after
       AND launched_at IS NOT DISTINCT FROM CAST(:launched_at AS timestamptz)
""")


def _page(session: Session, campaign_id: UUID, limit: int) -> Enrolled:
    """Schedule a page of the contacts enrolled before the launch; if none is left, enroll a page of the audience."""
    columns = (Campaign.audience, Campaign.launched_at, Campaign.enroll_from, Campaign.enroll_after)
    audience, launched_at, since, after = session.execute(select(*columns).where(Campaign.id == campaign_id)).one()
    first_at = None if launched_at is None else steps.of(session, campaign_id)[0].due_after(since)
    if first_at is not None and _schedule_page(session, campaign_id, first_at, limit) == limit:
        return Enrolled(0, {}, is_complete=False)
    conditions = [*segments.conditions(segments.read(audience)), Contact.id > after]
    last = session.scalar(select(Contact.id).where(*conditions).order_by(Contact.id).offset(limit - 1).limit(1))
    if last is not None:
        conditions.append(Contact.id <= last)
    enrolled = _add(session, campaign_id, conditions, first_at=first_at, now=since)
    position = {"since": since, "after": after, "last": last, "launched_at": launched_at}
    moved = session.execute(_ADVANCE, {"id": campaign_id, **position}).rowcount  # type: ignore[attr-defined]
    return replace(enrolled, is_complete=last is None and moved == 1)


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
     WHERE id IN (SELECT id FROM enrollments
                   WHERE campaign_id = :campaign_id AND next_step = 1 AND state = 'active' AND next_at IS NULL
                   ORDER BY id LIMIT :limit)
""")


def _schedule_page(session: Session, campaign_id: UUID, first_at: datetime, limit: int) -> int:
    """Set the due time of step 1 of the next page of contacts enrolled before the launch; return their number."""
    values = {"campaign_id": campaign_id, "first_at": first_at, "limit": limit}
    return int(session.execute(_SCHEDULE, values).rowcount)  # type: ignore[attr-defined]


_END_PAUSE = text("""
    UPDATE enrollments SET next_at = :now
     WHERE contact_id = :contact_id AND state = 'active' AND next_at = :paused_until
""")


def end_pause(session: Session, contact_id: UUID, paused_until: datetime, *, now: datetime) -> None:
    """Make steps due now that waited for the end of the contact's pause."""
    session.execute(_END_PAUSE, {"contact_id": contact_id, "paused_until": paused_until, "now": now})


@dataclass(frozen=True, slots=True)
class Retried:
    """The number of e-mails of a page that are queued again, and of those that stay failed, by reason.

    `last` is the e-mail after which the next page begins, None after the last page.
    """

    queued: int
    kept: Mapping[str, int]
    last: UUID | None


# Read before anything is locked: few of many e-mails may have failed.
_CANDIDATES = text("""
    SELECT id FROM emails
     WHERE campaign_id = :campaign_id AND status = 'failed' AND reason = :reason AND id > CAST(:after AS uuid)
     ORDER BY id LIMIT :limit
""")
_FAILED = text("""
    SELECT e.id, e.enrollment_id, e.step, e.variant, CASE
               WHEN n.state = 'stopped' THEN 'stopped'
               WHEN e.bounced_at IS NOT NULL OR e.complained_at IS NOT NULL OR e.opened_at IS NOT NULL
                    OR e.clicked_at IS NOT NULL OR e.machine_opened_at IS NOT NULL OR e.machine_clicked_at IS NOT NULL
                    OR e.converted_at IS NOT NULL OR e.replied_at IS NOT NULL OR e.unsubscribed_at IS NOT NULL
                    THEN 'delivered'
               WHEN n.state = 'waiting' OR n.next_step <> e.step + 1 OR EXISTS (
                    SELECT FROM send_groups g WHERE g.state = 'open' AND g.campaign_id = e.campaign_id
                       AND g.step = n.next_step AND n.id = ANY(g.members)) THEN 'later_step' END AS obstacle
      FROM emails e JOIN enrollments n ON n.id = e.enrollment_id
     WHERE e.id = ANY(CAST(:ids AS uuid[])) AND e.status = 'failed' AND e.reason = :reason
     ORDER BY e.id FOR UPDATE OF e, n
""")
_PUT_BACK = text("""
    UPDATE enrollments SET state = 'waiting', next_step = v.step, next_at = NULL
      FROM unnest(CAST(:ids AS uuid[]), CAST(:steps AS smallint[])) AS v (id, step) WHERE enrollments.id = v.id
""")
RETRIED = ("refused", "expired")  # the reasons that `retry` accepts


def retry(session: Session, campaign_id: UUID, reason: str, *, after: UUID = _BEFORE_ALL, now: datetime) -> Retried:
    """Queue again a page of the campaign's e-mails that failed for `reason`, and put their enrollments back.

    The step is then sent once, and later steps count from that moment. An e-mail stays failed if its enrollment is
    `stopped`, if a `later_step` has been sent or claimed, or if an event shows that it was `delivered`. The claim
    decides who may be mailed. A finished campaign runs again. Safe to repeat. Raises NotFound.
    """
    values = {"campaign_id": campaign_id, "reason": reason, "after": after, "limit": PAGE}
    candidates = session.scalars(_CANDIDATES, values).all()
    query = select(Campaign.state).where(Campaign.id == campaign_id).with_for_update(key_share=True)
    state = session.scalar(query)
    if state is None:
        raise NotFound("campaign: there is none with this id")
    for step in steps.of(session, campaign_id):
        steps.lock(session, campaign_id, step.step)
    rows = session.execute(_FAILED, {"ids": arrays.uuids(candidates), "reason": reason}).all()
    again = [row for row in rows if row.obstacle is None]
    if again:
        _put_back(session, campaign_id, again, reason, now)
        if state == "finished":
            session.execute(
                update(Campaign).where(Campaign.id == campaign_id).values(state="running", finished_at=None)
            )
    kept = Counter(row.obstacle for row in rows if row.obstacle is not None)
    return Retried(len(again), kept, candidates[-1] if len(candidates) == PAGE else None)


def retry_all(
    run: Callable[[Callable[[Session], Retried]], Retried], campaign_id: UUID, reason: str, *, now: datetime
) -> Retried:
    """Retry page by page, each in a transaction that `run` opens, and return the totals."""
    queued, kept, last = 0, Counter[str](), _BEFORE_ALL
    while True:
        page = run(partial(retry, campaign_id=campaign_id, reason=reason, after=last, now=now))
        queued += page.queued
        kept.update(page.kept)
        if page.last is None:
            return Retried(queued, kept, None)
        last = page.last


def _put_back(session: Session, campaign_id: UUID, rows: Sequence[Row[Any]], reason: str, now: datetime) -> None:
    ids = {"ids": arrays.uuids(row.enrollment_id for row in rows), "steps": [row.step for row in rows]}
    session.execute(_PUT_BACK, ids)
    emails.requeue(session, [row.id for row in rows], f"queued again after it was {reason}", now=now)
    for (step, variant), count in sorted(Counter((row.step, row.variant or "") for row in rows).items()):
        rollups.take_back(session, rollups.Key(campaign_id, step, variant, now), reason, count)
