"""The SMTP handshake: TCP, banner, EHLO, STARTTLS and AUTH, without blocking."""

import base64
import socket
import ssl
import time
from collections.abc import Generator
from selectors import BaseSelector
from typing import Final, NamedTuple

from engine.delivery.outcomes import Phase, Rejected
from engine.delivery.smtp import replies
from engine.delivery.smtp.relay import Reason, Relay, RelayUnavailable
from engine.delivery.smtp.reply_parser import Features, InvalidReply, ReplyParser, parse_features
from engine.delivery.smtp.wire import Address, ConnectionLost, Wire


class _StartTls:
    """The type of the value that the dialogue yields to start TLS."""


_START_TLS: Final = _StartTls()
_Reply = tuple[int, bytes]
_Dialogue = Generator[bytes | _StartTls, _Reply, Features]


class Trial(NamedTuple):
    """The addresses, as written in commands, of an e-mail that a relay is asked to take, and that is not sent."""

    mail_from: str
    recipient: str


class Handshake:
    """A connection being opened; owner of its wire until `features` is set, which means that it takes mail."""

    def __init__(
        self,
        relay: Relay,
        selector: BaseSelector,
        *,
        addresses: list[Address],
        timeout_s: float,
        trial: Trial | None = None,
    ) -> None:
        """Connect to the first address that accepts. Raises RelayUnavailable if none does."""
        self.features: Features | None = None
        self._relay = relay
        self._selector = selector
        self._addresses = list(addresses)
        self._timeout_s = timeout_s
        self._trial = trial
        self._parser = ReplyParser()
        self._dialogue = self._run_dialogue()
        self._is_connected = False
        self._is_starting_tls = False
        self._deadline = 0.0
        self._connect(ConnectionLost())

    def connected(self) -> None:
        """Continue after TCP or TLS was set up."""
        self._is_connected = True
        self._is_starting_tls = False
        if self._relay.implicit_tls and not self.wire.is_secure:
            self.wire.start_tls(self._relay.tls_context(), self._relay.host)
        else:
            self._continue(None)

    def received(self, data: bytes) -> None:
        """Handle replies of the server. Raises RelayUnavailable if the handshake fails."""
        if not data:
            raise RelayUnavailable(Reason.DROPPED)
        try:
            for reply in self._parser.feed(data):
                self._refuse_early_data()
                self._continue(reply)
        except InvalidReply as error:
            raise RelayUnavailable(Reason.NOT_SMTP, str(error)) from error
        if not self._parser.is_between_replies:
            self._refuse_early_data()

    def flushed(self) -> None:
        """Do nothing: the dialogue continues on replies."""

    def is_overdue(self, now: float) -> bool:
        """Return True if the handshake takes longer than its timeout."""
        return now > self._deadline

    def lost(self, error: ConnectionLost) -> None:
        """Connect to the next address, or raise RelayUnavailable if there is none or the relay had accepted."""
        self.wire.close()
        if self._is_connected:
            raise _unavailable(error) from error
        self._connect(error)

    def _connect(self, error: ConnectionLost) -> None:
        while self._addresses:
            self._deadline = time.monotonic() + self._timeout_s
            try:
                self.wire = Wire(self._selector, self._addresses.pop(0), self)
            except ConnectionLost as failure:
                error = failure
            else:
                return
        raise _unavailable(error) from error

    def _continue(self, reply: _Reply | None) -> None:
        if self.features is not None:
            raise InvalidReply("a reply to no command")
        try:
            step = self._dialogue.send(reply) if reply else next(self._dialogue)
        except StopIteration as done:
            self.features = done.value
            return
        if isinstance(step, bytes):
            self.wire.write(step)
        else:
            self._is_starting_tls = True
            self.wire.start_tls(self._relay.tls_context(), self._relay.host)

    def _refuse_early_data(self) -> None:
        """Refuse clear text after the reply to STARTTLS, because TLS does not protect it (CVE-2011-0411)."""
        if self._is_starting_tls:
            raise RelayUnavailable(Reason.TLS, "data before the handshake")

    def _run_dialogue(self) -> _Dialogue:
        _require(Reason.GREETING, (yield b""))
        features = yield from self._ehlo()
        if not self.wire.is_secure and self._relay.starttls != "off":
            if features.starttls:
                _require(Reason.TLS, (yield b"STARTTLS\r\n"))
                yield _START_TLS
                features = yield from self._ehlo()
            elif self._relay.starttls == "required":
                raise RelayUnavailable(Reason.TLS_MISSING)
        if self._relay.user is not None and self._relay.password is not None:
            yield from self._authenticate(features, self._relay.user, self._relay.password)
        if self._trial is not None:
            yield from self._try(self._trial, features)
        return features

    def _try(self, trial: Trial, features: Features) -> _Dialogue:
        """Ask the relay to take an e-mail, and reset. A recipient who does not exist is no fault of the relay."""
        for phase, command in (
            (Phase.MAIL, f"MAIL FROM:<{trial.mail_from}>\r\n"),
            (Phase.RCPT, f"RCPT TO:<{trial.recipient}>\r\n"),
        ):
            code, text = yield command.encode()
            if 200 <= code < 300:
                continue
            words = text.decode("utf-8", "replace")
            outcome = replies.classify(phase, code, words) if code >= 400 else None
            if not (isinstance(outcome, Rejected) and outcome.dead_address):
                reason = Reason.REFUSED if code >= 500 else Reason.BUSY
                raise RelayUnavailable(reason, f"{phase.name}: {replies.redact(words)}", code=code)
        yield b"RSET\r\n"
        return features

    def _ehlo(self) -> _Dialogue:
        verb = b"LHLO" if self._relay.lmtp else b"EHLO"
        name = (self._relay.helo or _client_name(self.wire.local_address)).encode("ascii")
        code, text = yield b"%s %s\r\n" % (verb, name)
        if code in (500, 502) and not self._relay.lmtp:  # servers older than RFC 1869 (1995) still exist
            _require(Reason.HELLO, (yield b"HELO %s\r\n" % name))
            return Features()
        _require(Reason.HELLO, (code, text))
        return parse_features(text, is_lmtp=self._relay.lmtp)

    def _authenticate(self, features: Features, user: str, password: str) -> _Dialogue:
        if not self.wire.is_secure and not self._relay.plaintext_auth:
            raise RelayUnavailable(Reason.AUTH_UNSAFE, "starttls is not offered")
        if "PLAIN" in features.auth:
            token = _base64(f"\0{user}\0{password}")
            _require(Reason.AUTH, (yield b"AUTH PLAIN %s\r\n" % token))
        elif "LOGIN" in features.auth:
            _require(Reason.AUTH, (yield b"AUTH LOGIN\r\n"), (334,))
            _require(Reason.AUTH, (yield _base64(user) + b"\r\n"), (334,))
            _require(Reason.AUTH, (yield _base64(password) + b"\r\n"))
        else:
            raise RelayUnavailable(Reason.AUTH, "it offers neither AUTH PLAIN nor AUTH LOGIN")
        return features


def _require(reason: Reason, reply: _Reply, codes: tuple[int, ...] = (220, 235, 250)) -> None:
    code, text = reply
    if code not in codes:
        raise RelayUnavailable(reason, replies.redact(text.decode("ascii", "replace")), code=code)


def _unavailable(error: ConnectionLost) -> RelayUnavailable:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RelayUnavailable(Reason.CERTIFICATE, str(cause.verify_message))
    if isinstance(cause, ssl.SSLError):
        return RelayUnavailable(Reason.TLS, str(cause.reason or cause.strerror))
    if isinstance(cause, TimeoutError):
        return RelayUnavailable(Reason.TIMEOUT)
    return RelayUnavailable(Reason.CONNECT, str(getattr(cause, "strerror", None) or error))


def _client_name(address: str) -> str:
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())
