"""Waiting submissions: remind after a day, expire after seven, and erase what nothing needs any more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import recipients
from engine.engagement import by_hand
from engine.forms import correspondence, forms
from engine.forms.correspondence import Waiting
from engine.forms.definitions import EMAIL, VALID
from engine.forms.office import Office
from models import FormSubmission

REMIND_AFTER = timedelta(days=1)
PAGE = 100

T = TypeVar("T")

_EXPIRE = text("""
UPDATE form_submissions SET state = 'expired', address = NULL, fields = NULL
 WHERE id IN (SELECT id FROM form_submissions WHERE state = 'pending' AND submitted_at <= :before
               ORDER BY submitted_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")
# The index of an address serves the limits of e-mails and repeated submissions, for as long as a submission is valid.
_FORGET = text("""
UPDATE form_submissions SET email_index = NULL
 WHERE id IN (SELECT id FROM form_submissions WHERE email_index IS NOT NULL AND submitted_at <= :before
               ORDER BY submitted_at LIMIT :limit FOR UPDATE SKIP LOCKED)
""")
_DUE = text("""
SELECT id FROM form_submissions
 WHERE state = 'pending' AND reminded_at IS NULL AND submitted_at <= :before AND submitted_at > :valid
 ORDER BY submitted_at LIMIT :limit
""")
_NOTE_REMINDED = text("UPDATE form_submissions SET reminded_at = :now WHERE id = :id AND reminded_at IS NULL")


def proceed(run: Callable[[Callable[[Session], T]], T], *, office: Office, now: datetime) -> int:
    """Do a page of reminders, expiries and erasures, each in a transaction of its own by `run`; return the reminders.

    Safe to run twice at once and after a crash.
    """
    calls: Any = run
    for statement in (_EXPIRE, _FORGET):
        calls(partial(_execute, statement=statement, values={"before": now - VALID, "limit": PAGE}))
    due = {"before": now - REMIND_AFTER, "valid": now - VALID, "limit": PAGE}
    waiting: list[UUID] = calls(lambda session: list(session.scalars(_DUE, due)))
    reminded: int = sum(calls(partial(_remind, submission_id=each, office=office, now=now)) for each in waiting)
    for each in calls(lambda session: recipients.idle(session, before=now - VALID, limit=PAGE)):
        calls(partial(by_hand.erase_recipient, recipient_id=each, now=now))
    return reminded


def _execute(session: Session, statement: Any, values: dict[str, Any]) -> None:
    session.execute(statement, values)


def _remind(session: Session, submission_id: UUID, office: Office, now: datetime) -> bool:
    """Remind of one submission, unless another process does or did so, or its form is disabled."""
    query = select(FormSubmission).where(FormSubmission.id == submission_id, FormSubmission.state == "pending")
    row = session.scalar(query.with_for_update(skip_locked=True))
    if row is None or row.reminded_at is not None:
        return False
    session.execute(_NOTE_REMINDED, {"id": submission_id, "now": now})
    form = forms.by_id(session, row.form_id)
    values = correspondence.values_of(row.address, row.fields)
    if values is None or not form.is_active:  # no key opens the address, or nobody wants sign-ups any more
        return False
    asked = Waiting(row.id, form, values[EMAIL], row.language, row.submitted_at + VALID)
    return correspondence.ask(session, asked, office=office, now=now, is_reminder=True)
