"""Pages of contacts: the newest first, or those whose name or company begins with a text.

A search lists contacts by their full name, then those whose last name begins with the text, then those whose company
does, each group in alphabetical order. Each query reads a bounded number of rows, whatever the filter and the size of
the table: a window of an index, reduced by the filter.
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.orm import Session

from engine.audience import segments
from engine.audience.segments import Segment
from errors import InvalidInput
from models import Contact, arrays, folding, vault
from models.contact import COMPANY, FULL_NAME, HAS_NAME, LAST_NAME

LIMIT = 50
LIMIT_MAX = 500
WINDOW = 1_000  # rows of an order that one page looks at
_ADJACENT = 4  # the newest ones are adjacent in the table: so many more take the same time
_HIGHEST = chr(0x10FFFF)
_NOBODY, _NEWEST = UUID(int=0), UUID(int=2**128 - 1)  # below and above all ids


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that a contact must meet: a name that begins with `prefix`, if there is one, and the segment."""

    prefix: str = ""
    segment: Segment = segments.EVERYBODY


@dataclass(frozen=True, slots=True)
class ListedContact:
    """One contact of a page. `email` is None if it cannot be decrypted or was erased."""

    id: UUID
    email: str | None
    first_name: str | None
    last_name: str | None
    company: str | None
    role: str | None
    industry: str | None
    score: int
    followup_status: str
    converted: bool
    suppressed: str | None
    paused_until: datetime | None
    in_sequence: bool
    listed_at: datetime | None
    erased_at: datetime | None

    @property
    def name(self) -> str:
        """The first and the last name, as far as they are present."""
        return f"{self.first_name or ''} {self.last_name or ''}".strip()


@dataclass(frozen=True, slots=True)
class Page:
    """Contacts in order, and the position after which the next page begins; None after the last page.

    A page may have fewer contacts than its limit, even none, although more follow: few of its window match.
    """

    contacts: tuple[ListedContact, ...]
    after: str | None


class _Position(NamedTuple):
    """A contact in an order: the number of the order, the contact's term in it, its id."""

    order: int
    term: str
    id: UUID


class _Range(NamedTuple):
    """The part of a search to look at: the folded prefix, where to begin, the rows of a window and those wanted."""

    low: str
    at: _Position
    size: tuple[int, int]


class _Order(NamedTuple):
    """An order of a search, served by an index, and the terms by which an earlier order lists a contact already."""

    term: str
    is_present: str
    earlier: tuple[str, ...] = ()


_Query: TypeAlias = Select[UUID, str, bool]
_Window: TypeAlias = Select[Any]
_ORDERS = (
    _Order(FULL_NAME, HAS_NAME),
    _Order(LAST_NAME, "last_name IS NOT NULL", (FULL_NAME,)),
    _Order(COMPANY, "company IS NOT NULL", (FULL_NAME, LAST_NAME)),
)
_FOLD = text(f"SELECT {folding.sql('CAST(:prefix AS text)')}")
_ROWS = text("""
SELECT c.id, c.email, c.first_name, c.last_name, c.company, c.role, c.industry, c.score,
       c.email_followup_status AS followup_status, c.converted, c.listed_at, c.erased_at, s.reason AS suppressed,
       c.paused_until,
       EXISTS (SELECT FROM enrollments n WHERE n.contact_id = c.id AND n.state IN ('active', 'waiting')) AS in_sequence
  FROM contacts c LEFT JOIN suppressions s ON s.email_index = c.email_index
 WHERE c.id = ANY(CAST(:ids AS uuid[]))
""")


def page(
    session: Session, filter_: Filter, *, after: str | None = None, limit: int = LIMIT, window: int = WINDOW
) -> Page:
    """Return up to `limit` contacts that meet the filter, from the next `window` rows of an order.

    Raises InvalidInput for an `after` that no page of such a list returned.
    """
    prefix = " ".join(filter_.prefix.replace("\0", "").split())
    if prefix:
        at = _Position(0, "", _NOBODY) if after is None else _read(after, len(_ORDERS))
        low = session.scalar(_FOLD, {"prefix": prefix[: folding.LONGEST]}) or ""
        conditions = segments.matching(filter_.segment)
        matching, last = _search(session, _Range(low, at, (window, limit + 1)), conditions)
    else:
        at = _Position(0, "", _NEWEST) if after is None else _read(after, 1)
        size = (_ADJACENT * window, limit + 1)
        everybody = filter_.segment == segments.EVERYBODY
        statement = _newest_of_all(size) if everybody else _windowed(_newest(filter_.segment), size)
        matching, last = _look(session, 0, statement, size[0], before=at.id)
    if len(matching) > limit:
        matching, last = matching[:limit], matching[limit - 1]
    return Page(listed(session, [each.id for each in matching]), None if last is None else _written(last))


