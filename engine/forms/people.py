"""The people who submitted a form, by the state of their submissions; the erasure of a person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from engine.audience import contacts, recipients
from engine.delivery import emails
from engine.engagement import by_hand
from engine.forms import correspondence
from engine.forms.definitions import EMAIL
from errors import Conflict

LIMIT = 50
_LAST = UUID(int=2**128 - 1)
_PAGE = text("""
SELECT s.id, s.submitted_at, s.reminded_at, s.confirmed_at, s.confirmed_by, s.language, s.page, s.address, s.fields,
       s.contact_id, concat_ws(' ', c.first_name, c.last_name) AS name, t.version
  FROM form_submissions s LEFT JOIN contacts c ON c.id = s.contact_id LEFT JOIN consent_texts t
       ON t.id = s.consent_text_id
 WHERE s.form_id = :form_id AND s.state = :state AND s.id < :before ORDER BY s.id DESC LIMIT :limit
""")
_THEIRS = """
 WHERE id = ANY(ARRAY(SELECT id FROM form_submissions WHERE contact_id = :contact_id
                      UNION ALL SELECT id FROM form_submissions WHERE email_index = :index))
"""
_NOTICES = text(f"SELECT unnest(notice_ids) FROM form_submissions {_THEIRS}")  # noqa: S608  # constants only
# The form, the moments and the text remain, as a proof of the consent.
_ERASE = text(f"""
UPDATE form_submissions
   SET email_index = NULL, address = NULL, fields = NULL, page = NULL, network = NULL, confirmed_network = NULL,
       notice_ids = NULL, state = CASE state WHEN 'pending' THEN 'expired' ELSE state END
{_THEIRS}
""")  # noqa: S608  # constants only


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


def suppress_and_erase(
    run: Callable[[Callable[[Session], object]], object], contact_id: UUID, *, now: datetime
) -> None:
    """Suppress the contact, commit, and erase it, each in a transaction that `run` opens; raises their errors.

    Nothing more is sent to it then, also if the erasure must be repeated.
    """
    run(lambda session: by_hand.suppress(session, by_hand.by_id(session, contact_id), now=now))
    run(lambda session: erase(session, contact_id, now=now))


def erase(session: Session, contact_id: UUID, *, now: datetime) -> None:
    """Erase a contact as `by_hand.erase` does, its sign-ups that wait, and all of its consents but their proof.

    The proof is the form, the moments and the version of the text. Notices to colleagues lose the values. Safe to
    repeat. Raises NotFound; Conflict while an e-mail to the address, or a notice of it, is being sent.
    """
    index = contacts.index_of(session, contact_id)
    address = contacts.view(session, contact_id).email
    by_hand.erase(session, contact_id, now=now)
    theirs = {"contact_id": contact_id, "index": index}
    notice_ids = session.scalars(_NOTICES, theirs).all()
    if notice_ids and not emails.erase_some(session, notice_ids, reason="erased"):
        raise Conflict("contact: a notice of it is being sent; repeat in a minute")
    session.execute(_ERASE, theirs)
    recipient_id = recipients.find(session, address) if address else None
    if recipient_id is not None and not by_hand.erase_recipient(session, recipient_id, now=now):
        raise Conflict("contact: an e-mail to it is being sent; repeat in a minute")


def _person(row: Row[Any]) -> Person:
    values = dict(correspondence.values_of(row.address, row.fields) or {}) if row.address else {}
    address = values.pop(EMAIL, None)
    own = {name: value for name, value in row._mapping.items() if name not in ("address", "fields")}
    return Person(**own, address=address, values=values)
