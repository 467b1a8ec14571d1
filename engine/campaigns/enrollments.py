"""Enrollments: contacts in a campaign, and the due time of their steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.campaigns import steps, stops
from errors import Conflict, InvalidInput, NotFound
from models import Campaign, Contact, Email, Enrollment, Suppression, together
from models.email import TEST
from models.together import Query

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
    session: Session,
    campaign_id: UUID,
    *,
    contact_ids: Sequence[UUID] | None = None,
    by_form: bool = False,
    now: datetime,
) -> Enrolled:
    """Enroll these contacts, by default the campaign's audience; enrolled contacts stay as they are.

    Converted and suppressed contacts are enrolled as stopped, which explains why they get nothing. If the campaign was
    launched, the delay of step 1 counts from `now`; if it is finished, it runs again. Of an audience this enrolls the
    first page; `proceed` does the others. Contacts enrolled in a draft are chosen by hand, so a launch adds nobody,
    unless they came `by_form`. Safe to repeat. Raises NotFound; Conflict if the campaign is cancelled; InvalidInput if
    some of the contacts do not exist.
    """
    query = select(Campaign.state, Campaign.launched_at).where(Campaign.id == campaign_id)
    campaign = session.execute(query.with_for_update(key_share=True)).one_or_none()
    if campaign is None:
        raise NotFound("campaign: there is none with this id")
    if campaign.state == "cancelled":
        raise Conflict("state: the campaign is cancelled and never runs again; clone it and enroll contacts there")
    if campaign.state == "draft" and not by_form:
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(enrolled_by_hand=True))
    if campaign.state == "finished":
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(state="running", finished_at=None))
    if contact_ids is None:
        begin(session, campaign_id, now=now)
        return _page(session, campaign_id, PAGE)
    _refuse_unknown(session, contact_ids)
    first_at = None if campaign.launched_at is None else steps.of(session, campaign_id)[0].due_after(now)
    people = _people([Contact.id == func.any(list(contact_ids))], ())
    return _add(session, campaign_id, people, first_at=first_at, now=now)


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
# The campaign may have been cancelled meanwhile, and its enrollments stopped up to these.
_STOP_AGAIN = text("""
    UPDATE campaigns SET stop_after = :start, finished_at = NULL WHERE id = :id AND state = 'cancelled'
""")


def _page(session: Session, campaign_id: UUID, limit: int) -> Enrolled:
    """Schedule a page of the contacts enrolled before the launch; if none is left, enroll a page of the audience."""
    columns = (Campaign.audience, Campaign.launched_at, Campaign.enroll_from, Campaign.enroll_after)
    query = select(*columns, Campaign.skips_received).where(Campaign.id == campaign_id)
    audience, launched_at, since, after, skips_received = session.execute(query).one()
    plan = steps.of(session, campaign_id)
    skipped = [step.template for step in plan] if skips_received else []
    first_at = None if launched_at is None else plan[0].due_after(since)
    if first_at is not None:
        values = {"campaign_id": campaign_id, "first_at": first_at, "now": since, "limit": limit, "skipped": skipped}
        if session.execute(_SCHEDULE, values).rowcount == limit:  # type: ignore[attr-defined]
            return Enrolled(0, {}, is_complete=False)
    conditions = [*segments.conditions(segments.read(audience)), Contact.id > after]
    last = session.scalar(select(Contact.id).where(*conditions).order_by(Contact.id).offset(limit - 1).limit(1))
    if last is not None:
        conditions.append(Contact.id <= last)
    enrolled = _add(session, campaign_id, _people(conditions, skipped), first_at=first_at, now=since)
    position = {"since": since, "after": after, "last": last, "launched_at": launched_at}
    moved = session.execute(_ADVANCE, {"id": campaign_id, **position}).rowcount  # type: ignore[attr-defined]
    if not moved:
        session.execute(_STOP_AGAIN, {"id": campaign_id, "start": _BEFORE_ALL})
    return replace(enrolled, is_complete=last is None and moved == 1)


def _refuse_unknown(session: Session, contact_ids: Sequence[UUID]) -> None:
    existing = session.scalar(select(func.count()).where(Contact.id == func.any(list(contact_ids)))) or 0
    unknown = len(set(contact_ids)) - existing
    if unknown:
        raise InvalidInput.of("contact_ids", f"{unknown} of them do not exist; import the contacts first")


def obstacle(skipped: Sequence[str] = ()) -> ColumnElement[str | None]:
    """Return the reason for which a contact is enrolled as stopped, or NULL, of a query that outer-joins suppressions.

    Contacts who got a template of `skipped` before are `received`.
    """
    return case(
        (Contact.converted, literal("converted")),
        *((Suppression.reason == reason, literal(stopped_by)) for reason, stopped_by in stops.BY_SUPPRESSION.items()),
        *([(received(skipped).exists(), literal("received"))] if skipped else []),
    )


# Of an e-mail: its contact got it, or perhaps did, and not as a test.
IS_RECEIVED = and_(Email.kind != TEST, or_(Email.sent_at.is_not(None), Email.status == "in_doubt"))


def received(templates: Sequence[str]) -> Select[UUID]:
    """Return the query of e-mails of these templates that the contact of the outer query got, or perhaps got."""
    return select(Email.id).where(Email.contact_id == Contact.id, Email.template.in_(templates), IS_RECEIVED)


def _people(conditions: Sequence[ColumnElement[bool]], skipped: Sequence[str]) -> Select[UUID, str | None]:
    query = select(Contact.id, obstacle(skipped).label("obstacle")).where(*conditions).order_by(Contact.id)
    return query.outerjoin(Suppression, Suppression.email_index == Contact.email_index)


def _add(
    session: Session,
    campaign_id: UUID,
    query: Select[UUID, str | None],
    *,
    first_at: datetime | None,
    now: datetime,
) -> Enrolled:
    person = query.subquery().c
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


def are_chosen(session: Session, campaign_id: UUID) -> bool:
    """Return True if somebody has chosen the contacts of this campaign by hand, so that a launch adds nobody."""
    by_hand = select(Campaign.enrolled_by_hand).where(Campaign.id == campaign_id)
    return bool(session.scalar(by_hand)) and any_of(session, campaign_id)


# As the index ix_forms_campaign has them.
_FORMS = text("""
    SELECT slug FROM forms WHERE definition ->> 'campaign_id' = CAST(:campaign_id AS text) AND state = 'active'
     ORDER BY slug LIMIT 20
