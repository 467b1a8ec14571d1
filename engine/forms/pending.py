"""Pending submissions: remind after a day, expire after seven, erase and delete data that nothing needs any more."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import takewhile
from time import monotonic
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import recipients
from engine.delivery import emails
from engine.engagement import by_hand
from engine.forms import correspondence, forms
from engine.forms.correspondence import NoTemplate, PendingSubmission
from engine.forms.definitions import EMAIL, VALID
from engine.forms.services import FormServices
from errors import Unavailable
from models import FormSubmission, arrays, ids

log = logging.getLogger(__name__)

REMIND_AFTER = timedelta(days=1)
KEPT_FOR = timedelta(days=90)  # an expired submission, which its form then only counts, and an erased recipient
PAGE = 100
_LAST = UUID(int=2**128 - 1)  # after every id

T = TypeVar("T")
Run: TypeAlias = Callable[[Callable[[Session], Any]], Any]

# The index of an address serves the limits of e-mails and repeated submissions, for as long as a submission is valid.
_EXPIRE = text("""
UPDATE form_submissions
   SET email_index = NULL, address = NULL, fields = NULL,
       state = CASE state WHEN 'pending' THEN 'expired' ELSE state END,
       network = CASE state WHEN 'pending' THEN NULL ELSE network END
 WHERE id = ANY(ARRAY(SELECT id FROM form_submissions WHERE email_index IS NOT NULL AND submitted_at <= :before
                       ORDER BY submitted_at LIMIT :limit FOR UPDATE SKIP LOCKED))
""")
_DELETE = text("""
WITH deleted AS (
    DELETE FROM form_submissions WHERE id = ANY(ARRAY(
           SELECT s.id FROM forms f CROSS JOIN LATERAL (
                  SELECT id FROM form_submissions WHERE form_id = f.id AND state = 'expired' AND id < :first
                   ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED) AS s
            LIMIT :limit)) RETURNING form_id
)
UPDATE forms SET expired_deleted = expired_deleted + number
  FROM (SELECT form_id, count(*) AS number FROM deleted GROUP BY form_id) AS counted WHERE forms.id = form_id
RETURNING number
""")
_NOTICES = text("""
SELECT id, notice_ids FROM form_submissions WHERE notice_ids IS NOT NULL AND confirmed_at <= :before
 ORDER BY confirmed_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_FORGET_NOTICES = text("UPDATE form_submissions SET notice_ids = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")
_DUE = text("""
SELECT id, submitted_at FROM form_submissions
 WHERE state = 'pending' AND reminded_at IS NULL AND submitted_at <= :before
   AND (submitted_at, id) > (:after_at, :after_id)
 ORDER BY submitted_at, id LIMIT :limit
""")
_NOTE_REMINDED = text("UPDATE form_submissions SET reminded_at = :now WHERE id = :id AND reminded_at IS NULL")


def proceed(run: Run, *, services: FormServices, now: datetime, ends_at: float = math.inf) -> int:
    """Expire, remind, erase and delete, each in a transaction of its own by `run`; return the number of reminders.

    Goes on until nothing is due, or until `ends_at` (of `time.monotonic`); the next run continues. A submission that
    fails is logged and waits for the next run; the others go on. Safe to run twice at once and after a crash.
    """
    _repeat(run, partial(_expire, before=now - VALID), ends_at)
    _repeat(run, partial(_forget_notices, before=now - VALID), ends_at)
    reminders = (partial(_remind, submission_id=each, services=services, now=now) for each in _due(run, now))
    reminded = sum(_isolated("form_reminder_failed", run, each) for each in _until(ends_at, reminders))
    erasures = (partial(by_hand.erase_recipient, recipient_id=each, now=now) for each in _idle(run, now))
    for erasure in _until(ends_at, erasures):
        _isolated("recipient_erasure_failed", run, erasure)
    _repeat(run, partial(by_hand.remove_recipients, before=now - KEPT_FOR, limit=PAGE, now=now), ends_at)
    _repeat(run, partial(_delete, first=ids.first_at(now - KEPT_FOR)), ends_at)
    return reminded


def _due(run: Run, now: datetime) -> Iterator[UUID]:
    """Yield the submissions to remind of, oldest first, a page at a time."""
    after: dict[str, Any] = {"after_at": now - VALID, "after_id": _LAST}
    values = {"before": now - REMIND_AFTER, "limit": PAGE}
    while rows := run(partial(_rows, values={**values, **after})):
        yield from (row.id for row in rows)
        after = {"after_at": rows[-1].submitted_at, "after_id": rows[-1].id}


def _idle(run: Run, now: datetime) -> Iterator[UUID]:
    """Yield the recipients to erase, a page at a time."""
    after = datetime.min.replace(tzinfo=UTC), UUID(int=0)
    while page := run(partial(recipients.idle, before=now - VALID, after=after, limit=PAGE)):
        yield from (recipient_id for _, recipient_id in page)
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


def _repeat(run: Run, work: Callable[[Session], int], ends_at: float) -> None:
    """Run `work` until it does less than a page."""
    while run(work) == PAGE and monotonic() < ends_at:
        pass


def _expire(session: Session, before: datetime) -> int:
    count: int = session.execute(_EXPIRE, {"before": before, "limit": PAGE}).rowcount  # type: ignore[attr-defined]
    return count


def _forget_notices(session: Session, before: datetime) -> int:
    """Erase the values in the notices of submissions; return the number of those whose notices are not being sent."""
    rows = session.execute(_NOTICES, {"before": before, "limit": PAGE}).all()
    erased = [row.id for row in rows if emails.erase_some(session, row.notice_ids, reason="erased")]
    session.execute(_FORGET_NOTICES, {"ids": arrays.uuids(erased)})
    return len(erased)


def _delete(session: Session, first: UUID) -> int:
    return sum(session.scalars(_DELETE, {"first": first, "limit": PAGE}))


def _rows(session: Session, values: dict[str, Any]) -> list[Any]:
    return list(session.execute(_DUE, values))


def _remind(session: Session, submission_id: UUID, services: FormServices, now: datetime) -> bool:
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
    submission = PendingSubmission(
        row.id, form, values[EMAIL], recipients.seal(values[EMAIL]), row.language, row.submitted_at + VALID
    )
    return correspondence.remind(session, submission, services=services, now=now)
