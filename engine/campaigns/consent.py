"""Consent: a reader takes it back from any mail with one press, and may give it again."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import suppressions
from engine.campaigns import enrollments
from engine.tracking import early, events
from errors import NotFound

_CONTACT = text("SELECT contact_id FROM emails WHERE id = :email_id")
_APPLIED = text("""
    UPDATE events SET applied_at = :now
     WHERE email_id = :email_id AND event_type = 'unsubscribed' AND applied_at IS NULL
""")
_STATUS_BACK = text("""
    UPDATE contacts SET email_followup_status = CASE WHEN email_3_sent THEN 'email_3_sent'
                                                     WHEN email_2_sent THEN 'email_2_sent'
                                                     WHEN email_1_sent THEN 'email_1_sent' ELSE 'new' END
     WHERE id = :contact_id AND email_followup_status = 'unsubscribed'
""")
_PAUSE = text("""
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
PAUSE = timedelta(days=30)


def withdraw(session: Session, email_id: UUID, *, now: datetime, one_click: bool) -> None:
    """The reader of this e-mail wants no more marketing mail: in force when the transaction is, not when the
    event is applied. Safe to repeat. NotFound when the e-mail does not exist. Commit, then ring "events"."""
    contact_id = _reader(session, email_id, now)
    events.record(session, [withdrawal(email_id, now=now, one_click=one_click)], now=now)
    suppressions.add(session, [contact_id], "unsubscribed", now=now, email_id=email_id)
    enrollments.stop(session, [contact_id], "unsubscribed", now=now)


def withdrawal(email_id: UUID, *, now: datetime, one_click: bool) -> events.Arrival:
    """The event that the reader of this e-mail unsubscribed."""
    how = {"by": "one-click" if one_click else "page"}
    return events.Arrival(email_id, "unsubscribed", now, how, source="unknown" if one_click else "human")


def restore(session: Session, email_id: UUID, *, now: datetime) -> None:
    """The reader of this e-mail takes the unsubscribing back. Sequences that it ended stay ended; a dead address
    and a complaint stay suppressed. Safe to repeat; NotFound when the e-mail does not exist."""
    contact_id = _reader(session, email_id, now)
    # An event not applied yet must not suppress the reader again afterwards.
    session.execute(_APPLIED, {"email_id": email_id, "now": now})
    if suppressions.lift(session, contact_id):
        session.execute(_STATUS_BACK, {"contact_id": contact_id})


def pause(session: Session, email_id: UUID, *, now: datetime) -> None:
    """The reader of this e-mail wants no marketing mail for 30 days: in force when the transaction is, for what is
    queued or due, too; sequences go on afterwards. A pause that runs is not made longer, so it is safe to repeat.
    NotFound when the e-mail does not exist."""
    contact_id = _reader(session, email_id, now)
    session.execute(_PAUSE, {"contact_id": contact_id, "now": now, "until": now + PAUSE})


def resume(session: Session, email_id: UUID, *, now: datetime) -> None:
    """The reader of this e-mail takes the pause back: what waited for its end is due now. Safe to repeat; NotFound
    when the e-mail does not exist."""
    session.execute(_PAUSE_ENDS, {"contact_id": _reader(session, email_id, now), "now": now})


def _reader(session: Session, email_id: UUID, now: datetime) -> UUID:
    contact_id: UUID | None = session.scalar(_CONTACT, {"email_id": email_id})
    if contact_id is None:
        early.admit(session, [email_id], now=now)
        contact_id = session.scalar(_CONTACT, {"email_id": email_id})
    if contact_id is None:
        raise NotFound("email: there is no such e-mail")
    return contact_id