""")


def forms(session: Session, campaign_id: UUID) -> tuple[str, ...]:
    """Return the slugs of the open forms whose confirmed sign-ups this campaign enrolls."""
    return tuple(session.scalars(_FORMS, {"campaign_id": str(campaign_id)}))


_SCHEDULE = text("""
    UPDATE enrollments
       SET next_at = CASE WHEN NOT page.is_skipped THEN CAST(:first_at AS timestamptz) END,
           state = CASE WHEN page.is_skipped THEN 'stopped' ELSE 'active' END,
           stop_reason = CASE WHEN page.is_skipped THEN 'received' END,
           stopped_at = CASE WHEN page.is_skipped THEN CAST(:now AS timestamptz) END
      FROM (SELECT n.id, EXISTS (
                       SELECT FROM emails e WHERE e.contact_id = n.contact_id
                          AND e.template = ANY(CAST(:skipped AS text[])) AND e.kind <> 'test'
                          AND (e.sent_at IS NOT NULL OR e.status = 'in_doubt')) AS is_skipped
              FROM enrollments n
             WHERE n.campaign_id = :campaign_id AND n.next_step = 1 AND n.state = 'active' AND n.next_at IS NULL
             ORDER BY n.id LIMIT :limit) AS page
     WHERE enrollments.id = page.id AND enrollments.state = 'active'
""")
_HASTEN = text("""
    UPDATE enrollments SET next_at = :now
     WHERE id IN (SELECT id FROM enrollments
                   WHERE campaign_id = :campaign_id AND next_step = 1 AND state = 'active' AND next_at > :now
                   ORDER BY next_at, id LIMIT :limit FOR UPDATE)
""")


def hasten(session: Session, campaign_id: UUID, *, now: datetime) -> int:
    """Make step 1 due now for a page of contacts whom it has not reached; return their number, 0 at the end."""
    values = {"campaign_id": campaign_id, "now": now, "limit": PAGE}
    return int(session.execute(_HASTEN, values).rowcount)  # type: ignore[attr-defined]


def hasten_all(run: Callable[[Callable[[Session], int]], int], campaign_id: UUID, *, now: datetime) -> int:
    """Hasten page by page, each in a transaction that `run` opens; return the number of contacts."""
    total = 0
    while page := run(partial(hasten, campaign_id=campaign_id, now=now)):
        total += page
    return total


_HELD = """
    SELECT EXISTS (SELECT FROM enrollments n JOIN contacts c ON c.id = n.contact_id
                    WHERE n.campaign_id = :campaign_id AND n.next_step = 1 AND n.state = 'active' AND n.next_at > :now
                      AND c.paused_until IS DISTINCT FROM n.next_at) AS is_held
"""


def are_held(session: Session, campaign_id: UUID, *, now: datetime) -> bool:
    """Return True if step 1 waits for its delay or its window for some contact, so that `hasten` would help."""
    return together.one(session, held_query(campaign_id, now=now))


def held_query(campaign_id: UUID, *, now: datetime) -> Query[bool]:
    """Return the query of `are_held`."""
    return Query(_HELD, ("is_held",), _is_held, {"campaign_id": campaign_id, "now": now})


def _is_held(rows: Sequence[Any]) -> bool:
    [(is_held,)] = rows
    return bool(is_held)


_END_PAUSE = text("""
    UPDATE enrollments SET next_at = :now
     WHERE contact_id = :contact_id AND state = 'active' AND next_at = :paused_until
""")


def end_pause(session: Session, contact_id: UUID, paused_until: datetime, *, now: datetime) -> None:
    """Make steps due now that waited for the end of the contact's pause."""
    session.execute(_END_PAUSE, {"contact_id": contact_id, "paused_until": paused_until, "now": now})
