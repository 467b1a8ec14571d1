"""Incoming messages: each becomes an event of the e-mail that it concerns, or is dropped with one line in the log."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from hashlib import blake2b
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from engine import bell
from engine.delivery import early_events
from engine.inbound import automatic, matching, reports
from engine.tracking.events import IncomingEvent
from errors import Unavailable
from models import ids
from models.session import is_invalid_input

log = logging.getLogger(__name__)

T = TypeVar("T")

# A message that passed more servers is in a loop (RFC 5321, 6.3, asks for at least 100; postfix stops at 50).
HOPS_MAX = 50

# compat32 returns headers as they are; newer policies parse them and fail on malformed ones.
_headers = BytesHeaderParser(policy=policy.compat32)
_whole = BytesParser(policy=policy.compat32)


class Run(Protocol):
    """Run `work` in a transaction of its own, as `models.session.retrying` does."""

    def __call__(self, work: Callable[[Session], T], /) -> T:
        """Return what `work` returns, once it is committed."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """The event of a message: replied, auto_replied (by a machine), bounced or complained; new at its first time."""

    email_id: UUID
    event_type: str
    is_new: bool


class Unrecordable(Exception):
    """The message itself cannot be recorded, so a repetition cannot help. It was logged."""


class _Ignored(Exception):
    """The message changes nothing; the text says why."""


def handle(raw: bytes, name: str, *, run: Run, now: datetime) -> Recorded | None:
    """Record the message in a transaction and ring for its event; `name` stands for it in the log.

    Raises Unrecordable, and the errors of `run`, such as Unavailable: then a repetition may help.
    """
    try:
        recorded = run(lambda session: record(session, raw, now=now))
    except Unavailable:
        raise
    except Exception as error:
        log.error("inbound_failed message=%s error=%s", name, type(error).__name__, exc_info=error)
        if is_invalid_input(error):
            raise Unrecordable(type(error).__name__) from error
        raise
    if recorded is not None:
        bell.ring("events")
    return recorded


def record(session: Session, raw: bytes, *, now: datetime) -> Recorded | None:
    """Record the message as an event of the e-mail that it concerns; None if it concerns none of ours, or in no way.

    `raw` may be any bytes. No text of it and no address is stored, except the words of a mail server in a bounce. The
    same message recorded twice is one event. Commit, then ring "events".
    """
    message = _headers.parsebytes(raw)
    try:
        event = _event(session, message, raw, now)
    except _Ignored as reason:
        log.info("inbound_ignored reason=%s", reason)
        return None
    [is_new] = early_events.record(session, [event], now=now)
    log.info("inbound_recorded email=%s type=%s new=%s", ids.public(event.email_id), event.event_type, is_new)
    return Recorded(event.email_id, event.event_type, is_new)


def _event(session: Session, message: Message, raw: bytes, now: datetime) -> IncomingEvent:
    if len(message.get_all("Received", [])) > HOPS_MAX:
        raise _Ignored("loop")
    whole = _parsed(raw) if message.get_content_maintype() == "multipart" else message
    report = reports.read(whole)
    if report is not None:
        return IncomingEvent(
            _reported(session, whole, report, now), report.event_type, now, report.data, key=_fingerprint(message, raw)
        )
    if reports.is_report(whole):
        raise _Ignored("report_of_no_failure")
    return _reply(session, message, raw, now)


def _parsed(raw: bytes) -> Message:
    """Return the message with its parts; only its headers if the parts are nested too deeply."""
    try:
        return _whole.parsebytes(raw)
    except RecursionError:
        return _headers.parsebytes(raw)


def _reported(session: Session, message: Message, report: reports.Report, now: datetime) -> UUID:
    """Return the e-mail that a report is about."""
    email_id = (
        matching.by_tag(session, message, now=now)
        or matching.first_existing(session, matching.ours(report.message_ids), now=now)
        or matching.by_relay_id(session, report.recipients, report.message_ids, now=now)
    )
    if email_id is None:
        raise _Ignored("report_of_none_of_ours")
    return email_id


def _reply(session: Session, message: Message, raw: bytes, now: datetime) -> IncomingEvent:
    if matching.is_from_us(message):
        raise _Ignored("from_us")
    is_automatic = automatic.is_automatic(message)
    email_id = matching.by_tag(session, message, now=now) or matching.by_references(session, message, now=now)
    if email_id is None:
        email_id, is_named = matching.by_author(session, message, now=now)
        if is_automatic and not is_named:  # such as a newsletter of a contact's company
            raise _Ignored("automatic_and_answers_none_of_ours")
    if email_id is None:
        raise _Ignored("answers_none_of_ours")
    event_type, source = ("auto_replied", "machine") if is_automatic else ("replied", "human")
    return IncomingEvent(email_id, event_type, now, source=source, key=_fingerprint(message, raw))


def _fingerprint(message: Message, raw: bytes) -> str:
    """Return a hash that identifies the message: of its Message-ID, or of all of it if that is missing."""
    name = str(message.get("Message-ID", "")).strip()
    return blake2b(name.encode("utf-8", "surrogateescape") if name else raw, digest_size=16).hexdigest()
