"""Recognise automatic replies, such as vacation notes (RFC 3834)."""

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message

# RFC 3834, section 5: any keyword but "no" means an automatic message.
_NOT_AUTOMATIC = "no"
# Older than RFC 3834, never standardised, and still in use.
_AUTOMATIC_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Response-Suppress")
# RFC 2076, section 3.9: discouraged but common. Without "list", as people write to lists.
_PRECEDENCE = {"auto_reply", "auto-reply", "bulk", "junk"}
# How the subject of an absence note starts, in the languages of our recipients.
_ABSENT = re.compile(
    r"\s*(?:auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|away from (?:the|my) office|vacation\b|"
    r"respuesta autom[aá]tica|fuera de (?:la )?oficina|ausente de la oficina|ausencia de la oficina|de vacaciones|"
    r"resposta autom[aá]tica|resposta automàtica|ausência tempor[aá]ria|réponse automatique|absen(?:ce|t) du bureau|"
    r"risposta automatica|fuori sede|automatische antwort|abwesenheit)",
    re.IGNORECASE,
)


def is_automatic(message: Message) -> bool:
    """Return True if the headers say that this reply is automatic; they may be malformed. Parse with policy.compat32.

    A null return path counts, too: RFC 3834, section 3.3, requires it of automatic replies.
    """
    submitted = _keyword(message, "Auto-Submitted")
    return (
        submitted not in ("", _NOT_AUTOMATIC)
        or any(name in message for name in _AUTOMATIC_HEADERS)
        or _keyword(message, "Precedence") in _PRECEDENCE
        or str(message.get("Return-Path", "")).strip() == "<>"
        or _ABSENT.match(_subject(message)) is not None
    )


def _keyword(message: Message, name: str) -> str:
    """Return the first word of a header, without parameters and comments."""
    return re.split(r"[;(\s]", str(message.get(name, "")).strip().lower(), maxsplit=1)[0]


def _subject(message: Message) -> str:
    """Return the decoded subject, as far as it can be decoded."""
    raw = next((str(value) for name, value in message.raw_items() if name.lower() == "subject"), "")
    subject = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # UTF-8 as it is: RFC 6532
    try:
        return "".join(_decoded(part, charset) for part, charset in decode_header(subject))
    except HeaderParseError:
        return subject


def _decoded(part: bytes | str, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    try:
        return part.decode(charset or "ascii", "replace")
    except (LookupError, ValueError):  # no such charset, or not one for text
        return part.decode("ascii", "replace")
