"""Classify a mail server's reply as an outcome, and remove addresses from its text. Pure."""

import re

from engine.delivery.outcomes import Deferred, Phase, Rejected, Sent, Untried

MAX_RESPONSE_BYTES = 500  # in UTF-8: a slot of the recorder holds it in whole

# The mailbox does not exist and a retry cannot help (RFC 3463 section 3.2; RFC 7505 for 5.1.10, the null MX).
_DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
# The relay refuses *us*, for any recipient (RFC 4954 section 6): the pool reacts to it.
_UNAUTHENTICATED = frozenset({530, 534, 535, 538})

# "550 5.1.1 …", "550-5.1.1 …", and the older "(#5.1.1)" and "#5.1.1" of qmail and its successors.
_STATUS = re.compile(r"(?:^\s*|#)([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_FULL = re.compile(
    r"(?:mail ?box|inbox|account|user|maildir)\b.{0,40}\b(?:full|over ?quota|over (?:its|their|the) )"
    r"|over ?quota|quota (?:exceeded|full)|exceed\w* .{0,40}quota|out of storage|insufficient storage"
    r"|storage allocation|disk full",
    re.IGNORECASE,
)
_NO_SUCH_USER = re.compile(
    r"(?:no such|unknown|invalid|non-?existent) (?:user|recipient|mailbox|local part|address)"
    r"|(?:user|recipient|mailbox|account)(?: is)? (?:unknown|not known|not found)"
    r"|(?:user|recipient|mailbox|account|address)\b.{0,60}(?:does(?: not|n't) (?:exist|have)|no longer exists?)"
    r"|no mailbox (?:here )?by that name|no (?:one|body) (?:here )?by that name",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"\b(?:spam|spammers?|block(?:ed|list|listed|ing)?|black ?list(?:ed)?|denied|deny|polic(?:y|ies)|reputation|rbl"
    r"|dnsbl|spamhaus|spf|dkim|dmarc|relay(?:ing)?|authenti\w+|not allowed|not permitted|prohibited|banned"
    r"|rejected due to|content|virus|rdns|reverse dns|ptr|too many|rate|limit(?:ed)?|frequency|sender)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"']+@[^\s<>()\[\]:;,\"']+|\"[^\"\s]*\"@\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def classify(
    phase: Phase, code: int, text: str, *, recipient: str = "", at_ms: int = 0
) -> Sent | Deferred | Rejected | Untried:
    """Return the outcome that this reply means for the one recipient of its transaction (R15).

    `text` is the text of the reply, with or without the code in front, lines joined by newlines; the outcome contains
    it redacted. A reply about the connection never counts against a recipient: the outcome is Untried.
    Raises ValueError for a code that decides nothing in this phase (250 to RCPT, 354).
    """
    words = _words(code, text)
    response = redact(f"{code} {words}", recipient)
    if phase is Phase.ANSWER and 200 <= code < 300:
        return Sent(response, at_ms=at_ms)
    if not 400 <= code < 600:
        raise ValueError(f"reply {code} in phase {phase.name} decides nothing: expected 4yz or 5yz")
    if phase is not Phase.ANSWER and _is_about_the_connection(phase, code):
        return Untried(response)
    status = enhanced_status(words)
    if code < 500 or _mailbox_is_full(phase, status, words):
        return Deferred(phase, code, status, response, at_ms)
    return Rejected(phase, code, status, response, _is_dead(phase, code, status, words), at_ms)


def enhanced_status(words: str) -> str | None:
    """Return the RFC 3463 status of a reply ("5.1.1"), wherever the server put it; None if there is none."""
    match = _STATUS.search(words)
    return match.group(1) if match else None


def redact(text: str, recipient: str = "") -> str:
    """Return a server's text on one line, without addresses and control characters, at most 500 bytes.

    The recipient's local part is removed as well: "unknown user ana.ruiz" identifies her as her address does.
    """
    clean = _CONTROL.sub(" ", text)
    local, at, _ = recipient.rpartition("@")
    if at:
        clean = re.sub(re.escape(recipient), "[address]", clean, flags=re.IGNORECASE)
    if "@" in clean:
        clean = _ADDRESS.sub("[address]", clean)
    if len(local) > 2:
        clean = re.sub(rf"(?<![\w.]){re.escape(local)}(?!\w)", "[address]", clean, flags=re.IGNORECASE)
    return clean.strip().encode("utf-8", "replace")[:MAX_RESPONSE_BYTES].decode("utf-8", "ignore")


def _words(code: int, text: str) -> str:
    """Join the lines of a reply, without the code that starts each line, and with the status only once."""
    lines = [re.sub(rf"^{code}[ -]?", "", line.strip()) for line in text.splitlines()]
    status = enhanced_status(lines[0]) if lines else None
    if status and len(lines) > 1:
        lines[1:] = [line.removeprefix(status).lstrip() for line in lines[1:]]
    return " ".join(line for line in lines if line)


def _is_about_the_connection(phase: Phase, code: int) -> bool:
    """Return True if the reply concerns the connection. From RCPT on, a 421 counts as an attempt, so retries end."""
    return phase is Phase.CONNECT or code in _UNAUTHENTICATED or (phase is Phase.MAIL and code == 421)


def _mailbox_is_full(phase: Phase, status: str | None, words: str) -> bool:
    """Return True for a full mailbox: servers report it with 5yz codes, but a retry may help."""
    if phase not in (Phase.RCPT, Phase.ANSWER):
        return False
    if status in ("5.2.2", "4.2.2"):
        return True
    is_vague = status is None or status.startswith("5.0.") or status == "5.2.0"
    return is_vague and _FULL.search(words) is not None


def _is_dead(phase: Phase, code: int, status: str | None, words: str) -> bool:
    """Return True if the reply says clearly, by status, phrase or code at RCPT, that the mailbox does not exist."""
    if phase not in (Phase.RCPT, Phase.ANSWER):
        return False
    if status in _DEAD:
        return True
    if phase is Phase.RCPT and _NO_SUCH_USER.search(words) and "sender" not in words.lower():
        return True
    return phase is Phase.RCPT and status is None and code in (550, 551, 553) and not _POLICY.search(words)
