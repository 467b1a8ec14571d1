"""Preferences: the latest consent and pause request of each contact, with its moment, and the pause itself."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# The update locks the contact until the transaction ends.
_NOTE = """
    UPDATE contacts SET {column} = greatest({column}, :at) FROM emails
     WHERE emails.id = :email_id AND contacts.id = emails.contact_id
    RETURNING contacts.id, contacts.{column} = :at
"""
_NOTE_CONSENT = text(_NOTE.format(column="consent_said_at"))
_NOTE_PAUSE = text(_NOTE.format(column="pause_said_at"))
_NOTE_CONSENT_OF = text("UPDATE contacts SET consent_said_at = greatest(consent_said_at, :at) WHERE id = :contact_id")

_PAUSE = text("""
    UPDATE contacts SET paused_until = CASE WHEN paused_until > :now THEN paused_until ELSE :until END
     WHERE id = :contact_id
""")
_END_PAUSE = text("""
    WITH paused AS (
        SELECT id, paused_until FROM contacts WHERE id = :contact_id AND paused_until > :now FOR NO KEY UPDATE
    )
    UPDATE contacts SET paused_until = :now FROM paused WHERE contacts.id = paused.id
    RETURNING paused.paused_until
""")
_SET_PAUSE = text("""
    WITH held AS (SELECT id, paused_until FROM contacts WHERE id = :contact_id FOR NO KEY UPDATE)
    UPDATE contacts SET paused_until = :until, pause_said_at = greatest(pause_said_at, :now)
      FROM held WHERE contacts.id = held.id AND erased_at IS NULL
    RETURNING CASE WHEN held.paused_until > :now THEN held.paused_until END AS paused_until
""")


class Noted(NamedTuple):
    """The contact that made a request, locked; `is_latest` unless it made a later one of the same subject."""

    contact_id: UUID
    is_latest: bool


def note_consent(session: Session, email_id: UUID, at: datetime) -> Noted | None:
    """Note that the contact gave or withdrew consent at that moment; return None if the e-mail has no row."""
    row = session.execute(_NOTE_CONSENT, {"email_id": email_id, "at": at}).one_or_none()
    return None if row is None else Noted(*row)


def note_consent_of(session: Session, contact_id: UUID, at: datetime) -> None:
    """Note that this contact gave consent at that moment, by another way than an e-mail."""
    session.execute(_NOTE_CONSENT_OF, {"contact_id": contact_id, "at": at})


def note_pause(session: Session, email_id: UUID, at: datetime) -> Noted | None:
    """Note that the contact asked for a pause or its end; return None if the e-mail has no row."""
    row = session.execute(_NOTE_PAUSE, {"email_id": email_id, "at": at}).one_or_none()
    return None if row is None else Noted(*row)


def pause(session: Session, contact_id: UUID, *, until: datetime, now: datetime) -> None:
    """Pause marketing e-mails to the contact until that moment; a pause that runs keeps its end."""
    session.execute(_PAUSE, {"contact_id": contact_id, "until": until, "now": now})


def end_pause(session: Session, contact_id: UUID, *, now: datetime) -> datetime | None:
    """End the contact's pause now; return the end that it had, None if there is no pause."""
    paused_until: datetime | None = session.scalar(_END_PAUSE, {"contact_id": contact_id, "now": now})
    return paused_until


def set_pause(session: Session, contact_id: UUID, *, until: datetime, now: datetime) -> datetime | None:
    """Pause marketing e-mails to the contact until that moment, by hand; return the end of the pause before.

    It counts as a request of this moment: an older one of the reader that arrives later changes nothing.
    """
    paused_until: datetime | None = session.scalar(_SET_PAUSE, {"contact_id": contact_id, "until": until, "now": now})
    return paused_until
