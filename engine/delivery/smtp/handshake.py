"""From a TCP connection to one that takes mail: banner, EHLO, STARTTLS, AUTH, without ever blocking."""

import base64
import socket
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from engine.delivery import replies
from engine.delivery.smtp.readiness import Readiness
from engine.delivery.smtp.relay import Address, Reason, Relay, RelayUnavailable
from engine.delivery.smtp.reply_parser import Garbage, Reader
from engine.delivery.smtp.wire import Lost, Wire


@dataclass(frozen=True, slots=True)
class Features:
    """What the server announced in its answer to EHLO."""

    pipelining: bool = False  # RFC 2920
    eight_bit: bool = False  # 8BITMIME, RFC 6152
    smtputf8: bool = False  # RFC 6531
    has_size: bool = False  # RFC 1870
    max_size: int = 0  # bytes; 0 is no limit
    starttls: bool = False
    auth: frozenset[str] = frozenset()
    is_lmtp: bool = False  # RFC 2033


class _Secure:
    """What the dialogue yields where TLS has to start."""


_SECURE: Final = _Secure()
_Reply = tuple[int, bytes]
_Dialogue = Generator[bytes | _Secure, _Reply, Features]


class Opening:
    """A connection on its way; `features` is set once it takes mail. Owner of its wire until then."""

    def __init__(
        self,
        relay: Relay,
        readiness: Readiness,
        *,
        addresses: list[Address],
        timeout_s: float,
    ) -> None:
        """Start on the first address that lets us. Raises RelayUnavailable when none does."""
        self.features: Features | None = None
        self._relay = relay
        self._readiness = readiness
        self._addresses = list(addresses)
        self._timeout_s = timeout_s
        self._reader = Reader()
        self._dialogue = self._introduce()
        self._stands = False
        self._is_securing = False
        self._deadline = 0.0
        self._dial(Lost())

    def connected(self) -> None:
        """TCP, or TLS, stands: go on with what comes after it."""
        self._stands = True
        self._is_securing = False
        if self._relay.implicit_tls and not self.wire.is_secure:
            self.wire.start_tls(self._relay.tls_context(), self._relay.host)
        else:
            self._go_on(None)

    def arrived(self, data: bytes) -> None:
        """Take the server's part of the dialogue. Raises RelayUnavailable when it ends badly."""
        if not data:
            raise RelayUnavailable(Reason.DROPPED)
        try:
            for reply in self._reader.feed(data):
                self._refuse_early_words()
                self._go_on(reply)
        except Garbage as error:
            raise RelayUnavailable(Reason.GARBAGE, str(error)) from error
        if not self._reader.is_between_replies:
            self._refuse_early_words()

    def flushed(self) -> None:
        """Nothing waits for this: the dialogue moves by replies."""

    def is_overdue(self, now: float) -> bool:
        """Whether this takes longer than it may."""
        return now > self._deadline

    def lost(self, error: Lost) -> None:
        """The wire broke: dial the next address, or raise RelayUnavailable."""
        self.wire.close()
        if self._stands:
            raise _unavailable(error) from error
        self._dial(error)

    def _dial(self, error: Lost) -> None:
        while self._addresses:
            self._deadline = time.monotonic() + self._timeout_s
            try:
                self.wire = Wire(self._readiness, self._addresses.pop(0), self)
            except Lost as failure:
                error = failure
            else:
                return
        raise _unavailable(error) from error

    def _go_on(self, reply: _Reply | None) -> None:
        if self.features is not None:
            raise Garbage("a reply to nothing")
        try:
            step = self._dialogue.send(reply) if reply else next(self._dialogue)
        except StopIteration as done:
            self.features = done.value
            return
        if isinstance(step, bytes):
            self.wire.write(step)
        else:
            self._is_securing = True
            self.wire.start_tls(self._relay.tls_context(), self._relay.host)

    def _refuse_early_words(self) -> None:
        """What comes in clear behind the reply to STARTTLS must not count as said under TLS (CVE-2011-0411)."""
        if self._is_securing:
            raise RelayUnavailable(Reason.TLS, "data before the handshake")

    def _introduce(self) -> _Dialogue:
        _demand(Reason.GREETING, (yield b""))
        features = yield from self._hello()
        if not self.wire.is_secure and self._relay.starttls != "off":
            if features.starttls:
                _demand(Reason.TLS, (yield b"STARTTLS\r\n"))
                yield _SECURE
                features = yield from self._hello()
            elif self._relay.starttls == "required":
                raise RelayUnavailable(Reason.TLS_MISSING)
        if self._relay.user is not None and self._relay.password is not None:
            yield from self._authenticate(features, self._relay.user, self._relay.password)
        return features

    def _hello(self) -> _Dialogue:
        verb = b"LHLO" if self._relay.lmtp else b"EHLO"
        name = (self._relay.helo or _own_name(self.wire.local_address)).encode("ascii")
        code, text = yield b"%s %s\r\n" % (verb, name)
        if code in (500, 502) and not self._relay.lmtp:  # older than 1995, and still met
            _demand(Reason.HELLO, (yield b"HELO %s\r\n" % name))
            return Features()
        _demand(Reason.HELLO, (code, text))
        return _announced(text, is_lmtp=self._relay.lmtp)

    def _authenticate(self, features: Features, user: str, password: str) -> _Dialogue:
        if not self.wire.is_secure and not self._relay.plaintext_auth:
            raise RelayUnavailable(Reason.AUTH_UNSAFE, "starttls is not offered")
        if "PLAIN" in features.auth:
            token = _encoded(f"\0{user}\0{password}")
            _demand(Reason.AUTH, (yield b"AUTH PLAIN %s\r\n" % token))
        elif "LOGIN" in features.auth:
            _demand(Reason.AUTH, (yield b"AUTH LOGIN\r\n"), (334,))
            _demand(Reason.AUTH, (yield _encoded(user) + b"\r\n"), (334,))
            _demand(Reason.AUTH, (yield _encoded(password) + b"\r\n"))
        else:
            raise RelayUnavailable(Reason.AUTH, "it offers neither AUTH PLAIN nor AUTH LOGIN")
        return features


def _announced(text: bytes, *, is_lmtp: bool) -> Features:
    lines = text.decode("ascii", "replace").upper().splitlines()
    words = {parts[0]: parts[1:] for line in lines[1:] if (parts := line[4:].split())}
    size = words.get("SIZE", [])
    return Features(
        pipelining="PIPELINING" in words,
        eight_bit="8BITMIME" in words,
        smtputf8="SMTPUTF8" in words,
        has_size="SIZE" in words,
        max_size=int(size[0]) if size and size[0].isdigit() else 0,
        starttls="STARTTLS" in words,
        auth=frozenset(words.get("AUTH", [])),
        is_lmtp=is_lmtp,
    )


def _demand(reason: Reason, reply: _Reply, codes: tuple[int, ...] = (220, 235, 250)) -> None:
    code, text = reply
    if code not in codes:
        raise RelayUnavailable(reason, replies.redact(text.decode("ascii", "replace")), code=code)


def _unavailable(error: Lost) -> RelayUnavailable:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RelayUnavailable(Reason.CERTIFICATE, str(cause.verify_message))
    if isinstance(cause, ssl.SSLError):
        return RelayUnavailable(Reason.TLS, str(cause.reason or cause.strerror))
    if isinstance(cause, TimeoutError):
        return RelayUnavailable(Reason.TIMEOUT)
    return RelayUnavailable(Reason.CONNECT, str(getattr(cause, "strerror", None) or error))


def _own_name(address: str) -> str:
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _encoded(text: str) -> bytes:
    return base64.b64encode(text.encode())
