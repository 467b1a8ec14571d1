"""Reclassify stored hits, and update everything derived from them, as if all had just arrived."""

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
from engine.tracking.pending import PendingEvent
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
    """Reclassified hits: the last one, their number, and the number of changes.

    `classifications` counts changes by old and new source, `rules` also by rule that now applies.
    """

    last: UUID
    events: int
    classifications: Counter[tuple[str, str]]
    rules: Counter[tuple[str, str, str]]
    emails: int
    contacts: int


def start(since: datetime) -> UUID:
    """Return the value of `after` for the first page."""
    return ids.first_at(since)


def size(session: Session, since: datetime, until: datetime) -> int:
    """Return the number of events in the span, for a progress display."""
    return session.scalar(_COUNT, {"first": ids.first_at(since), "last": ids.first_at(until)}) or 0


def page(session: Session, after: UUID, until: datetime, *, now: datetime, limit: int = 1000) -> Page | None:
    """Reclassify the next `limit` opens and clicks after that id and before `until`, with all others of their e-mails.

    Returns None at the end. Locks as `reactions.apply` does, so both may run at once, and this twice. Does not change
    e-mails older than the retention horizon. Afterwards call `rollups.recount` for the hours of the span.
    """
    values = {"first": after, "last": ids.first_at(until), "limit": limit}
    events = [PendingEvent._make(row) for row in session.execute(_PAGE, values)]
    return _reclassify(session, events, now) if events else None


def preview(session: Session, after: UUID, until: datetime, *, now: datetime, limit: int = 1000) -> Page | None:
    """Return what `page` would, and undo its changes."""
    savepoint = session.begin_nested()
    result = page(session, after, until, now=now, limit=limit)
    savepoint.rollback()
    return result


def hours(session: Session, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the hours of the span of which no event is pruned."""
    hour = max(since, hit_history.horizon(session)).replace(minute=0, second=0, microsecond=0)
    while hour < until:
        yield hour
        hour += _HOUR


def _reclassify(session: Session, events: Sequence[PendingEvent], now: datetime) -> Page:
    batch = attribution.lock(session, events, widen=False)
    since = hit_history.horizon(session)
    batch.emails = [email for email in batch.emails if email.accepted_at >= since]
    derived = attribution.classify(session, batch, now=now)
    after = [attribution.with_moments(email, moments) for email, moments in derived]
    changed = [new for old, new in zip(batch.emails, after, strict=True) if new != old]
    emails.record_events(session, changed)
    contacts = contact_flags.recompute(session, {email.contact_id for email in batch.emails}, now=now)
    rollups.add(session, attribution.counts(batch.emails, after))
    return _page(events, batch.changes, len(changed), contacts)


def _page(events: Sequence[PendingEvent], changes: Sequence[Change], email_count: int, contacts: int) -> Page:
    classifications = Counter((old.source, new.source) for old, new in changes)
    rules = Counter((old.source, new.source, rule) for old, new in changes for rule in new.reasons)
    return Page(events[-1].id, len(events), classifications, rules, email_count, contacts)
