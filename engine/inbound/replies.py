"""Replies: an incoming message becomes an event of the e-mail that it answers."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser
from hashlib import blake2b
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.inbound import automatic
from engine.tracking.events import IncomingEvent

log = logging.getLogger(__name__)

# compat32 returns headers as they are; newer policies parse them and fail on malformed ones.
_parser = BytesHeaderParser(policy=policy.compat32)
# Our Message-ID: the id of the e-mail and the domain, which may have changed since.
_OURS = re.compile(r"<\s*([0-9a-f]{32})@[^<>\s]+>", re.IGNORECASE)
# A long conversation refers to all of its messages; ours is one of the last.
_REFERENCES_MAX = 50

_KNOWN = text("SELECT id FROM emails WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A recorded reply: `replied`, or `auto_replied` by a machine; `is_new` unless it was recorded before."""

    email_id: UUID
    event_type: str
    is_new: bool


def record(session: Session, raw: bytes, *, now: datetime) -> Reply | None:
    """Record the message as an event of the e-mail that it answers; None if it answers none of ours or is a report.

    `raw` may be any bytes. No text or address of it is stored. The same message recorded twice is one event. Commit,
    then ring "events".
    """
    message = _parser.parsebytes(raw)
    if message.get_content_type() == "multipart/report":  # bounces and receipts (RFC 6522) are not replies
        log.info("reply_skipped reason=report")
        return None
    email_id = _answered(session, message, now)
    if email_id is None:
        log.info("reply_skipped reason=answers_none_of_ours")
        return None
    event_type = "auto_replied" if automatic.is_automatic(message) else "replied"
    source = "machine" if event_type == "auto_replied" else "human"
    event = IncomingEvent(email_id, event_type, now, source=source, key=_fingerprint(message, raw))
    [is_new] = early_events.record(session, [event], now=now)
    return Reply(email_id, event_type, is_new)


def _answered(session: Session, message: Message, now: datetime) -> UUID | None:
    """Return the e-mail that In-Reply-To names, else the last of ours in References (RFC 5322, 3.6.4)."""
    named = list(dict.fromkeys(_named(message)))
    early_events.admit(session, named, now=now)
    known = set(session.scalars(_KNOWN, {"ids": named})) if named else set()
    return next((email_id for email_id in named if email_id in known), None)


def _named(message: Message) -> Iterator[UUID]:
    for name in ("In-Reply-To", "References"):
        digits_of_ids = _OURS.findall(" ".join(str(value) for value in message.get_all(name, [])))
        yield from (UUID(hex=digits) for digits in reversed(digits_of_ids[-_REFERENCES_MAX:]))


def _fingerprint(message: Message, raw: bytes) -> str:
    """Return a hash that identifies the message: of its Message-ID, or of all of it if that is missing."""
    name = str(message.get("Message-ID", "")).strip()
    return blake2b(name.encode("utf-8", "surrogateescape") if name else raw, digest_size=16).hexdigest()
