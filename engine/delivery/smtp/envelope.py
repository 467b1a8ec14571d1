"""A letter and what is said about it on the wire: MAIL, RCPT, and its body made transparent."""

import re
from dataclasses import dataclass
from functools import lru_cache

import idna

from engine.delivery.outcomes import Phase, Rejected, Untried
from engine.delivery.smtp.opening import Features

# RFC 5321 section 4.1.2 without quoted local parts: nothing that could end a command or open another.
_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f-\xa0<>\"\\,;:@]+@[^\s\x00-\x20\x7f-\xa0<>\"\\,;@]+")
_MAX_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
# A dot after any line end, bare LF included: servers that take one for the end of a message must not be
# given the chance (SMTP smuggling). A regular expression finds it twice as fast as `in` does.
_DOT_AT_LINE_START = re.compile(rb"\n\.")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message for one recipient; `slot` is its place in the group, 0 to n - 1.

    `data` is the whole RFC 5322 message, every line ended by CRLF, not dot-stuffed.
    """

    slot: int
    recipient: str
    data: bytes


class CannotSend(Exception):
    """This letter cannot go over this connection; `outcome` is what that makes of it."""

    def __init__(self, outcome: Rejected | Untried) -> None:
        super().__init__(outcome.response)
        self.outcome = outcome


class Envelope:
    """What MAIL and RCPT say for letters of one sender."""

    __slots__ = ("_needs_utf8", "_path")

    def __init__(self, mail_from: str) -> None:
        """Raises ValueError for an address that cannot stand in a command; "" is the null sender."""
        self._path = address_bytes(mail_from) if mail_from else b""
        self._needs_utf8 = not self._path.isascii()

    def commands(self, letter: Letter, features: Features) -> tuple[bytes, bytes]:
        """The MAIL and RCPT commands for `letter`, CRLF included. Raises CannotSend."""
        try:
            recipient = address_bytes(letter.recipient)
        except ValueError as error:
            raise CannotSend(_rejected(553, "5.1.3", str(error), dead=True)) from None
        return self._mail(letter, recipient, features), b"RCPT TO:<%b>\r\n" % recipient

    def _mail(self, letter: Letter, recipient: bytes, features: Features) -> bytes:
        command = b"MAIL FROM:<%b>" % self._path
        if features.has_size:
            if 0 < features.max_size < len(letter.data):
                raise CannotSend(_rejected(552, "5.3.4", f"message over {features.max_size} bytes"))
            command += b" SIZE=%d" % len(letter.data)
        if not letter.data.isascii():
            if not features.eight_bit:
                # Composed for a server that takes 8-bit bodies; composed again, it will fit this one.
                raise CannotSend(Untried("the relay takes no 8-bit body"))
            command += b" BODY=8BITMIME"
        if self._needs_utf8 or not recipient.isascii():
            if not features.smtputf8:
                raise CannotSend(_rejected(553, "5.6.7", "the relay takes no address outside ASCII"))
            command += b" SMTPUTF8"
        return command + b"\r\n"


def address_bytes(address: str) -> bytes:
    """An address as it goes on the wire, an internationalised domain as punycode.

    Raises ValueError (the address is not in its text) for one that has no place in a command.
    """
    if len(address) > _MAX_ADDRESS or _ADDRESS.fullmatch(address) is None:
        raise ValueError("address: not of the form local@domain without spaces or control characters")
    if address.isascii():
        return address.encode("ascii")
    local, _, domain = address.rpartition("@")
    return f"{local}@{_punycode(domain)}".encode()


def transparent(data: bytes, behind: bytes = b"") -> bytes:
    """`data` with every leading dot doubled, the end-of-mail line, and `behind` after it, in one copy.

    RFC 5321 section 4.5.2.
    """
    if _DOT_AT_LINE_START.search(data) is not None:
        data = data.replace(b"\n.", b"\n..")
    dot = b"." if data.startswith(b".") else b""
    end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
    return b"".join((dot, data, end, behind))


@lru_cache(maxsize=1_024)
def _punycode(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError("address: its domain is not a valid international name") from None


def _rejected(code: int, status: str, why: str, *, dead: bool = False) -> Rejected:
    return Rejected(Phase.MAIL, code, status, f"{code} {status} {why}", dead_address=dead)
