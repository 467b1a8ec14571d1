"""Pages of e-mails, newest first, by contact, campaign, status and template.

Each query reads a bounded number of rows, whatever the filter and the size of the table: a window of `WINDOW` e-mails
in the order of their ids, reduced by the filter. An index bounds the window to a contact, or to a status that few
e-mails have.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from engine.messages import subjects
from models import ids
from models.email import EXCEPTIONAL

WINDOW = 20_000
WINDOWS = 10  # in one call: reading 200,000 rows takes about 0.2 s
LIMIT_MAX = 500
_LAST = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that an e-mail must meet; None is met by all."""

    contact_id: UUID | None = None
    campaign_id: UUID | None = None
    status: str | None = None
    template: str | None = None


@dataclass(frozen=True, slots=True)
class ListedEmail:
    """One e-mail of a page."""

    email_id: UUID
    contact_id: UUID
    template: str
    subject: str | None
    kind: str
    campaign_id: UUID | None
    step: int | None
    status: str
    accepted_at: datetime
    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    converted_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """E-mails, newest first, and the id before which the next page begins; None after the last page."""

    emails: tuple[ListedEmail, ...]
    before: UUID | None


def _window(condition: str = "") -> TextClause:
    """Return the query of a window's matching ids, its number of rows and its last id."""
    return text(f"""
WITH scanned AS MATERIALIZED (
    SELECT id, contact_id, campaign_id, status, template FROM emails
     WHERE id < CAST(:before AS uuid) AND id >= CAST(:since AS uuid) {condition}
     ORDER BY id DESC LIMIT :window
)
SELECT ARRAY(SELECT id FROM scanned
              WHERE (CAST(:contact_id AS uuid) IS NULL OR contact_id = :contact_id)
                AND (CAST(:campaign_id AS uuid) IS NULL OR campaign_id = :campaign_id)
                AND (CAST(:status AS text) IS NULL OR status = :status)
                AND (CAST(:template AS text) IS NULL OR template = :template)
              ORDER BY id DESC LIMIT :limit) AS matching,
       (SELECT count(*) FROM scanned) AS scanned,
       (SELECT id FROM scanned ORDER BY id LIMIT 1) AS last
""")  # noqa: S608  # built from constants


_ANY = _window()
_OF_CONTACT = _window("AND contact_id = CAST(:contact_id AS uuid)")
# The statuses are constants, so that the planner knows that the index of these statuses has the rows.
_EXCEPTIONAL = {status: _window(f"AND status = '{status}'") for status in EXCEPTIONAL}
_ROWS = text("""
SELECT e.*, c.first_name, c.last_name, c.company, c.role, c.industry, c.attributes, g.variables AS campaign_variables
  FROM emails e JOIN contacts c ON c.id = e.contact_id LEFT JOIN campaigns g ON g.id = e.campaign_id
 WHERE e.id = ANY(CAST(:ids AS uuid[])) ORDER BY e.id DESC
""")


def page(
    session: Session, filter_: Filter, *, before: UUID | None = None, limit: int = 100, window: int = WINDOW
) -> Page:
    """Return up to `limit` e-mails with ids below `before`, newest first; fewer if the filter meets few among many.

    E-mails of a campaign's step that are in flight have no row yet and are not listed.
    """
    matching, last = _matching(session, filter_, before or _LAST, limit + 1, window)
    if len(matching) > limit:
        matching, last = matching[:limit], matching[limit - 1]
    rows = session.execute(_ROWS, {"ids": matching}).all() if matching else ()
    return Page(tuple(_listed(row) for row in rows), last)


def first(session: Session, filter_: Filter, limit: int) -> Iterator[ListedEmail]:
    """Yield up to `limit` e-mails that meet the filter, newest first, however many others are between them."""
    before: UUID | None = None
    while limit > 0:
        next_page = page(session, filter_, before=before, limit=min(limit, LIMIT_MAX))
        yield from next_page.emails
        limit -= len(next_page.emails)
        before = next_page.before
        if before is None:
            return


def _matching(
    session: Session, filter_: Filter, before: UUID, wanted: int, window: int
) -> tuple[list[UUID], UUID | None]:
    """Return the first matching ids, and the last one that was looked at; None if that was the last of all."""
    query = _query(filter_)
    values: dict[str, Any] = {name: getattr(filter_, name) for name in Filter.__dataclass_fields__}
    values |= {"since": _since(filter_), "window": window}
    matching: list[UUID] = []
    for _ in range(WINDOWS):
        looked = session.execute(query, {**values, "before": before, "limit": wanted - len(matching)}).one()
        matching += looked.matching
        if looked.scanned < window:
            return matching, None
        before = looked.last
        if len(matching) == wanted:
            break
    return matching, before


def _query(filter_: Filter) -> TextClause:
    if filter_.contact_id is not None:
        return _OF_CONTACT
    return _EXCEPTIONAL.get(filter_.status or "", _ANY)


def _since(filter_: Filter) -> UUID:
    """Return the lowest id that can match: the enrollments of a campaign, and so its e-mails, are younger than it."""
    return ids.before(filter_.campaign_id) if filter_.campaign_id else UUID(int=0)


def _listed(row: Row[Any]) -> ListedEmail:
    columns = {name: row._mapping[name] for name in ListedEmail.__dataclass_fields__ if name in row._mapping}
    return ListedEmail(**columns | {"email_id": row.id, "subject": subjects.read(row)})
