"""Matching: find the e-mail that an incoming message concerns, by the best evidence in the message."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from email.message import Message
from email.utils import getaddresses
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import settings
from engine.audience import addresses
from engine.delivery import early_events
from engine.tracking.address_tags import AddressTags
from errors import InvalidInput
from models import arrays, vault

# An answer that names no e-mail belongs to one that was sent within this time before it.
RECENT = timedelta(days=90)
# A long conversation refers to all of its messages; ours is one of the last.
_REFERENCES_MAX = 50
_ADDRESSES_MAX = 20
_RELAY_ID_CHARS_MIN = 12

# Our Message-ID: the id of the e-mail and the domain, which may have changed since.
_OURS = re.compile(r"<\s*([0-9a-f]{32})@[^<>\s]+>", re.IGNORECASE)
_ANY_ID = re.compile(r"<\s*([^<>@\s]+)@[^<>\s]+>")
# The headers in which mail servers write the address that they delivered to, and those of the sender.
_DELIVERED_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Forwarded-To", "To", "Cc")
_WRITTEN_BY = ("From", "Reply-To", "Sender")

_EXISTING = text("SELECT id FROM emails WHERE id = ANY(CAST(:ids AS uuid[]))")
_RECENT = text("""
SELECT emails.id, coalesce(emails.response, '') AS response
  FROM contacts JOIN emails ON emails.contact_id = contacts.id
 WHERE contacts.email_index = ANY(CAST(:indexes AS bytea[])) AND emails.sent_at BETWEEN :since AND :now
 ORDER BY emails.enrollment_id IS NULL, emails.kind = 'test', emails.sent_at DESC LIMIT 50
""")


def by_tag(session: Session, message: Message, *, now: datetime) -> UUID | None:
    """Return the e-mail of the signed tag in an address that the message was delivered to."""
    recipients = " ".join(_values(message, _DELIVERED_TO))
    tags = AddressTags(settings.current().tracking_ring)
    return first_existing(session, list(tags.read(recipients)), now=now)


def by_references(session: Session, message: Message, *, now: datetime) -> UUID | None:
    """Return the e-mail that In-Reply-To names, else the last of ours in References (RFC 5322, 3.6.4)."""
    return first_existing(session, list(dict.fromkeys(_references(message))), now=now)


def by_relay_id(session: Session, addressed: Sequence[str], message_ids: str, *, now: datetime) -> UUID | None:
    """Return the e-mail to one of these addresses which the relay accepted under an id that is in `message_ids`.

    Some relays, such as Amazon SES, replace our Message-ID by the id in their reply to the message.
    """
    return _with_relay_id(_recent(session, addressed, now), message_ids)


def by_author(session: Session, message: Message, *, now: datetime) -> tuple[UUID | None, bool]:
    """Return the e-mail that the author of the message got, and True if the relay's id names it.

    Without such an id it is the newest one. Those of campaigns come before others, because an answer ends a sequence.
    """
    rows = _recent(session, [address for _, address in getaddresses(_values(message, _WRITTEN_BY))], now)
    named = _with_relay_id(rows, " ".join(_values(message, ("In-Reply-To", "References"))))
    return (named, True) if named else (next((row.id for row in rows), None), False)


def first_existing(session: Session, email_ids: Sequence[UUID], *, now: datetime) -> UUID | None:
    """Return the first of these e-mails that exists, also if its group is not settled yet."""
    if not email_ids:
        return None
    early_events.admit(session, email_ids, now=now)
    existing = set(session.scalars(_EXISTING, {"ids": arrays.uuids(email_ids)}))
    return next((email_id for email_id in email_ids if email_id in existing), None)


def ours(message_ids: str) -> list[UUID]:
    """Return the ids of e-mails in our Message-IDs in this text, the last first."""
    return [UUID(hex=digits) for digits in reversed(_OURS.findall(message_ids)[-_REFERENCES_MAX:])]


def is_from_us(message: Message) -> bool:
    """Return True if we wrote the message: it was returned, or it is a copy of a colleague's."""
    configured = settings.current()
    own = {address.lower() for address in configured.own_addresses}
    authors = {address.lower() for _, address in getaddresses(_values(message, ("From",)))}
    own_id = re.compile(rf"<[0-9a-f]{{32}}@{re.escape(configured.message_domain)}>", re.IGNORECASE)
    return bool(authors & own) or any(own_id.search(value) for value in _values(message, ("Message-ID",)))


def _references(message: Message) -> Iterator[UUID]:
    for name in ("In-Reply-To", "References"):
        yield from ours(" ".join(_values(message, (name,))))


def _recent(session: Session, addressed: Sequence[str], now: datetime) -> Sequence[Row[Any]]:
    indexes = [index for address in addressed[:_ADDRESSES_MAX] if (index := _index(address))]
    if not indexes:
        return ()
    values = {"indexes": arrays.blobs(indexes), "since": now - RECENT, "now": now}
    return session.execute(_RECENT, values).all()


def _with_relay_id(rows: Sequence[Row[Any]], message_ids: str) -> UUID | None:
    relay_ids = [name for name in _ANY_ID.findall(message_ids) if len(name) >= _RELAY_ID_CHARS_MIN]
    return next((row.id for row in rows if any(name in row.response for name in relay_ids)), None)


def _index(address: str) -> bytes | None:
    try:
        return vault.current().blind_index(addresses.normalise(address.strip()))
    except InvalidInput:
        return None


def _values(message: Message, names: Sequence[str]) -> list[str]:
    return [str(value) for name in names for value in message.get_all(name, [])[:_ADDRESSES_MAX]]
