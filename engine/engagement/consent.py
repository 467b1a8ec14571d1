"""Consent changes that a reader makes on the unsubscribe page: unsubscribe, resubscribe, pause, resume."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from engine.audience import contact_flags, preferences, suppressions
from engine.audience.preferences import Noted
from engine.campaigns import enrollments, stops
from engine.delivery import early_events, emails
from engine.tracking import events, pending
from engine.tracking.events import Entry, IncomingEvent
from errors import NotFound
from models import ids

PAUSE = timedelta(days=30)

_NOTES = {
    "unsubscribed": preferences.note_consent,
    "resubscribed": preferences.note_consent,
    "paused": preferences.note_pause,
    "resumed": preferences.note_pause,
}
KINDS = tuple(_NOTES)


def change(kind: str, email_id: UUID, *, now: datetime, one_click: bool = False) -> Entry:
    """Return a consent change of this e-mail's reader, as an entry that can be applied or spooled.

    `kind` is one of `KINDS`. `unsubscribed`: no more marketing e-mails. `resubscribed` undoes that, except that stopped
    sequences, dead addresses and complaints remain. `paused`: no marketing e-mails for 30 days, queued and due ones
    included; sequences continue afterwards, and a running pause is not extended. `resumed` ends the pause now.
    """
    if kind == "unsubscribed":
        by, source = ("one-click", "unknown") if one_click else ("page", "human")
        return events.prepare(IncomingEvent(email_id, kind, now, {"by": by}, source), now=now)
    return Entry(ids.at(now), email_id, kind, "{}", now, "human", b"", now)


def apply(session: Session, change: Entry) -> None:
    """Apply the change at once: it takes effect with the commit, before the event is applied.

    Safe to repeat. NotFound if the e-mail does not exist. Commit, then ring "events".
    """
    contact_id, _ = _note(session, change)
    _record(session, change)
    _APPLY[change.event_type](session, contact_id, change)


def give(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Note that the contact agreed to marketing e-mails: its own unsubscription ends, now and as its latest request.

    Dead addresses and complaints remain, and suppressions by hand.
    """
    contact_flags.lock(session, [contact_id])
    preferences.note_consent_of(session, contact_id, now)
    pending.finish_unsubscribes(session, contact_id, now=now)
    if suppressions.lift(session, contact_id):
        contact_flags.restore_status(session, contact_id)
        contact_flags.recompute(session, [contact_id], now=now)


def apply_pending(session: Session, change: Entry) -> None:
    """Apply a change that was spooled, unless the reader has made a later one of the same subject: the latest wins."""
    contact_id, is_latest = _note(session, change)
    _record(session, change)
    if is_latest:
        _APPLY[change.event_type](session, contact_id, change)
    elif change.event_type == "unsubscribed":
        pending.finish_unsubscribes(session, contact_id, now=change.timestamp)


def _note(session: Session, change: Entry) -> Noted:
    """Lock the contact and note the change; return the contact, and True if no later change of the subject is known."""
    note = _NOTES[change.event_type]
    noted = note(session, change.email_id, change.timestamp)
    if noted is None:
        early_events.admit(session, [change.email_id], now=change.timestamp)
        noted = note(session, change.email_id, change.timestamp)
    if noted is None:
        raise NotFound("email: there is no such e-mail")
    return noted


def _record(session: Session, change: Entry) -> None:
    if change.event_type == "unsubscribed":
        early_events.store(session, [change], now=change.timestamp)


def _withdraw(session: Session, contact_id: UUID, change: Entry) -> None:
    now = change.timestamp
    suppressions.add(session, [contact_id], "unsubscribed", now=now, email_id=change.email_id)
    stops.stop(session, [contact_id], "unsubscribed", now=now)


def _restore(session: Session, contact_id: UUID, change: Entry) -> None:
    pending.finish_unsubscribes(session, contact_id, now=change.timestamp)
    if suppressions.lift(session, contact_id):
        contact_flags.restore_status(session, contact_id)


def _pause(session: Session, contact_id: UUID, change: Entry) -> None:
    now = change.timestamp
    preferences.pause(session, contact_id, until=now + PAUSE, now=now)


def _resume(session: Session, contact_id: UUID, change: Entry) -> None:
    now = change.timestamp
    paused_until = preferences.end_pause(session, contact_id, now=now)
    if paused_until is not None:
        emails.end_pause(session, contact_id, paused_until, now=now)
        enrollments.end_pause(session, contact_id, paused_until, now=now)


_APPLY: Mapping[str, Callable[[Session, UUID, Entry], None]] = {
    "unsubscribed": _withdraw,
    "resubscribed": _restore,
    "paused": _pause,
    "resumed": _resume,
}
