"""Store events, also early ones: events of an e-mail that has no row because its group is not settled yet."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from errors import NotFound
from models import arrays, ids

# The shared lock orders this before or after a concurrent settlement, which closes the group first. Either the
# settlement waits, and then takes over the row inserted here, or the group is closed and nothing is inserted.
_ADMIT = text("""
INSERT INTO emails (id, contact_id, enrollment_id, status, due_at, claim, template, template_version, subject, lane,
                    campaign_id, step, message_id, accepted_at)
SELECT v.id, n.contact_id, n.id, 'sending', :now, g.id, s.template, s.template_version, s.subject, g.lane,
       g.campaign_id, g.step, replace(CAST(v.id AS text), '-', '') || CAST(:at_domain AS text), :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:enrollments AS uuid[]), CAST(:steps AS smallint[]))
       AS v(id, enrollment_id, step)
  JOIN enrollments n ON n.id = v.enrollment_id
  JOIN send_groups g ON g.state = 'open' AND g.campaign_id = n.campaign_id AND g.step = v.step AND n.id = ANY(g.members)
  JOIN campaign_steps s ON s.campaign_id = g.campaign_id AND s.step = g.step
 ORDER BY v.id FOR SHARE OF g
ON CONFLICT (id) DO NOTHING
""")
_UNKNOWN = text("""
SELECT count(*) FROM unnest(CAST(:ids AS uuid[])) AS asked (id)
WHERE NOT EXISTS (SELECT FROM emails WHERE emails.id = asked.id)
""")


def record(session: Session, incoming: Sequence[IncomingEvent], *, now: datetime) -> list[bool]:
    """Store the events and return, for each in the order of `incoming`, True if it was new.

    A timestamp after `now` becomes `now`, and the original one is kept in `event_data`. Raises InvalidInput for an
    unknown type or source and for a timestamp without a time zone; NotFound if an e-mail does not exist. Commit, then
    ring "events".
    """
    entries = [events.prepare(event, now=now) for event in incoming]
    new = store(session, entries, now=now)
    if len(new) < len(entries):
        _refuse_unknown(session, {event.email_id for event in incoming})
    return [_remove(new, each.dedupe_key) for each in entries]


def store(session: Session, entries: Sequence[Entry], *, now: datetime) -> set[bytes]:
    """Store the entries and return the dedupe keys of those that were not stored before.

    Leaves out entries of e-mails that do not exist. One statement if all are new and their e-mails have rows. Safe to
    run twice, also at once. Commit, then ring "events".
    """
    by_key = {each.dedupe_key: each for each in reversed(entries)}
    if not by_key:
        return set()
    new = events.insert(session, by_key)
    if len(new) < len(by_key):
        admit(session, [each.email_id for each in entries], now=now)
        new |= events.insert(session, by_key)
    return new


def admit(session: Session, email_ids: Sequence[UUID], *, now: datetime) -> None:
    """Insert rows for those of these e-mails that a sender has claimed and that have no row yet.

    Events can then refer to them. Leaves e-mails alone that have a row or that no group has claimed. Waits for a
    concurrent settlement of the same e-mails.
    """
    known = sorted({email_id for email_id in email_ids if ids.step_of(email_id)}, key=lambda email_id: email_id.int)
    if known:
        values = {
            "ids": arrays.uuids(known),
            "enrollments": arrays.uuids(ids.enrollment_of(email_id) for email_id in known),
            "steps": [ids.step_of(email_id) for email_id in known],
            "at_domain": f"@{settings.current().message_domain}",
            "now": now,
        }
        session.execute(_ADMIT, values)


def _refuse_unknown(session: Session, email_ids: set[UUID]) -> None:
    unknown = session.scalar(_UNKNOWN, {"ids": list(email_ids)})
    if unknown:
        raise NotFound(f"email_id: {unknown} of {len(email_ids)} e-mails do not exist")


def _remove(new: set[bytes], key: bytes) -> bool:
    """Remove the key and return True if it was there: of events that share a key, only the first is new."""
    if key not in new:
        return False
    new.remove(key)
    return True
