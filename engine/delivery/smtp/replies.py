"""Classify a mail server's reply as an outcome, and remove addresses from its text. Pure."""

import re

from engine.delivery.outcomes import Answered, Deferred, Phase, Rejected, RelayRefusal, Sent, Untried

MAX_RESPONSE_BYTES = 500  # in UTF-8: a slot of the recorder holds it in whole

# The mailbox does not exist and a retry cannot help (RFC 3463 section 3.2; RFC 7505 for 5.1.10, the null MX).
_DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
# The relay wants us to authenticate or to encrypt (RFC 4954 section 6).
_UNAUTHENTICATED = frozenset({530, 534, 535, 538})
# About our credentials, our encryption, our address or our host (RFC 3463 section 3.8, RFC 5248, RFC 7372, Exchange),
# without the class of the status.
_OUR_DETAILS = frozenset(
    {"1.7", "1.8", "7.8", "7.10", "7.11", "7.12", "7.13", "7.14", "7.23", "7.24", "7.25", "7.26", "7.27", "7.54"}
    | {"7.57", "7.64", "7.606", "7.708"}
)
_RESTRICTED_DETAILS = frozenset({"7.121", "7.124", "7.133", "7.134", "7.135", "7.136"})  # of the recipient
# A refusal of MAIL because of the size or the form of this message.
_MESSAGE_CODES = frozenset({552, 555})
_MESSAGE_DETAILS = ("2.3", "3.4", "6.")


