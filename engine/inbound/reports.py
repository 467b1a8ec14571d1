"""Reports of mail systems: read from a message the failure (RFC 3464) or complaint (RFC 5965), and the e-mail's id."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.parser import HeaderParser

from engine.delivery.outcomes import Phase, Rejected
from engine.delivery.smtp import replies

_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
# "smtp; 550 5.1.1 no such user": the type, the reply code if there is one, the text.
_DIAGNOSTIC = re.compile(r"\s*(?:[\w.-]+\s*;)?\s*(?:([245]\d\d)(?:[ -]|$))?(.*)", re.DOTALL)
# The words of the receiving server within those of a relay: "5.1.0 - Unknown address error 550-'5.2.2 mailbox full'".
_QUOTED = re.compile(r"[245]\.\d+\.\d+ - .{1,80}? ([245]\d\d)-'(.*)'", re.DOTALL)
# The headers of the returned message, quoted in a text.
_QUOTED_ID = re.compile(r"^[ >]*Message-ID:\s*(<[^<>\s]+>)", re.IGNORECASE | re.MULTILINE)
_FAILED = "failed"
_COMPLAINTS = ("abuse", "fraud", "opt-out")
_ORIGINALS = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global",
              "message/global-headers")  # fmt: skip
_headers = HeaderParser(policy=policy.compat32)


@dataclass(frozen=True, slots=True)
class Report:
    """The event of one message that a report is about, with data that contain no address.

    `message_ids` are those of the returned message, and `recipients` the addresses that the report names for it.
    """

    event_type: str
    data: Mapping[str, object]
    message_ids: str
    recipients: tuple[str, ...]


def is_report(message: Message) -> bool:
    """Return True for a report of a mail system (RFC 6522): about a delivery, a receipt or a complaint."""
    return message.get_content_type() == "multipart/report" or _delivery_status(message) is not None


def read(message: Message) -> Report | None:
    """Return the failure or complaint that a message parsed in full reports; None if it reports none, as of a delay."""
    if feedback := _part(message, "message/feedback-report"):
        return _complaint(message, next(iter(_parts(feedback)), feedback))
    part = _delivery_status(message)
    if part is None:
        return from_text(message)
    fields = next(iter(_failures(part)), None)
    return None if fields is None else _failure(message, fields)


def from_text(message: Message) -> Report | None:  # noqa: ARG001  # replaced as a whole by a parser of such texts
    """Return the failure that a message reports in words alone; no such text is understood, so None."""
    return None


def _delivery_status(message: Message) -> Message | None:
    return _part(message, "message/delivery-status")


def _part(message: Message, kind: str) -> Message | None:
    return next((part for part in _parts(message) if part.get_content_type() == kind), None)


def _parts(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _failures(part: Message) -> Iterator[Message]:
    """Yield the fields of each recipient to whom the delivery failed for good."""
    for fields in _parts(part) or [_headers.parsestr(str(part.get_payload()))]:
        action = _field(fields, "Action").lower()
        if action.startswith(_FAILED) or (not action and _field(fields, "Status").startswith("5")):
            yield fields


def _complaint(message: Message, fields: Message) -> Report | None:
    kind = _field(fields, "Feedback-Type").lower()
    if kind not in _COMPLAINTS:
        return None
    return Report("complained", {"feedback": kind}, _message_ids(message), _addresses(fields, "Original-Rcpt-To"))


def _failure(message: Message, fields: Message) -> Report:
    recipients = _addresses(fields, "Original-Recipient", "Final-Recipient")
    status, diagnostic = _field(fields, "Status"), _field(fields, "Diagnostic-Code")
    code, words = _reply(status, diagnostic)
    outcome = replies.classify(Phase.RCPT, code, words, recipient=recipients[-1] if recipients else "")
    is_dead = isinstance(outcome, Rejected) and outcome.dead_address and not _is_forwarded(recipients)
    numbers = _STATUS.search(words)
    response = replies.redact(f"{code} {words}", *recipients[-1:])
    data = {"hard": is_dead, "status": numbers.group(1) if numbers else "", "response": response}
    return Report("bounced", data, _message_ids(message), recipients)


def _addresses(fields: Message, *names: str) -> tuple[str, ...]:
    values = (_field(fields, name).rpartition(";")[2].strip(" <>") for name in names)
    return tuple(address for address in values if address)


def _reply(status: str, diagnostic: str) -> tuple[int, str]:
    """Return the code and the text of the reply that the report is about, as a server would have given it."""
    numbers = _STATUS.match(status)
    matched = _QUOTED.search(diagnostic) or _DIAGNOSTIC.match(diagnostic)
    digits, words = matched.groups() if matched else (None, diagnostic)
    words = " ".join(words.split())
    if numbers and replies.enhanced_status(words) is None and not numbers.group(1).endswith(".0.0"):
        words = f"{numbers.group(1)} {words}"
    return int(digits or ("450" if status.startswith("4") else "550")), words


def _is_forwarded(recipients: tuple[str, ...]) -> bool:
    """Return True if the address of ours was forwarded to another domain: then only that other address is dead."""
    domains = {address.rpartition("@")[2].lower() for address in recipients}
    return len(domains) > 1 and not any(one.endswith(f".{other}") for one in domains for other in domains)


def _message_ids(message: Message) -> str:
    """Return the Message-IDs of the returned message, and those that the report itself refers to."""
    originals = [_original(part) for part in _parts(message) if part.get_content_type() in _ORIGINALS]
    named = [value for each in originals for value in each.get_all("Message-ID", [])]
    named += [name for part in _parts(message) if not named for name in _QUOTED_ID.findall(_text(part))]
    named += message.get_all("In-Reply-To", []) + message.get_all("References", [])
    return " ".join(map(str, named))


def _original(part: Message) -> Message:
    for attached in _parts(part):
        return attached
    return _headers.parsestr(_text(part))


def _text(part: Message) -> str:
    decoded = part.get_payload(decode=True)
    return (decoded if isinstance(decoded, bytes) else b"").decode("utf-8", "replace")


def _field(fields: Message, name: str) -> str:
    return str(fields.get(name, "")).strip()
