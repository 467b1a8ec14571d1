"""Replies: a mail that came in becomes an event of the mail it answers."""

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
from engine.tracking.events import Arrival

log = logging.getLogger(__name__)

# compat32 hands headers out as they were written; the newer policies parse them, and stumble over malformed ones.
_parser = BytesHeaderParser(policy=policy.compat32)
# Our Message-ID: the e-mail's id, then the domain, which may have changed since.
_OURS = re.compile(r"<\s*([0-9a-f]{32})@[^<>\s]+>", re.IGNORECASE)
# A long conversation refers to all of its mails; ours is one of the last.
_REFERENCES_MAX = 50

_KNOWN = text("SELECT id FROM emails WHERE id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a mail turned out to be: `replied`, or `auto_replied` by a machine; `is_new` unless it came before."""

    email_id: UUID
    event_type: str
    is_new: bool


def take_in(session: Session, raw: bytes, *, now: datetime) -> Reply | None:
    """Record the mail `raw` as an event of the mail it answers; None when it answers none of ours, or is a report.

    Takes any bytes whatever. Nothing of its text, nor any address, is kept. The same mail taken in twice is one event.
    Commit, then ring "events".
    """
    message = _parser.parsebytes(raw)
    if message.get_content_type() == "multipart/report":  # bounces and receipts (RFC 6522) are no one's answer
        log.info("reply_skipped reason=report")
        return None
    email_id = _answered(session, message, now)
    if email_id is None:
        log.info("reply_skipped reason=answers_none_of_ours")
        return None
    event_type = "auto_replied" if automatic.is_automatic(message) else "replied"
    source = "machine" if event_type == "auto_replied" else "human"
    arrival = Arrival(email_id, event_type, now, source=source, key=_fingerprint(message, raw))
    [is_new] = early_events.record(session, [arrival], now=now)
    return Reply(email_id, event_type, is_new)


def _answered(session: Session, message: Message, now: datetime) -> UUID | None:
    """The mail it answers: the one it is in reply to, else the last of ours it refers to (RFC 5322, 3.6.4)."""
    named = list(dict.fromkeys(_named(message)))
    early_events.admit(session, named, now=now)
    known = set(session.scalars(_KNOWN, {"ids": named})) if named else set()
    return next((email_id for email_id in named if email_id in known), None)


def _named(message: Message) -> Iterator[UUID]:
    for name in ("In-Reply-To", "References"):
        found = _OURS.findall(" ".join(str(value) for value in message.get_all(name, [])))
        yield from (UUID(hex=digits) for digits in reversed(found[-_REFERENCES_MAX:]))


def _fingerprint(message: Message, raw: bytes) -> str:
    """A name for this mail that tells nothing about it: by its Message-ID, else by all of it."""
    name = str(message.get("Message-ID", "")).strip()
    return blake2b(name.encode("utf-8", "surrogateescape") if name else raw, digest_size=16).hexdigest()
