"""The contacts behind the numbers of a campaign, in pages: those of a fact of a step, and those in a state.

Each page reads a bounded number of rows. An index has the rare rows: stopped and running enrollments, conversions, and
e-mails that were not simply sent. All other rows are frequent, so a window in the order of their ids contains enough of
them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from engine.audience.directory import contact_pages
from engine.audience.directory.contact_pages import ListedContact
from engine.campaigns.steps import MAX_STEPS
from engine.delivery.emails import PARKED
from errors import InvalidInput
from models import ids

LIMIT = 50
WINDOWS = (200, 2_000, 20_000, 20_000, 20_000, 20_000)  # rows; all together take about 0.1 s

# The moment of each fact of a step's e-mail.
_FACTS = {
    "sent": "sent_at",
    "opened": "opened_at",
    "clicked": "clicked_at",
    "converted": "converted_at",
    "failed": "due_at",
    "bounced": "bounced_at",
    "in_doubt": "due_at",
}
FACTS = (*_FACTS, "queued")
STATES = ("enrolled", "running", "finished", "stopped")
_EXCEPTIONAL = ("failed", "bounced", "in_doubt")  # facts that are a status
_START = UUID(int=0)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of a page; `at` and `reason` belong to the fact or the state, `step` is the next one if it runs."""

    contact: ListedContact
    at: datetime | None
    reason: str | None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Contacts in order, and the position after which the next page begins; None after the last page.

    A page may have fewer contacts than its limit, even none, although more follow.
    """

    people: tuple[Person, ...]
    after: str | None


class _Row(NamedTuple):
    """A row of a page, with the position behind it."""

    contact_id: UUID
    at: datetime | None
    reason: str | None
    step: int | None
    after: str


def _window(columns: str, table: str, condition: str, bound: str = "") -> TextClause:
    """Return the query of a window's matching rows; each also has the window's number of rows and its last id."""
    return text(f"""
WITH scanned AS MATERIALIZED (
    SELECT id, contact_id, campaign_id, {columns} FROM {table}
     WHERE id > CAST(:after AS uuid) {bound} ORDER BY id LIMIT :window
), ends AS (SELECT count(*) AS number, (SELECT id FROM scanned ORDER BY id DESC LIMIT 1) AS last FROM scanned)
SELECT ends.number, ends.last, matching.*
  FROM ends LEFT JOIN LATERAL (
    SELECT * FROM scanned WHERE campaign_id = :campaign_id AND {condition} ORDER BY id LIMIT :limit) AS matching ON true
 ORDER BY matching.id
""")  # noqa: S608  # built from constants


_OF_FACT = {
    fact: _window(f"step, {column} AS at, reason", "emails", "step = :step AND at IS NOT NULL")
    for fact, column in _FACTS.items()
}
# The status is a constant, so that the planner knows that the index of these statuses has the rows.
_OF_FACT |= {
    fact: _window(f"step, {_FACTS[fact]} AS at, reason", "emails", "step = :step", f"AND status = '{fact}'")
    for fact in _EXCEPTIONAL
}
_CONVERTED = text("""
SELECT id, contact_id, converted_at AS at FROM emails
 WHERE campaign_id = :campaign_id AND step = :step AND converted_at IS NOT NULL AND id > CAST(:after AS uuid)
 ORDER BY id LIMIT :limit
""")
_FINISHED = _window("state, next_step", "enrollments", "state = 'finished'")
_ENROLLED = _window("created_at AS at", "enrollments", "true")
_LAST_SENT = text("SELECT contact_id, sent_at FROM emails WHERE id = ANY(CAST(:ids AS uuid[]))")
_STOPPED = text("""
SELECT id, contact_id, stopped_at AS at, stop_reason AS reason FROM enrollments
 WHERE state = 'stopped' AND campaign_id = :campaign_id
   AND (stop_reason, id) > (CAST(:reason AS text), CAST(:after AS uuid))
   AND (CAST(:only AS text) IS NULL OR stop_reason = :only)
 ORDER BY stop_reason, id LIMIT :limit
