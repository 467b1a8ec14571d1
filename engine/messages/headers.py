"""Write header fields: encoded, folded, and safe from injection (rule R28)."""

import re
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import NamedTuple

import idna

LINE_CHARS = 76  # a line with an encoded word, RFC 2047 section 2
ADDRESS_OCTETS_MAX = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
LINE_CHARS_MAX = 998  # RFC 5322 section 2.1.1

_WORD_BEGIN, _WORD_END = "=?utf-8?b?", "?="
_WORD_CHARS = len(_WORD_BEGIN) + len(_WORD_END)
_WORD_BYTES = (LINE_CHARS - 1 - _WORD_CHARS) // 4 * 3  # on a line of its own
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII)
# RFC 6531 section 3.3: a dot-atom that may hold any character outside ASCII.
_INTERNATIONAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~\x80-\U0010ffff-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII)
_MESSAGE_ID = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.\-\[\]:]+", re.ASCII)
_ATOMS = re.compile(r"[\w!#$%&'*+/=?^`{|}~ -]*", re.ASCII)


class Mailbox(NamedTuple):
    """An address and its display name."""

    address: str
    name: str = ""


def mailbox(text: str) -> Mailbox:
    """Return the mailbox in `Name <address>` or `address`; raise ValueError if it is neither."""
    name, address = parseaddr(text)
    if CONTROL.search(text) or not _ADDRESS.fullmatch(address):
        raise ValueError("is not a mailbox: address or Name <address> is needed")
    return Mailbox(address, name)


def address_field(name: str, address: str, display_name: str = "") -> str:
    """Return a From, To or Reply-To line of one mailbox; raise ValueError if it is not a single address.

    A domain outside ASCII becomes punycode; a local part outside ASCII is kept, for SMTPUTF8 (RFC 6532).
    """
    if not _ADDRESS.fullmatch(address):
        address = _international(name, address)
    words = _clean(name, display_name).split()
    if not words:
        return f"{name}: {address}"
    phrase = _phrase(" ".join(words), len(name) + 2)
    line = f"{name}: {phrase} <{address}>"
    return line if len(line) <= LINE_CHARS or _ends_with_room(line) else f"{name}: {phrase}\r\n <{address}>"


def _ends_with_room(line: str) -> bool:
    return "\n" in line and len(line) - line.rfind("\n") - 1 <= LINE_CHARS


def _international(name: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    try:
        text = f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        raise ValueError(f"{name}: is not one plain address") from None
    octets = len(text.encode("utf-8", "replace"))
    if not _INTERNATIONAL.fullmatch(text) or not text.isprintable() or octets > ADDRESS_OCTETS_MAX:
        raise ValueError(f"{name}: is not one plain address")
    return text


def text_field(name: str, value: str) -> str:
    """Return a line of free text such as Subject, encoded and folded as needed (RFC 2047, RFC 5322 section 2.2.3).

    White space becomes single spaces. Raise ValueError for a control character.
    """
    words = _clean(name, value).split()
    line = f"{name}: {' '.join(words)}"
    if line.isascii() and "=?" not in line:
        return line if len(line) <= LINE_CHARS else _folded(name, words)
    return f"{name}: {_encoded(' '.join(words), len(name) + 2)}"


def message_id_field(message_id: str) -> str:
    """Return the Message-ID line of a `left@right` without angle brackets."""
    if len(message_id) > 250 or not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("Message-ID: is not left@right in ASCII")
    return f"Message-ID: <{message_id}>"


def url_field(name: str, url: str) -> str:
    """Return a line with one <url>, never encoded or folded."""
    if not url.isascii() or " " in url or not url.isprintable() or len(url) + len(name) + 4 > LINE_CHARS_MAX:
        raise ValueError(f"{name}: is not an address in printable ASCII that fits one line")
    return f"{name}: <{url}>"


def date_field(now: datetime) -> str:
    """Return the Date line, in UTC."""
    return _date(int(now.timestamp()))


@lru_cache(maxsize=16)
def _date(second: int) -> str:
    return f"Date: {format_datetime(datetime.fromtimestamp(second, UTC))}"


def _clean(name: str, value: str) -> str:
    if not value.isprintable() and CONTROL.search(value):
        raise ValueError(f"{name}: contains a line break or control character")
    return value


def _phrase(display_name: str, used: int) -> str:
    if display_name.isascii() and "=?" not in display_name and len(display_name) + used < LINE_CHARS:
        if _ATOMS.fullmatch(display_name):
            return display_name
        escaped = display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return _encoded(display_name, used)


def _folded(name: str, words: Sequence[str]) -> str:
    """Return the line folded between its ASCII words; encoded if a word fills a line."""
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 2 <= LINE_CHARS:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if max(map(len, lines)) >= LINE_CHARS:
        return f"{name}: {_encoded(' '.join(words), len(name) + 2)}"
    return "\r\n ".join(lines)


def _encoded(text: str, used: int) -> str:
    """Return encoded words of whole characters (RFC 2047 section 5), one per line, each within its line."""
    data = text.encode("utf-8")
    room = max((LINE_CHARS - used - _WORD_CHARS) // 4 * 3, 4)
    words = ""
    at = 0
    while len(data) - at > room:
        end = at + room
        while data[end] & 0xC0 == 0x80:
            end -= 1
        words += f"{_word(data[at:end])}\r\n "
        at, room = end, _WORD_BYTES
    return words + _word(data[at:])


def _word(data: bytes) -> str:
    return f"{_WORD_BEGIN}{b2a_base64(data, newline=False).decode('ascii')}{_WORD_END}"
