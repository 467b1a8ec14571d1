"""The people who submitted a form, by the state of their submissions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.forms import correspondence
from engine.forms.definitions import EMAIL

LIMIT = 50
_LAST = UUID(int=2**128 - 1)
_PAGE = text("""
SELECT s.id, s.submitted_at, s.reminded_at, s.confirmed_at, s.confirmed_by, s.language, s.page, s.address, s.fields,
       s.contact_id, concat_ws(' ', c.first_name, c.last_name) AS name, t.version
  FROM form_submissions s LEFT JOIN contacts c ON c.id = s.contact_id LEFT JOIN consent_texts t
       ON t.id = s.consent_text_id
 WHERE s.form_id = :form_id AND s.state = :state AND s.id < :before ORDER BY s.id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Person:
    """One submission. A pending one has an address and values, a confirmed one a contact, an expired one neither.

    `version` is that of the consent text. `address` is None, too, if no key decrypts it.
    """

    id: UUID
    submitted_at: datetime
    reminded_at: datetime | None
    confirmed_at: datetime | None
    confirmed_by: str | None
    language: str
    page: str | None
    address: str | None
    values: Mapping[str, str]
    contact_id: UUID | None
    name: str
    version: int | None


def page(
    session: Session, form_id: UUID, state: str, *, before: UUID | None = None, limit: int = LIMIT
) -> list[Person]:
    """Return the newest submissions of a form in this state, or those older than `before`."""
    values = {"form_id": form_id, "state": state, "before": before or _LAST, "limit": limit}
    return [_person(row) for row in session.execute(_PAGE, values)]


def _person(row: Row[Any]) -> Person:
    values = dict(correspondence.values_of(row.address, row.fields) or {}) if row.address else {}
    address = values.pop(EMAIL, None)
    own = {name: value for name, value in row._mapping.items() if name not in ("address", "fields")}
    return Person(**own, address=address, values=values)