""")
_DUE = text("""
SELECT id, contact_id, next_at AS at FROM enrollments
 WHERE campaign_id = :campaign_id AND next_step = :step AND state = 'active'
   AND (next_at, id) > (CAST(:at AS timestamptz), CAST(:after AS uuid)) ORDER BY next_at, id LIMIT :limit
""")
# Waiting for an e-mail that is undecided, or, in a draft, for the launch. `next_at` in the order selects the index of
# running enrollments; by the id alone, the whole table is read if few wait.
_UNDATED = text("""
SELECT id, contact_id, NULL AS at FROM enrollments
 WHERE campaign_id = :campaign_id AND next_step = :step AND state IN ('active', 'waiting') AND next_at IS NULL
   AND id > CAST(:after AS uuid) ORDER BY next_at, id LIMIT :limit
""")
# As the funnel counts them: undecided e-mails, and enrollments that a sender has claimed, which have no row yet.
_QUEUED = text(f"""
(SELECT n.id, n.contact_id, CASE WHEN e.due_at < :parked THEN e.due_at END AS at
   FROM enrollments n
  CROSS JOIN LATERAL (
        SELECT due_at FROM emails
         WHERE contact_id = n.contact_id AND id BETWEEN n.id AND {ids.last_step_sql("n.id")} AND step = :step
           AND status IN ('queued', 'claimed', 'sending') LIMIT 1) AS e
  WHERE n.campaign_id = :campaign_id AND n.next_step = :step AND n.state IN ('active', 'waiting')
    AND n.next_at IS NULL AND n.id > CAST(:after AS uuid)
  ORDER BY n.next_at, n.id LIMIT :limit)
UNION ALL
(SELECT n.id, n.contact_id, NULL
   FROM (SELECT unnest(members) AS id FROM send_groups
          WHERE state = 'open' AND campaign_id = :campaign_id AND step = :step) AS claimed JOIN enrollments n USING (id)
  WHERE n.id > CAST(:after AS uuid) ORDER BY n.id LIMIT :limit)
 ORDER BY id LIMIT :limit
