"""Consent: a reader takes it back from any mail with one press, pauses it, and may give it again."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import enrollments
from engine.delivery import early_events
from engine.tracking import events
from engine.tracking.events import Arrival, Entry
from errors import NotFound
from models import ids

PAUSE = timedelta(days=30)

# Of each subject the reader's last word is noted with its moment; the row is locked by that until the transaction ends.
_HEAR = """
    UPDATE contacts SET {said_at} = greatest({said_at}, :at) FROM emails
     WHERE emails.id = :email_id AND contacts.id = emails.contact_id
    RETURNING contacts.id, contacts.{said_at} = :at
"""
_CONSENT, _PAUSE = (text(_HEAR.format(said_at=said_at)) for said_at in ("consent_said_at", "pause_said_at"))
_HEARD = {"unsubscribed": _CONSENT, "resubscribed": _CONSENT, "paused": _PAUSE, "resumed": _PAUSE}
WISHES = tuple(_HEARD)

_APPLIED = text("""
    UPDATE events SET applied_at = :now FROM emails
     WHERE emails.contact_id = :contact_id AND events.email_id = emails.id
       AND event_type = 'unsubscribed' AND applied_at IS NULL
""")
_STATUS_BACK = text("""
    UPDATE contacts SET email_followup_status = CASE WHEN email_3_sent THEN 'email_3_sent'
                                                     WHEN email_2_sent THEN 'email_2_sent'
                                                     WHEN email_1_sent THEN 'email_1_sent' ELSE 'new' END
     WHERE id = :contact_id AND email_followup_status = 'unsubscribed'
""")
_PAUSE_BEGINS = text("""
    UPDATE contacts SET paused_until = CASE WHEN paused_until > :now THEN paused_until ELSE :until END
     WHERE id = :contact_id
""")
_PAUSE_ENDS = text("""
    WITH was AS (
        SELECT id, paused_until FROM contacts WHERE id = :contact_id AND paused_until > :now FOR NO KEY UPDATE
    ), free AS (
        UPDATE contacts SET paused_until = :now FROM was WHERE contacts.id = was.id
    ), queued AS (
        UPDATE emails SET due_at = :now, reason = NULL FROM was
         WHERE contact_id = was.id AND status = 'queued' AND reason = 'paused' AND due_at = was.paused_until
    )
    UPDATE enrollments SET next_at = :now FROM was
     WHERE contact_id = was.id AND state = 'active' AND next_at = was.paused_until
""")


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
        _forestall(session, contact_id, wished.timestamp)


def _hear(session: Session, wished: Entry) -> tuple[UUID, bool]:
    """The reader, locked, and whether nothing that they said of this subject is later."""
    values = {"email_id": wished.email_id, "at": wished.timestamp}
    found = session.execute(_HEARD[wished.event_type], values).one_or_none()
    if found is None:
        early_events.admit(session, [wished.email_id], now=wished.timestamp)
        found = session.execute(_HEARD[wished.event_type], values).one_or_none()
    if found is None:
        raise NotFound("email: there is no such e-mail")
    contact_id, is_last_word = found
    return contact_id, is_last_word


def _record(session: Session, wished: Entry) -> None:
    if wished.event_type == "unsubscribed":
        early_events.store(session, [wished], now=wished.timestamp)


def _forestall(session: Session, contact_id: UUID, now: datetime) -> None:
    """An unsubscribing that is not applied yet must not suppress the reader again afterwards."""
    session.execute(_APPLIED, {"contact_id": contact_id, "now": now})


def _withdraw(session: Session, contact_id: UUID, wished: Entry) -> None:
    now = wished.timestamp
    suppressions.add(session, [contact_id], "unsubscribed", now=now, email_id=wished.email_id)
    enrollments.stop(session, [contact_id], "unsubscribed", now=now)


def _restore(session: Session, contact_id: UUID, wished: Entry) -> None:
    _forestall(session, contact_id, wished.timestamp)
    if suppressions.lift(session, contact_id):
        session.execute(_STATUS_BACK, {"contact_id": contact_id})


def _pause(session: Session, contact_id: UUID, wished: Entry) -> None:
    now = wished.timestamp
    session.execute(_PAUSE_BEGINS, {"contact_id": contact_id, "now": now, "until": now + PAUSE})


def _resume(session: Session, contact_id: UUID, wished: Entry) -> None:
    session.execute(_PAUSE_ENDS, {"contact_id": contact_id, "now": wished.timestamp})


_GRANTS: Mapping[str, Callable[[Session, UUID, Entry], None]] = {
    "unsubscribed": _withdraw,
    "resubscribed": _restore,
    "paused": _pause,
    "resumed": _resume,
}