def _phrases(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# "550 5.1.1 …", "550-5.1.1 …", and the older "(#5.1.1)" and "#5.1.1" of qmail and its successors.
_STATUS = re.compile(r"(?:^\s*|#)([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_FULL = _phrases(
    r"(?:mail ?box|inbox|account|user|maildir)\b.{0,40}\b(?:full|over ?quota|over (?:its|their|the) )",
    r"over ?quota|quota (?:exceeded|full)|exceed\w* .{0,40}quota|out of storage|insufficient storage",
    r"storage allocation|disk full",
)
_TEMPORARY = _phrases(
    r"gr[ae]y.?list|temporar(?:y|ily)|\b(?:re)?try (?:again |it )?(?:later|in \d)|please (?:re)?try\b",
    r"come back (?:in|later)",
)
_NO_SUCH_USER = _phrases(
    r"(?:no such|unknown|invalid|non-?existent) (?:local )?(?:user|recipient|mailbox|local part|address|account)",
    r"(?:user|recipient|mailbox|account)(?: is)? (?:unknown|not known|not found)",
    r"(?:user|recipient|mailbox|account|address)\b.{0,60}does(?: not|n't) (?:exist|have)",
    r"(?:user|recipient|mailbox|account|address)\b.{0,60}no longer (?:exists?|on server)",
    r"no mailbox (?:here )?by that name|no (?:one|body) (?:here )?by that name",
    r"(?:not listed in|not found in) .{0,40}(?:directory|address book)",
)
# Words for a missing mailbox that servers also use for other reasons: no evidence beside words of `_POLICY`.
_PERHAPS_NO_USER = _phrases(r"mailbox (?:is )?unavailable|unrout[e]?able address|not our (?:user|customer)")
_POLICY = _phrases(
    r"\b(?:spam|spammers?|block(?:ed|list|listed|ing)?|black ?list(?:ed)?|denied|deny|polic(?:y|ies)|reputation|rbl"
    r"|dnsbl|spamhaus|spf|dkim|dmarc|relay(?:ing)?|authenti\w+|not allowed|not permitted|prohibited|banned|abuse"
    r"|rejected due to|content|virus|rdns|reverse dns|ptr|too many|rate|limit(?:ed)?|frequency|sender|restrict\w*)\b",
)
# The relay does not carry our mail until we authenticate, encrypt, or are permitted.
_NO_ACCESS = _phrases(
    r"relay(?:ing)?(?: access)?(?: is)? (?:denied|prohibited|refused|disabled|not (?:permitted|allowed|authori[sz]ed))",
    r"(?:unable|not permitted|not allowed|not authori[sz]ed|refus\w+) to relay|(?:not|cannot|can't|don't) relay\b",
    r"(?:no|open|unauthori[sz]ed) relay(?:ing)?\b|not (?:a|an open) (?:gateway|relay)|\brcpthosts\b",
    r"authenticat(?:e|ion|ed) (?:is |was )?(?:first|required|needed|failed|credentials)|must (?:first )?authenticate",
    r"(?:need|have) to authenticate|please (?:authenticate|log ?in)|not authenticated",
    r"(?:encryption|starttls|\btls)\b.{0,20}\b(?:required|needed|first)|(?:issue|use) (?:a )?starttls",
)
_OUR_IP = r"(?:\bip\b|\bhosts?\b|\bservers?\b|\bclient\b|\bnetwork\b|\[?\d{1,3}(?:\.\d{1,3}){3}\]?)"
_BLOCKED = (
    r"(?:listed|block(?:ed|ing)?|rejected|denied|refused|reputation|(?:black|block) ?list\w*|\bbanned|lista negra)"
)
# The relay does not want our host or our sender's address.
_NOT_US = _phrases(
    rf"{_OUR_IP}.{{0,80}}{_BLOCKED}|{_BLOCKED}\b.{{0,60}}(?:spamhaus|barracuda)",
    r"\b(?:rbl|dnsbl)\b|dynamic ip|generic (?:host|rdns)|reverse (?:dns|host ?name)|\brdns\b|\bptr\b|cannot find your",
    r"(?:bad|invalid|unknown|bogus|forged|rejected|wrong)\b.{0,12}\b[he][eh]lo\b|\b[he][eh]lo\b.{0,40}(?:reject|invalid|not)",
    r"sender(?:'s)? (?:address )?(?:rejected|denied|refused|blocked|verif\w+)|domain of sender|\bspf\b",
    r"too (?:much|many) (?:e?-?mails?|messages|connections|recipients) from",
)
# Refused because of what the recipient permits, in words that would otherwise mean us.
_RESTRICTED = _phrases(r"RESOLVER\.|recipient address rejected: access denied|recipient.{0,40}\bonly accepts?\b")
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"']+@[^\s<>()\[\]:;,\"']+|\"[^\"\s]*\"@\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def classify(
    phase: Phase, code: int, text: str, *, recipient: str = "", at_ms: int = 0
) -> Answered | RelayRefusal | Untried:
    """Return the outcome that this reply means for the one recipient of its transaction (R15).

    `text` is the text of the reply, with or without the code in front, lines joined by newlines; the outcome contains
    it redacted. A reply about the connection never counts against a recipient: the outcome is Untried. A reply about us
    is a RelayRefusal: the caller decides by the replies to other messages. Raises ValueError for a code that decides
    nothing in this phase (250 to RCPT, 354).
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
    is_about_us = phase is not Phase.ANSWER and _is_about_us(phase, code, status, words)
    decided: Deferred | Rejected
    if _may_succeed_later(phase, code, status, words):
        decided = Deferred(phase, code, status, response, at_ms)
    else:
        is_dead = _is_dead(phase, status, words, is_about_us=is_about_us)
        decided = Rejected(phase, code, status, response, is_dead, at_ms)
    if not is_about_us or code == 421:
        return decided
    return RelayRefusal(response, Untried(response) if phase is Phase.MAIL and code in (450, 451) else decided)


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


def refuses_access(reply: str) -> bool:
    """Return True if a reply, in whatever phase, says that the connection is not authenticated or not encrypted."""
    return reply[:3].isdigit() and int(reply[:3]) in _UNAUTHENTICATED


def _is_about_the_connection(phase: Phase, code: int) -> bool:
    """Return True if the reply concerns the connection. From RCPT on, a 421 counts as an attempt, so retries end."""
    return phase is Phase.CONNECT or code in _UNAUTHENTICATED or (phase is Phase.MAIL and code == 421)


def _is_about_us(phase: Phase, code: int, status: str | None, words: str) -> bool:
    """Return True if the reply concerns our access, our host or our sender, and so every message alike."""
    detail = (status or "")[2:]
    if phase is Phase.MAIL:
        return code not in _MESSAGE_CODES and not detail.startswith(_MESSAGE_DETAILS)
    if status in _DEAD or detail in _RESTRICTED_DETAILS or _RESTRICTED.search(words) is not None:
        return False
    return detail in _OUR_DETAILS or _NO_ACCESS.search(words) is not None or _NOT_US.search(words) is not None


def _may_succeed_later(phase: Phase, code: int, status: str | None, words: str) -> bool:
    """Return True for a refusal for now, also one that has the code of a permanent one."""
    if code < 500 or code in _UNAUTHENTICATED or _mailbox_is_full(phase, status, words):
        return True
    if status in _DEAD or _RESTRICTED.search(words):
        return False
    return (_TEMPORARY.search(words) or _NO_ACCESS.search(words)) is not None


def _mailbox_is_full(phase: Phase, status: str | None, words: str) -> bool:
    """Return True for a full mailbox: servers report it with 5yz codes, but a retry may help."""
    if phase not in (Phase.RCPT, Phase.ANSWER):
        return False
    if status in ("5.2.2", "4.2.2"):
        return True
    is_vague = status is None or status.startswith("5.0.") or status == "5.2.0"
    return is_vague and _FULL.search(words) is not None


def _is_dead(phase: Phase, status: str | None, words: str, *, is_about_us: bool) -> bool:
    """Return True if a status or a known phrase proves that the mailbox does not exist: a bare 550 proves nothing."""
    if phase not in (Phase.RCPT, Phase.ANSWER):
        return False
    if status in _DEAD:
        return True
    if phase is Phase.ANSWER or is_about_us or "sender" in words.lower():
        return False
    if _NO_SUCH_USER.search(words):
        return True
    return status is None and _PERHAPS_NO_USER.search(words) is not None and not _POLICY.search(words)
