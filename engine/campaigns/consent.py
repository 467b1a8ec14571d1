"""Consent: a reader takes it back from any mail with one press, and may give it again."""

from datetime import datetime
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


def withdraw(session: Session, email_id: UUID, *, now: datetime, one_click: bool) -> None:
    """The reader of this e-mail wants no more marketing mail: in force when the transaction is, not when the
    event is applied. Safe to repeat. NotFound when the e-mail does not exist. Commit, then ring "events"."""
    contact_id = _reader(session, email_id, now)
    how = {"by": "one-click" if one_click else "page"}
    arrival = events.Arrival(email_id, "unsubscribed", now, how, source="unknown" if one_click else "human")
    events.record(session, [arrival], now=now)
    suppressions.add(session, [contact_id], "unsubscribed", now=now, email_id=email_id)
    enrollments.stop(session, [contact_id], "unsubscribed", now=now)


def restore(session: Session, email_id: UUID, *, now: datetime) -> None:
    """The reader of this e-mail takes the unsubscribing back. Sequences that it ended stay ended; a dead address
    and a complaint stay suppressed. Safe to repeat; NotFound when the e-mail does not exist."""
    contact_id = _reader(session, email_id, now)
    # An event not applied yet must not suppress the reader again afterwards.
    session.execute(_APPLIED, {"email_id": email_id, "now": now})
    if suppressions.lift(session, contact_id):
        session.execute(_STATUS_BACK, {"contact_id": contact_id})


def _reader(session: Session, email_id: UUID, now: datetime) -> UUID:
    contact_id: UUID | None = session.scalar(_CONTACT, {"email_id": email_id})
    if contact_id is None:
        early.admit(session, [email_id], now=now)
        contact_id = session.scalar(_CONTACT, {"email_id": email_id})
    if contact_id is None:
        raise NotFound("email: there is no such e-mail")
    return contact_id
