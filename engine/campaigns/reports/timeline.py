"""The timeline of a contact: all that happened to it and to its e-mails, newest first, in pages.

A page reads a window of `WINDOW` e-mails in the order of their ids, whatever their number. A contact with more has its
timeline in windows: each is newest first, and an e-mail's reactions are in the window of the e-mail.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from errors import InvalidInput
from models import ids

LIMIT = 50
WINDOW = 500  # e-mails that one page looks at
_NOBODY, _NEWEST_ID = UUID(int=0), UUID(int=2**128 - 1)  # below and above all ids

# Moments of an e-mail, each the first of its kind; `…_at` columns.
OF_EMAILS = ("sent", "opened", "clicked", "machine_opened", "machine_clicked", "converted", "replied", "unsubscribed",
             "bounced", "complained")  # fmt: skip
OF_CONTACTS = ("created", "listed", "converted_by_hand", "released", "erased")
KINDS = ("accepted", "failed", "cancelled", "in_doubt", *OF_EMAILS, *OF_CONTACTS, "enrolled", "stopped", "suppressed")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: its kind, one of `KINDS`, and the e-mail or campaign that it is about, if any.

    `reason` is that of a stop, of a suppression, or of an e-mail that was not sent. `is_test` for a test e-mail.
    """

    at: datetime
    kind: str
    email_id: UUID | None
    campaign_id: UUID | None
    campaign: str | None
    step: int | None
    template: str | None
    reason: str | None
    is_test: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and the position before which the next page begins; None after the last page.

    The last page of a window may have fewer entries than the limit, although more follow.
    """

    entries: tuple[Entry, ...]
    before: str | None


# An e-mail that ended unsent has no moment of its end, so it stands at the moment of its acceptance.
_UNSENT = """(CASE WHEN e.status IN ('failed', 'cancelled', 'in_doubt') THEN e.status
                   WHEN e.campaign_id IS NULL OR e.sent_at IS NULL THEN 'accepted' END)"""
_MOMENTS = {**{f"'{kind}'": f"e.{kind}_at" for kind in OF_EMAILS}, _UNSENT: "e.accepted_at"}
_BEFORE = "(CAST(:at AS timestamptz), CAST(:id AS uuid), :kind)"
# The e-mails of a window have ids above `low` and up to `top`; enrollments belong to it by their ids, all else by its
# moment. `low` is the newest e-mail of the next window, so that each window has an e-mail. With `contact_id = …` the
# planner could read all e-mails by their ids until it has enough of the contact.
_LOW = text("""
SELECT id FROM emails
 WHERE (contact_id, id) <= (:contact_id, CAST(:top AS uuid))
   AND (contact_id, id) >= (:contact_id, CAST(:nobody AS uuid))
 ORDER BY contact_id DESC, id DESC OFFSET :window LIMIT 1
""")
_PAGE = text(f"""
WITH happened AS (
    SELECT v.at, v.kind, e.id, e.campaign_id, e.step, e.template, e.kind = 'test' AS is_test,
           CASE WHEN v.kind = 'cancelled' THEN e.reason
                WHEN v.kind IN ('failed', 'bounced') THEN concat_ws(': ', e.reason, e.response) END AS reason
      FROM emails e CROSS JOIN LATERAL (VALUES
           {", ".join(f"({kind}, {at})" for kind, at in _MOMENTS.items())}) AS v (kind, at)
     WHERE e.contact_id = :contact_id AND e.id > :low AND e.id <= :top AND v.at IS NOT NULL AND v.kind IS NOT NULL
    UNION ALL
    SELECT v.at, v.kind, v.id, n.campaign_id, NULL, NULL, false, v.reason
      FROM enrollments n CROSS JOIN LATERAL (VALUES
           ('enrolled', n.created_at, n.id, NULL),
           ('stopped', n.stopped_at, n.id, n.stop_reason)) AS v (kind, at, id, reason)
     WHERE n.contact_id = :contact_id AND n.id > :low AND n.id <= :top AND v.at IS NOT NULL
    UNION ALL
    SELECT v.at, v.kind, CAST(:nobody AS uuid), NULL, NULL, NULL, false, v.reason
      FROM contacts c LEFT JOIN suppressions s ON s.email_index = c.email_index CROSS JOIN LATERAL (VALUES
           ('created', c.created_at, NULL), ('listed', c.listed_at, NULL), ('released', c.released_at, NULL),
           ('erased', c.erased_at, NULL), ('converted_by_hand', c.converted_at, NULL),
           ('suppressed', s.since, s.reason)) AS v (kind, at, reason)
     WHERE c.id = :contact_id AND v.at > CAST(:since AS timestamptz) AND v.at <= CAST(:until AS timestamptz)
       AND (v.kind <> 'converted_by_hand' OR NOT EXISTS (
            SELECT FROM emails e WHERE e.contact_id = c.id AND e.converted_at = c.converted_at))
)
SELECT happened.*, campaigns.name AS campaign FROM (
    SELECT * FROM happened WHERE (at, id, kind) < {_BEFORE}
     ORDER BY at DESC, id DESC, kind DESC LIMIT :limit) AS happened
  LEFT JOIN campaigns ON campaigns.id = happened.campaign_id
 ORDER BY happened.at DESC, happened.id DESC, happened.kind DESC
""")  # noqa: S608  # constants only


class _Position(NamedTuple):
    """The newest id of a window, and the entry in it before which a page begins."""

    top: UUID
    at: datetime | str = "infinity"
    id: UUID = _NOBODY
    kind: str = ""


def page(
    session: Session, contact_id: UUID, *, before: str | None = None, limit: int = LIMIT, window: int = WINDOW
) -> Page:
    """Return up to `limit` entries of a contact, from the next `window` of its e-mails.

    Raises InvalidInput for a `before` that no page returned.
    """
    position = _Position(_NEWEST_ID) if before is None else _read(before)
    values = {"contact_id": contact_id, "nobody": _NOBODY, "limit": limit + 1, "window": window, **position._asdict()}
    low = session.scalar(_LOW, values)
    values |= {"low": low or _NOBODY, "since": _moment(low, "-infinity"), "until": _moment(position.top, "infinity")}
    rows = session.execute(_PAGE, values).all()
    following = _Position(low) if low else None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = _Position(position.top, last.at, last.id, last.kind)
    return Page(tuple(map(_entry, rows[:limit])), following and _written(following))


def _moment(row_id: UUID | None, otherwise: str) -> datetime | str:
    return otherwise if row_id is None or row_id == _NEWEST_ID else ids.moment_of(row_id)


def _entry(row: Row[Any]) -> Entry:
    is_email = row.template is not None
    return Entry(
        at=row.at,
        kind=row.kind,
        email_id=row.id if is_email else None,
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        step=row.step,
        template=row.template,
        reason=row.reason,
        is_test=row.is_test,
    )


def _written(position: _Position) -> str:
    at = ids.microseconds(position.at) if isinstance(position.at, datetime) else ""
    return f"{position.top.hex}.{at}.{position.id.hex}.{position.kind}"


def _read(before: str) -> _Position:
    try:
        top, at, at_id, kind = before.split(".")
        moment = ids.moment_at(int(at)) if at else "infinity"
        return _Position(UUID(top), moment, UUID(at_id), kind.replace("\0", ""))
    except (ValueError, OverflowError):
        raise InvalidInput.of("before", "give the `before` of the page before") from None
