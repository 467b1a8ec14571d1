"""Rejudging: verdicts and what follows from them made anew from the raw hits, as if all had come just now."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.audience import contact_flags
from engine.delivery import emails
from engine.engagement import attribution
from engine.engagement.attribution import Change
from engine.tracking import hit_history, pending
from engine.tracking.pending import Taken
from models import ids

_HOUR = timedelta(hours=1)

_COUNT = text("SELECT count(*) FROM events WHERE id >= :first AND id < :last")
_PAGE = text(f"""
SELECT {pending.COLUMNS}
  FROM events
 WHERE id > :first AND id < :last AND event_type IN ('opened', 'clicked') AND applied_at IS NOT NULL AND NOT held
 ORDER BY id LIMIT :limit
""")  # noqa: S608  # built from the columns of an event alone


@dataclass(frozen=True, slots=True)
class Page:
    """Some hits judged anew: the last of them, how many, and what became of verdicts, mails and contacts.

    `verdicts` counts changed ones by what they were and are, `rules` the same by rule that speaks now.
    """

    last: UUID
    events: int
    verdicts: Counter[tuple[str, str]]
    rules: Counter[tuple[str, str, str]]
    mails: int
    contacts: int


def start(since: datetime) -> UUID:
    """What to give as `after` for the first page."""
    return ids.first_at(since)


def size(session: Session, since: datetime, until: datetime) -> int:
    """How many events there are in the span, to show how far it is."""
    return session.scalar(_COUNT, {"first": ids.first_at(since), "last": ids.first_at(until)}) or 0


def page(session: Session, after: UUID, until: datetime, *, now: datetime, limit: int = 1000) -> Page | None:
    """Judge the next `limit` opens and clicks after that id, before `until`, with all others of their mails.

    None at the end. Locks as applying does, so both may run at once, and this twice. Mails older than the horizon of
    what is kept stay as they are. Then `rollups.recount` the hours of the span.
    """
    values = {"first": after, "last": ids.first_at(until), "limit": limit}
    events = [Taken._make(row) for row in session.execute(_PAGE, values)]
    return _judged(session, events, now) if events else None


def preview(session: Session, after: UUID, until: datetime, *, now: datetime, limit: int = 1000) -> Page | None:
    """What `page` would do, all of it undone again."""
    undo = session.begin_nested()
    told = page(session, after, until, now=now, limit=limit)
    undo.rollback()
    return told


def hours(session: Session, since: datetime, until: datetime) -> Iterator[datetime]:
    """The hours of the span of which all events are kept."""
    hour = max(since, hit_history.horizon(session)).replace(minute=0, second=0, microsecond=0)
    while hour < until:
        yield hour
        hour += _HOUR


def _judged(session: Session, events: Sequence[Taken], now: datetime) -> Page:
    batch = attribution.lock(session, events, widen=False)
    since = hit_history.horizon(session)
    batch.mails = [mail for mail in batch.mails if mail.accepted_at >= since]
    after = [attribution.with_moments(mail, moments) for mail, moments in attribution.judge(session, batch, now=now)]
    changed = [new for old, new in zip(batch.mails, after, strict=True) if new != old]
    emails.record_events(session, changed)
    contacts = contact_flags.recompute(session, {mail.contact_id for mail in batch.mails}, now=now)
    rollups.add(session, attribution.counts(batch.mails, after))
    return _told(events, batch.changes, len(changed), contacts)


def _told(events: Sequence[Taken], changes: Sequence[Change], mails: int, contacts: int) -> Page:
    verdicts = Counter((old.source, new.source) for old, new in changes)
    rules = Counter((old.source, new.source, rule) for old, new in changes for rule in new.reasons)
    return Page(events[-1].id, len(events), verdicts, rules, mails, contacts)
