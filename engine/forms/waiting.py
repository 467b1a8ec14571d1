"""Waiting submissions: remind after a day, expire after seven, and erase what nothing needs any more."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from time import monotonic
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import recipients
from engine.engagement import by_hand
from engine.forms import correspondence, forms
from engine.forms.correspondence import NoTemplate, Waiting
from engine.forms.definitions import EMAIL, VALID
from engine.forms.office import Office
from errors import Unavailable
from models import FormSubmission

log = logging.getLogger(__name__)

REMIND_AFTER = timedelta(days=1)
PAGE = 100
_NONE, _ALL = UUID(int=0), UUID(int=2**128 - 1)  # before and after every id

T = TypeVar("T")
Run: TypeAlias = Callable[[Callable[[Session], Any]], Any]

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
SELECT id, submitted_at FROM form_submissions
 WHERE state = 'pending' AND reminded_at IS NULL AND submitted_at <= :before
   AND (submitted_at, id) > (:after_at, :after_id)
 ORDER BY submitted_at, id LIMIT :limit
""")
_NOTE_REMINDED = text("UPDATE form_submissions SET reminded_at = :now WHERE id = :id AND reminded_at IS NULL")


def proceed(run: Run, *, office: Office, now: datetime, ends_at: float = math.inf) -> int:
    """Expire, erase and remind, each in a transaction of its own by `run`; return the number of reminders.

    Goes on until nothing is due, or until `ends_at` (of `time.monotonic`); the next run continues. What fails is
    logged and waits for the next run, the others go on. Safe to run twice at once and after a crash.
    """
    for statement in (_EXPIRE, _FORGET):
        values = {"before": now - VALID, "limit": PAGE}
        while run(partial(_execute, statement=statement, values=values)) == PAGE and monotonic() < ends_at:
            pass
    reminders = (partial(_remind, submission_id=each, office=office, now=now) for each in _due(run, now))
    reminded = sum(_isolated("form_reminder_failed", run, each) for each in _until(ends_at, reminders))
    erasures = (partial(by_hand.erase_recipient, recipient_id=each, now=now) for each in _idle(run, now))
    for erasure in _until(ends_at, erasures):
        _isolated("recipient_erasure_failed", run, erasure)
    return reminded


def _due(run: Run, now: datetime) -> Iterator[UUID]:
    """Yield the submissions to remind of, oldest first, a page at a time."""
    after: dict[str, Any] = {"after_at": now - VALID, "after_id": _ALL}
    values = {"before": now - REMIND_AFTER, "limit": PAGE}
    while rows := run(partial(_rows, values={**values, **after})):
        yield from (row.id for row in rows)
        after = {"after_at": rows[-1].submitted_at, "after_id": rows[-1].id}


def _idle(run: Run, now: datetime) -> Iterator[UUID]:
    """Yield the recipients to erase, a page at a time."""
    after = _NONE
    while page := run(partial(recipients.idle, before=now - VALID, after=after, limit=PAGE)):
        yield from page
        after = page[-1]


def _until(ends_at: float, calls: Iterable[T]) -> Iterator[T]:
    return takewhile(lambda _: monotonic() < ends_at, calls)


def _isolated(event: str, run: Run, work: Callable[[Session], bool | None]) -> bool:
    """Return the result of `work`; log a fault of its own and return False. Raise Unavailable without a database."""
    try:
        return bool(run(work))
    except NoTemplate as unusable:
        log.error("%s error=%s", event, unusable)
    except Unavailable:
        raise
    except Exception as error:  # it waits for the next run, and the others go on
        log.error("%s error=%s", event, type(error).__name__, exc_info=error)
    return False


def _execute(session: Session, statement: Any, values: dict[str, Any]) -> int:
    count: int = session.execute(statement, values).rowcount  # type: ignore[attr-defined]  # of an UPDATE
    return count


def _rows(session: Session, values: dict[str, Any]) -> list[Any]:
    return list(session.execute(_DUE, values))


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
