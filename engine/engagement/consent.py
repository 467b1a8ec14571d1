"""Consent: a reader takes it back from any mail with one press, pauses it, and may give it again."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from engine.audience import contact_flags, preferences, suppressions
from engine.audience.preferences import Noted
from engine.campaigns import enrollments, stops
from engine.delivery import early_events, emails
from engine.tracking import events, pending
from engine.tracking.events import Arrival, Entry
from errors import NotFound
from models import ids

PAUSE = timedelta(days=30)

_NOTES = {
    "unsubscribed": preferences.note_consent,
    "resubscribed": preferences.note_consent,
    "paused": preferences.note_pause,
    "resumed": preferences.note_pause,
}
WISHES = tuple(_NOTES)


def wish(kind: str, email_id: UUID, *, now: datetime, one_click: bool = False) -> Entry:
    """What the reader of this e-mail asks for, one of `WISHES`; it can be kept in a spool until it can be granted.

    `unsubscribed`: no more marketing mail. `resubscribed` takes that back; sequences that it ended stay ended, a dead
    address and a complaint stay suppressed. `paused`: no marketing mail for 30 days, queued and due ones included;
    sequences go on afterwards, a pause that runs is not made longer. `resumed`: what waited for its end is due now.
    """
    if kind == "unsubscribed":
        how, source = ("one-click", "unknown") if one_click else ("page", "human")
        return events.entry(Arrival(email_id, kind, now, {"by": how}, source), now=now)
    return Entry(ids.at(now), email_id, kind, "{}", now, "human", b"", now)


def grant(session: Session, wished: Entry) -> None:
    """Do what the reader asks for now: in force when the transaction is, not when an event is applied.

    Safe to repeat. NotFound when the e-mail does not exist. Commit, then ring "events".
    """
    contact_id, _ = _hear(session, wished)
    _record(session, wished)
    _GRANTS[wished.event_type](session, contact_id, wished)


def catch_up(session: Session, wished: Entry) -> None:
    """As `grant`, of what was asked for while the ledger was away; nothing when the reader said something else of it
    since, wherever that came in: the last word wins, by its time."""
    contact_id, is_last_word = _hear(session, wished)
    _record(session, wished)
    if is_last_word:
        _GRANTS[wished.event_type](session, contact_id, wished)
    elif wished.event_type == "unsubscribed":
        pending.finish_unsubscribes(session, contact_id, now=wished.timestamp)


def _hear(session: Session, wished: Entry) -> Noted:
    """Lock the reader and note the request; return the reader, and whether no later request of its subject is known."""
    note = _NOTES[wished.event_type]
    noted = note(session, wished.email_id, wished.timestamp)
    if noted is None:
        early_events.admit(session, [wished.email_id], now=wished.timestamp)
        noted = note(session, wished.email_id, wished.timestamp)
    if noted is None:
        raise NotFound("email: there is no such e-mail")
    return noted


def _record(session: Session, wished: Entry) -> None:
    if wished.event_type == "unsubscribed":
        early_events.store(session, [wished], now=wished.timestamp)


def _withdraw(session: Session, contact_id: UUID, wished: Entry) -> None:
    now = wished.timestamp
    suppressions.add(session, [contact_id], "unsubscribed", now=now, email_id=wished.email_id)
    stops.stop(session, [contact_id], "unsubscribed", now=now)


def _restore(session: Session, contact_id: UUID, wished: Entry) -> None:
    pending.finish_unsubscribes(session, contact_id, now=wished.timestamp)
    if suppressions.lift(session, contact_id):
        contact_flags.restore_status(session, contact_id)


def _pause(session: Session, contact_id: UUID, wished: Entry) -> None:
    now = wished.timestamp
    preferences.pause(session, contact_id, until=now + PAUSE, now=now)


def _resume(session: Session, contact_id: UUID, wished: Entry) -> None:
    now = wished.timestamp
    paused_until = preferences.end_pause(session, contact_id, now=now)
    if paused_until is not None:
        emails.end_pause(session, contact_id, paused_until, now=now)
        enrollments.end_pause(session, contact_id, paused_until, now=now)


_GRANTS: Mapping[str, Callable[[Session, UUID, Entry], None]] = {
    "unsubscribed": _withdraw,
    "resubscribed": _restore,
    "paused": _pause,
    "resumed": _resume,
}
