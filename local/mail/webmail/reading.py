"""What a person sees of a raw message. Never fails: what cannot be decoded is shown as well as it can be."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

# What the standard library's header parser is known to raise on headers that break the rules.
_MALFORMED = (ValueError, LookupError, AttributeError, TypeError)
_SHOWN = ("From", "To", "Reply-To", "Date", "Message-ID")


def fields(raw: bytes) -> dict[str, str]:
    """The subject and the header fields a reader wants, decoded, without those that are absent."""
    message = _parsed(raw)
    found = {name: _field(message, name) for name in ("Subject", *_SHOWN)}
    return {name: value for name, value in found.items() if value}


def subject(raw: bytes) -> str:
    """The decoded subject; reads no further than the headers."""
    return _field(_parsed(_head(raw) + b"\r\n\r\n"), "Subject")


def html(raw: bytes) -> str:
    """The HTML part, empty if there is none."""
    return _part(raw, "html")


def text(raw: bytes) -> str:
    """The text part, empty if there is none."""
    return _part(raw, "plain")


def headers(raw: bytes) -> str:
    """All header fields as they came in."""
    return _head(raw).decode("utf-8", "replace").replace("\r\n", "\n")


def source(raw: bytes) -> str:
    """The whole message as it came in."""
    return raw.decode("utf-8", "replace").replace("\r\n", "\n")


def in_frame(document: str) -> str:
    """A mail's HTML such that its links open in a new tab."""
    doctype = re.match(r"\s*<!doctype[^>]*>", document, re.IGNORECASE)
    start = doctype.end() if doctype else 0  # anything before the doctype would mean quirks mode
    return f'{document[:start]}<base target="_blank">{document[start:]}'


def _parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=default)


def _head(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[0]


def _field(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except _MALFORMED:
        return next(str(value) for key, value in message.raw_items() if key.lower() == name.lower())


def _part(raw: bytes, kind: str) -> str:
    part = _parsed(raw).get_body((kind,))
    if part is None:
        return ""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
