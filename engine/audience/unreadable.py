"""Distinguish a damaged row from a missing key: in both cases no key of this process opens a token."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from models import arrays, fernet, ids, vault

# More unreadable e-mails at once than this are a fault of the host.
MANY = 20
_NEIGHBOURS = 200  # on either side; decrypting them takes 2 ms

_TOKENS = text("""
SELECT v.email_id, c.id AS contact_id, c.email, e.variables
  FROM unnest(CAST(:emails AS uuid[]), CAST(:contacts AS uuid[])) AS v(email_id, contact_id)
  JOIN contacts c ON c.id = v.contact_id LEFT JOIN emails e ON e.id = v.email_id
""")
_BEFORE = text("SELECT email FROM contacts WHERE id < :bound ORDER BY id DESC LIMIT :limit")
_AFTER = text("SELECT email FROM contacts WHERE id > :bound ORDER BY id LIMIT :limit")


def damaged(session: Session, contacts: Mapping[UUID, UUID]) -> set[UUID]:
    """Return those of these unreadable e-mails that are damaged, by themselves or by their contact's row.

    `contacts` has the contact of each e-mail. A token is damaged if it lacks the form of one, or if this process has
    the keys of its time: they open all addresses that were stored just before and just after it. For other tokens, and
    for more than `MANY`, a key may be missing here, which must fail no contact.
    """
    if len(contacts) > MANY:
        return set()
    rows = session.execute(_TOKENS, {"emails": arrays.uuids(contacts), "contacts": arrays.uuids(contacts.values())})
    return {
        row.email_id
        for row in rows.all()
        if _is_damaged(session, row.email, row.contact_id) or _is_damaged(session, row.variables, None)
    }


def _is_damaged(session: Session, token: str | None, contact_id: UUID | None) -> bool:
    """Return True if the token is unreadable although this process has the key of its time.

    The time of an address is that of its contact's id; the time of variables is in their token.
    """
    if token is None or vault.current().decrypt_all([token]) != [None]:
        return False
    sealed_at = _moment(fernet.sealed_at(token))
    if sealed_at is None:
        return True
    values = {"bound": contact_id or ids.first_at(sealed_at), "limit": _NEIGHBOURS}
    before, after = (session.scalars(query, values).all() for query in (_BEFORE, _AFTER))
    return bool(after) and None not in vault.current().decrypt_all([*before, *after])


def _moment(unix_s: int | None) -> datetime | None:
    try:
        return None if unix_s is None else datetime.fromtimestamp(unix_s, UTC)
    except (OverflowError, ValueError, OSError):
        return None
