"""Recipients: addresses that a form writes to and that are no contacts, such as those of unconfirmed sign-ups.

An e-mail needs a row of `contacts`. A recipient has one of its own, under an index that no contact has: no search finds
it, no list or audience includes it, and nothing of it reaches the contact who may have the same address. Bounces and
complaints of that address count for it. Its personal data is erased when nothing waits for it any more.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.audience import contacts, suppressions
from engine.audience.contacts import SealedAddress
from models import Contact, arrays, ids, vault

_BINDING = ("hard_bounce", "complaint")
# The update locks the rows, in the order of their indexes, so that they are not erased meanwhile. A suppression has one
# row for each index: what is deleted here has no own suppression that binds, and what is added has one.
_ENSURE = text("""
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:indexes AS bytea[]), CAST(:contact_ids AS uuid[]), CAST(:addresses AS text[]),
                             CAST(:owns AS bytea[])) AS v (index, contact_id, address, own)
    ), released AS (
        DELETE FROM suppressions held USING given
         WHERE held.email_index = given.index AND held.email_id IS NULL AND NOT EXISTS (
               SELECT FROM suppressions own WHERE own.email_index = given.own AND own.reason = ANY(:binding))
    ), inherited AS (
        INSERT INTO suppressions (email_index, reason, since, is_unsubscribed)
        SELECT given.index, reason, since, false FROM given JOIN suppressions own ON own.email_index = given.own
         WHERE reason = ANY(:binding) ORDER BY given.index
        ON CONFLICT (email_index) DO NOTHING
    )
    INSERT INTO contacts (id, email, email_index, created_at, updated_at, is_recipient)
    SELECT contact_id, address, index, CAST(:now AS timestamptz), CAST(:now AS timestamptz), true
      FROM given ORDER BY index
    ON CONFLICT (email_index) DO UPDATE SET updated_at = greatest(contacts.updated_at, excluded.updated_at)
    RETURNING email_index, id
""")
_FORGET = text("DELETE FROM suppressions WHERE email_index = :index")
# No index has `updated_at`: each e-mail of a campaign would write to it. Few recipients are old and not idle.
_IDLE = text("""
    SELECT created_at, id FROM contacts
     WHERE is_recipient AND erased_at IS NULL AND created_at < :before AND updated_at < :before
       AND (created_at, id) > (:after, :after_id)
     ORDER BY created_at, id LIMIT :limit
""")

_TO_REMOVE = text("""
    SELECT id, email_index FROM contacts
     WHERE erased_at < :before AND is_recipient AND email_index <> :nobody
       AND (SELECT count(*) FROM enrollments WHERE contact_id = contacts.id) = 0  -- of each row, not of the table
     ORDER BY erased_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_REMOVE = text("""
    WITH removed AS (DELETE FROM contacts WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING email_index)
    DELETE FROM suppressions USING removed WHERE suppressions.email_index = removed.email_index
""")
_ADD_NOBODY = text("""
    INSERT INTO contacts (id, email, email_index, created_at, updated_at, is_recipient, erased_at)
    VALUES (:id, :email, :index, :now, :now, true, :now) ON CONFLICT (email_index) DO NOTHING
""")


class Recipient(NamedTuple):
    """A recipient that may be new: its sealed address, and the blind index that a contact with the address has."""

    sealed: SealedAddress
    own: bytes


def seal(address: str) -> Recipient:
    """Return the recipient of a normalised address."""
    keys = vault.current()
    return Recipient(SealedAddress(_index(address), ids.new(), keys.encrypt(address)), keys.blind_index(address))


def _index(address: str) -> bytes:
    return vault.current().blind_index(f"recipient {address}")  # no address has a space before its @-sign


def ensure(session: Session, recipients: Sequence[Recipient], *, now: datetime) -> list[UUID]:
    """Return the ids of recipients, in their order, locked; create those that are missing.

    One gets no mail while its address is dead or complained.
    """
    different = {each.sealed.key: each for each in recipients}.values()
    values = contacts.columns([each.sealed for each in different])
    owns = arrays.blobs(each.own for each in different)
    rows = session.execute(_ENSURE, {**values, "owns": owns, "binding": list(_BINDING), "now": now})
    by_index: dict[bytes, UUID] = {row.email_index: row.id for row in rows}
    return [by_index[each.sealed.key] for each in recipients]


def find(session: Session, address: str) -> UUID | None:
    """Return the recipient of a normalised address; None if there is none."""
    return session.scalar(select(Contact.id).where(Contact.email_index == _index(address)))


def idle(
    session: Session, *, before: datetime, after: tuple[datetime, UUID], limit: int
) -> Sequence[tuple[datetime, UUID]]:
    """Return the next recipients that nobody has written to since `before`, by creation."""
    values = {"before": before, "after": after[0], "after_id": after[1], "limit": limit}
    return [(row.created_at, row.id) for row in session.execute(_IDLE, values)]


def erase(session: Session, recipient_id: UUID, *, now: datetime) -> None:
    """Erase the address of a recipient. That it is dead or complained is kept for the address itself.

    Erase the recipient's e-mails and events as well: see `engagement.by_hand.erase_recipient`.
    """
    row = session.execute(
        select(Contact.email, Contact.email_index).where(Contact.id == recipient_id).with_for_update()
    ).one()
    suppression = suppressions.of_index(session, row.email_index)
    if suppression is not None and suppression.reason in _BINDING and row.email:
        suppressions.add_addresses(session, [row.email], suppression.reason, now=suppression.since)
    session.execute(_FORGET, {"index": row.email_index})
    replacement = os.urandom(len(row.email_index))
    contacts.erase(session, recipient_id, replacement, now=now)
    suppressions.add_indexes(session, [replacement], "erased", now=now)


def to_remove(session: Session, *, before: datetime, limit: int) -> list[UUID]:
    """Return recipients that were erased before `before`, locked, the first erased first."""
    values = {"before": before, "nobody": _index(""), "limit": limit}
    return [row.id for row in session.execute(_TO_REMOVE, values)]


def nobody(session: Session, *, now: datetime) -> UUID:
    """Return the erased recipient that stands for all those whose rows were removed."""
    index = _index("")
    sealed = vault.current().encrypt("")
    session.execute(_ADD_NOBODY, {"id": ids.new(), "email": sealed, "index": index, "now": now})
    suppressions.add_indexes(session, [index], "erased", now=now)
    return session.scalars(select(Contact.id).where(Contact.email_index == index)).one()


def remove(session: Session, recipient_ids: Sequence[UUID]) -> None:
    """Delete the rows of erased recipients. None of them may have an e-mail any more."""
    session.execute(_REMOVE, {"ids": arrays.uuids(recipient_ids)})
