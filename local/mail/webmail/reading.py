"""Parts of a raw message for display. Never raises: text that cannot be decoded is shown as well as possible."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

# Exceptions that the standard library's header parser raises on malformed headers.
_MALFORMED = (ValueError, LookupError, AttributeError, TypeError)
_DISPLAYED = ("From", "To", "Reply-To", "Date", "Message-ID")


def fields(raw: bytes) -> dict[str, str]:
    """Return the decoded subject and the header fields to display, without absent ones."""
    message = _parsed(raw)
    values = {name: _field(message, name) for name in ("Subject", *_DISPLAYED)}
    return {name: value for name, value in values.items() if value}


def subject(raw: bytes) -> str:
    """Return the decoded subject; only the headers are parsed."""
    return _field(_parsed(_head(raw) + b"\r\n\r\n"), "Subject")


def html(raw: bytes) -> str:
    """Return the HTML part, empty if there is none."""
    return _part(raw, "html")


def text(raw: bytes) -> str:
    """Return the text part, empty if there is none."""
    return _part(raw, "plain")


def headers(raw: bytes) -> str:
    """Return all header fields as received."""
    return _head(raw).decode("utf-8", "replace").replace("\r\n", "\n")


def source(raw: bytes) -> str:
    """Return the whole message as received."""
    return raw.decode("utf-8", "replace").replace("\r\n", "\n")


def in_frame(document: str) -> str:
    """Return the HTML with a base element that opens its links in a new tab."""
    doctype = re.match(r"\s*<!doctype[^>]*>", document, re.IGNORECASE)
    start = doctype.end() if doctype else 0  # anything before the doctype would cause quirks mode
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
