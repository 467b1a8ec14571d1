"""Pages of suppressions, newest first, of all reasons or of one."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from errors import InvalidInput
from models import ids, vault
from models.suppression import REASONS

LIMIT = 50
SHOWN = tuple(reason for reason in REASONS if reason != "erased")  # the index of an erased contact is nobody's address


@dataclass(frozen=True, slots=True)
class ListedSuppression:
    """One suppressed address: its blind index, and the contact with its address if there is one."""

    index: bytes
    reason: str
    since: datetime
    contact_id: UUID | None
    email: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """Suppressions, newest first, and the position after which the next page begins; None after the last page."""

    suppressions: tuple[ListedSuppression, ...]
    after: str | None


class _Position(NamedTuple):
    since: datetime
    key: bytes


# One index serves both: the reasons are few, and each is read from its newest.
_PAGE = text("""
SELECT s.email_index, s.reason, s.since, c.id AS contact_id, c.email, concat_ws(' ', c.first_name, c.last_name) AS name
  FROM (SELECT newest.* FROM unnest(CAST(:reasons AS text[])) AS wanted (reason)
         CROSS JOIN LATERAL (
               SELECT * FROM suppressions
                WHERE suppressions.reason = wanted.reason
                  AND (since, email_index) < (CAST(:since AS timestamptz), CAST(:index AS bytea))
                ORDER BY since DESC, email_index DESC LIMIT :limit) AS newest
         ORDER BY newest.since DESC, newest.email_index DESC LIMIT :limit) AS s
  LEFT JOIN contacts c ON c.email_index = s.email_index AND NOT c.is_recipient
 ORDER BY s.since DESC, s.email_index DESC
""")


def page(session: Session, reason: str | None = None, *, after: str | None = None, limit: int = LIMIT) -> Page:
    """Return up to `limit` suppressions for this reason, or for any.

    Raises InvalidInput for an `after` that no page returned.
    """
    at = None if after is None else _read(after)
    values = {
        "reasons": [reason] if reason else list(SHOWN),
        "since": at.since if at else "infinity",
        "index": at.key if at else b"",
        "limit": limit + 1,
    }
    rows = session.execute(_PAGE, values).all()
    emails = vault.current().decrypt_all([row.email or "" for row in rows])
    listed = [
        ListedSuppression(bytes(row.email_index), row.reason, row.since, row.contact_id, email or None, row.name)
        for row, email in zip(rows, emails, strict=True)
    ]
    return Page(tuple(listed[:limit]), _written(listed[limit - 1]) if len(listed) > limit else None)


def _written(last: ListedSuppression) -> str:
    """Return a position; the start of the index orders suppressions of one moment, and identifies nobody."""
    return f"{ids.microseconds(last.since)}.{last.index[:8].hex()}"


def _read(after: str) -> _Position:
    try:
        number, index = after.split(".")
        return _Position(ids.moment_at(int(number)), bytes.fromhex(index))
    except (ValueError, OverflowError):
        raise InvalidInput.of("after", "give the `next` of the page before") from None