""")  # noqa: S608  # built from constants
_LISTED = {"converted": _CONVERTED, "queued": _QUEUED}  # by an index that has only them


class StepFact(NamedTuple):
    """A fact of the e-mails of a step, one of `FACTS`."""

    step: int
    fact: str


def of_step(
    session: Session,
    campaign_id: UUID,
    of: StepFact,
    *,
    after: str | None = None,
    windows: Sequence[int] = WINDOWS,
) -> Page:
    """Return contacts whose e-mail of the step has the fact, in the order of their enrollment.

    Raises InvalidInput for an unknown fact or position.
    """
    step, fact = of
    if fact not in FACTS:
        raise InvalidInput.of("fact", f"give one of {', '.join(FACTS)}")
    begin = _position(after)
    values = {"campaign_id": campaign_id, "step": step}
    if fact in _LISTED:
        rows = session.execute(_LISTED[fact], {**values, "after": begin, "limit": LIMIT + 1, "parked": PARKED}).all()
        return _page(session, [_Row(row.contact_id, row.at, None, None, row.id.hex) for row in rows])
    rows, more = _scan(session, _OF_FACT[fact], values, max(begin, ids.before(campaign_id)), windows)
    reason = fact in _EXCEPTIONAL
    listed = [_Row(row.contact_id, row.at, row.reason if reason else None, None, row.id.hex) for row in rows]
    return _page(session, listed, more)


def in_state(
    session: Session, campaign_id: UUID, state: str, *, reason: str | None = None, after: str | None = None
) -> Page:
    """Return contacts whose enrollment is `running`, `finished` or `stopped`, for this `reason` if one is given.

    `enrolled` stands for all states. Running ones are ordered by step and due time, stopped ones by reason. Raises
    InvalidInput.
    """
    if state == "enrolled":
        return _enrolled(session, campaign_id, after)
    if state == "stopped":
        return _stopped(session, campaign_id, reason, after)
    if state == "finished":
        return _finished(session, campaign_id, after)
    if state == "running":
        return _page(session, list(islice(_running(session, campaign_id, after), LIMIT + 1)))
    raise InvalidInput.of("state", "give enrolled, running, finished or stopped")


def _enrolled(session: Session, campaign_id: UUID, after: str | None) -> Page:
    begin = max(_position(after), ids.before(campaign_id))
    rows, more = _scan(session, _ENROLLED, {"campaign_id": campaign_id}, begin)
    return _page(session, [_Row(row.contact_id, row.at, None, None, row.id.hex) for row in rows], more)


def _stopped(session: Session, campaign_id: UUID, reason: str | None, after: str | None) -> Page:
    last_reason, _, last = (after or "").replace("\0", "").partition(".")
    reason = reason and reason.replace("\0", "")
    values = {"campaign_id": campaign_id, "only": reason, "reason": last_reason or reason or "", "limit": LIMIT + 1}
    rows = session.execute(_STOPPED, {**values, "after": _position(last)}).all()
    listed = [_Row(row.contact_id, row.at, row.reason, None, f"{row.reason}.{row.id.hex}") for row in rows]
    return _page(session, listed)


def _finished(session: Session, campaign_id: UUID, after: str | None) -> Page:
    begin = max(_position(after), ids.before(campaign_id))
    rows, more = _scan(session, _FINISHED, {"campaign_id": campaign_id}, begin)
    last_emails = [ids.of_step(row.id, row.next_step - 1) for row in rows]
    sent = {row.contact_id: row.sent_at for row in session.execute(_LAST_SENT, {"ids": last_emails})}
    listed = [_Row(row.contact_id, sent.get(row.contact_id), None, None, row.id.hex) for row in rows]
    return _page(session, listed, more)


def _running(session: Session, campaign_id: UUID, after: str | None) -> Iterator[_Row]:
    """Yield running enrollments after a position, by step: those with a due time first, in its order."""
    first, at, last = _running_position(after)
    for step in range(max(1, first), MAX_STEPS + 1):
        values = {"campaign_id": campaign_id, "step": step, "limit": LIMIT + 1}
        if at is not None:
            for row in session.execute(_DUE, {**values, "at": at, "after": last}):
                yield _Row(row.contact_id, row.at, None, step, f"{step}_{row.at.isoformat()}_{row.id.hex}")
            last = _START
        for row in session.execute(_UNDATED, {**values, "after": last}):
            yield _Row(row.contact_id, None, None, step, f"{step}__{row.id.hex}")
        at, last = _BEFORE_ALL, _START


def _scan(
    session: Session, query: TextClause, values: dict[str, Any], after: UUID, windows: Sequence[int] = WINDOWS
) -> tuple[Sequence[Any], str | None]:
    """Return the first matching rows, and the position to go on from if the budget ended before a page was full."""
    matching: list[Any] = []
    for window in windows:
        wanted = LIMIT + 1 - len(matching)
        rows = session.execute(query, {**values, "after": after, "window": window, "limit": wanted}).all()
        matching += [row for row in rows if row.id is not None]
        if len(matching) > LIMIT or rows[0].number < window:
            return matching, None
        after = rows[0].last
    return matching, after.hex


def _page(session: Session, rows: Sequence[_Row], more: str | None = None) -> Page:
    shown = rows[:LIMIT]
    contacts = {each.id: each for each in contact_pages.listed(session, [row.contact_id for row in shown])}
    listed = [row for row in shown if row.contact_id in contacts]
    people = tuple(Person(contacts[row.contact_id], row.at, row.reason, row.step) for row in listed)
    return Page(people, shown[-1].after if len(rows) > LIMIT else more)


def _position(after: str | None) -> UUID:
    try:
        return UUID(after) if after else _START
    except ValueError:
        raise InvalidInput.of("after", "give the position that the page before has") from None


def _running_position(after: str | None) -> tuple[int, datetime | None, UUID]:
    if not after:
        return 1, _BEFORE_ALL, _START
    try:
        step, at, last = after.split("_")
        return int(step), datetime.fromisoformat(at) if at else None, UUID(last)
    except ValueError:
        raise InvalidInput.of("after", "give the position that the page before has") from None