def first(session: Session, filter_: Filter, limit: int) -> Iterator[ListedContact]:
    """Yield up to `limit` contacts that meet the filter, however many others are between them."""
    after: str | None = None
    while limit > 0:
        next_page = page(session, filter_, after=after, limit=min(limit, LIMIT_MAX))
        yield from next_page.contacts
        limit -= len(next_page.contacts)
        after = next_page.after
        if after is None:
            return


def listed(session: Session, ids: Sequence[UUID]) -> tuple[ListedContact, ...]:
    """Return these contacts as a page lists them, in this order."""
    rows = {row.id: row for row in session.execute(_ROWS, {"ids": arrays.uuids(ids)}).all()} if ids else {}
    addresses = dict(zip(rows, vault.current().decrypt_all([row.email for row in rows.values()]), strict=True))
    return tuple(
        ListedContact(**{**rows[contact_id]._mapping, "email": addresses[contact_id] or None})
        for contact_id in ids
        if contact_id in rows
    )


def _search(
    session: Session, range_: _Range, conditions: Sequence[ColumnElement[bool]]
) -> tuple[list[_Position], _Position | None]:
    """Return the matching contacts, and the last one of the window; None if that was the last of all."""
    matching: list[_Position] = []
    low, at, (window, wanted) = range_
    for number in range(at.order, len(_ORDERS)):
        after = at if number == at.order else _Position(number, "", _NOBODY)
        query = _in_order(_ORDERS[number], low, after, conditions)
        more, last = _look(session, number, _windowed(query, (window, wanted - len(matching))), window)
        matching += more
        if len(matching) == wanted or last is not None:
            return matching, last
    return matching, None


def _in_order(order: _Order, low: str, after: _Position, conditions: Sequence[ColumnElement[bool]]) -> _Query:
    """Return the query of the contacts whose term begins with `low`."""
    term: ColumnElement[str] = literal_column(order.term)
    earlier = [func.coalesce(_begins(literal_column(other), low), False) for other in order.earlier]
    matches = and_(true(), *(~condition for condition in earlier), *conditions)
    beyond = tuple_(term, Contact.id) > tuple_(literal(max(low, after.term)), literal(after.id))
    query = select(Contact.id, term.label("term"), matches.label("matches"))
    return query.where(literal_column(order.is_present), _begins(term, low), beyond).order_by(term, Contact.id)


def _begins(term: ColumnElement[str], low: str) -> ColumnElement[bool]:
    return and_(term >= low, term < low + _HIGHEST)


@cache  # to build a statement takes as long as to execute it
def _newest_of_all(size: tuple[int, int]) -> _Window:
    return _windowed(_newest(segments.EVERYBODY), size)


def _newest(segment: Segment) -> _Query:
    """Return the query of all contacts before `before`, the newest first; an industry or role has an index."""
    indexed = {name: segment.words[name] for name in ("industry", "role") if name in segment.words}
    others = {name: words for name, words in segment.words.items() if name not in indexed}
    matches = and_(~Contact.is_recipient, *segments.matching(replace(segment, words=others)))
    query = select(Contact.id, literal("").label("term"), matches.label("matches"))
    query = query.where(Contact.id < bindparam("before", type_=Contact.id.type))
    return query.where(*segments.matching(Segment(words=indexed))).order_by(Contact.id.desc())


def _windowed(query: _Query, size: tuple[int, int]) -> _Window:
    """Return the statement of the matching rows, at most `size[1]`, of a window of `size[0]`, and of its last row."""
    rows_max, wanted = size
    window = query.limit(rows_max).subquery().c  # the planner then reads the index in its order, and stops early
    numbered = select(window.id, window.term, window.matches, func.row_number().over().label("number")).subquery().c
    return select(*numbered).where(or_(numbered.matches, numbered.number == rows_max)).limit(wanted)


def _look(
    session: Session, order: int, statement: _Window, rows_max: int, **values: UUID
) -> tuple[list[_Position], _Position | None]:
    """Return the matching contacts of a window of `rows_max` rows, and its last; None if fewer are left."""
    rows = session.execute(statement, values).all()
    positions = [_Position(order, row.term, row.id) for row in rows]
    matching = [at for at, row in zip(positions, rows, strict=True) if row.matches]
    return matching, positions[-1] if rows and rows[-1].number == rows_max else None


def _written(at: _Position) -> str:
    return f"{at.order}.{at.id.hex}.{base64.urlsafe_b64encode(at.term.encode()).decode().rstrip('=')}"


def _read(after: str, orders: int) -> _Position:
    """Return a written position of one of this number of orders; raises InvalidInput."""
    try:
        number, contact_id, term = after.split(".")
        decoded = base64.urlsafe_b64decode(term + "=" * (-len(term) % 4)).decode()
        at = _Position(int(number), decoded.replace("\0", ""), UUID(contact_id))
    except ValueError:  # also of base64 and of UTF-8
        at = _Position(-1, "", _NOBODY)
    if not 0 <= at.order < orders:
        raise InvalidInput.of("after", "give the `next` of the page before")
    return at
