"""A mail server: its address and security from a URL, the limits of its use, and why it is unavailable."""

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypedDict
from urllib.parse import parse_qs, unquote, urlsplit

from engine.delivery.smtp.wire import Address
from errors import InvalidInput, Unavailable
from setting_types import encoding_hint

StartTls = Literal["required", "optional", "off"]

_STARTTLS: dict[str, StartTls] = {"required": "required", "optional": "optional", "off": "off"}
_PORTS = {"smtp": 587, "smtps": 465, "lmtp": 24}
_OPTIONS = frozenset({"starttls", "auth", "ca", "helo"})


class Reason(StrEnum):
    """Reasons for which a relay cannot be used; each has a different remedy."""

    RESOLVE = "its name does not resolve"
    CONNECT = "no connection"
    TIMEOUT = "no answer in time"
    DROPPED = "it closed the connection"
    GREETING = "it refused the connection"
    HELLO = "it refused EHLO"
    TLS_MISSING = "TLS is required but not offered"
    TLS = "TLS failed"
    CERTIFICATE = "its certificate was not accepted"
    AUTH = "it refused the credentials"
    AUTH_UNSAFE = "credentials may not be sent in clear"
    NOT_SMTP = "it does not speak SMTP"
    REFUSED = "it refuses our mail"
    BUSY = "it takes no mail from us for now"
    PAUSED = "it failed a moment ago"


class RelayUnavailable(Unavailable):
    """The relay cannot be used now. No message was tried, so none is charged an attempt.

    `code` is that of the server's reply, None without one. `retry_after_s` is how long to wait before a new try.
    """

    def __init__(
        self, reason: Reason, detail: str = "", *, code: int | None = None, retry_after_s: float = 1.0
    ) -> None:
        self._what = f"{reason} ({detail})" if detail else str(reason)
        super().__init__(f"mail relay unavailable: {self._what}")
        self.reason = reason
        self.code = code
        self.retry_after_s = retry_after_s

    def of(self, name: str) -> "RelayUnavailable":
        """Put the relay's name into the message; return the error."""
        self.args = (f"mail relay {name} unavailable: {self._what}",)
        return self


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the connections to one relay, and timeouts (RFC 5321 section 4.5.3.2)."""

    connections: int = 4
    messages_per_connection: int = 1_000
    idle_s: float = 60.0
    connect_timeout_s: float = 30.0
    command_timeout_s: float = 300.0
    dot_timeout_s: float = 600.0
    pause_s: float = 1.0  # after a failure of the relay; doubled after each further one, up to thirty times


@dataclass(frozen=True, slots=True)
class Relay:
    """The address of one mail server, from a URL. The password never appears in a repr or an error."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    implicit_tls: bool = False
    starttls: StartTls = "required"
    plaintext_auth: bool = False
    lmtp: bool = False
    ca_file: Path | None = None
    helo: str | None = None

    @classmethod
    def from_url(cls, url: str) -> "Relay":
        """Parse `smtp://user:password@host:port?starttls=required|optional|off`, `smtps://…` or `lmtp://…`.

        Without `starttls`, TLS is required, except on this machine. Further options: `ca=/path.pem` (trust only this
        authority), `helo=our.name`, `auth=plaintext` (credentials in clear, loopback only). Raises InvalidInput that
        names the wrong part.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            part = "port" if "ort" in str(error) else "host"
            raise _fault(part, f"not a valid host and port{encoding_hint(url)}") from None
        if parts.scheme not in _PORTS:
            raise _fault("scheme", "expected smtp, smtps or lmtp")
        if not parts.hostname:
            raise _fault("host", "missing: expected smtp://host:port")
        if parts.path not in ("", "/") or parts.fragment:
            raise _fault("path", f"a relay has none: expected smtp://host:port?options{encoding_hint(url)}")
        if (parts.username is None) != (parts.password is None):
            raise _fault("user", "user and password belong together: expected smtp://user:password@host")
        relay = cls(
            parts.hostname,
            port or _PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username is not None else None,
            password=unquote(parts.password) if parts.password is not None else None,
            implicit_tls=parts.scheme == "smtps",
            lmtp=parts.scheme == "lmtp",
            **_options(parts.query, parts.hostname),
        )
        return relay._checked()

    @property
    def is_loopback(self) -> bool:
        """Return True if the relay is this machine, so that nothing crosses a network."""
        return _is_loopback(self.host)

    def tls_context(self) -> ssl.SSLContext:
        """Return the context that verifies the certificate and its name; created once for each process."""
        return _tls_context(self.ca_file)

    def addresses(self) -> list[Address]:
        """Return the socket addresses of the host, in the order to try. Blocks on DNS. Raises RelayUnavailable."""
        try:
            addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise RelayUnavailable(Reason.RESOLVE, str(error.strerror)) from error
        return [(family, address) for family, _, _, _, address in addresses]

    def _checked(self) -> "Relay":
        if self.plaintext_auth and not self.is_loopback:
            raise _fault("auth", "plaintext is for this machine only: use TLS")
        if self.user and self.starttls == "off" and not (self.implicit_tls or self.plaintext_auth):
            raise _fault("starttls", "credentials need TLS: expected starttls=required")
        return self


class _Options(TypedDict):
    starttls: StartTls
    plaintext_auth: bool
    ca_file: Path | None
    helo: str | None


def _options(query: str, host: str) -> _Options:
    options = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if unknown := options.keys() - _OPTIONS:
        raise _fault("options", f"unknown option {min(unknown)!r}: expected {', '.join(sorted(_OPTIONS))}")
    starttls = options.get("starttls", "optional" if _is_loopback(host) else "required")
    if starttls not in _STARTTLS:
        raise _fault("starttls", "expected required, optional or off")
    if options.get("auth", "plaintext") != "plaintext":
        raise _fault("auth", "expected plaintext, or leave it out")
    helo = options.get("helo") or None
    if helo and not re.fullmatch(r"[\w.:\[\]-]+", helo, re.ASCII):
        raise _fault("helo", "expected a host name in ASCII")
    ca = options.get("ca")
    return {
        "starttls": _STARTTLS[starttls],
        "plaintext_auth": "auth" in options,
        "ca_file": Path(ca) if ca else None,
        "helo": helo,
    }


@lru_cache
def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError):
        raise _fault("ca", "not a readable PEM file of certificates") from None
    if ca_file:
        # Python 3.13 demands the extensions of RFC 5280, which many private authorities leave out. The operator chose
        # this authority, and nothing else is trusted, so its form proves nothing more.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _fault(part: str, message: str) -> InvalidInput:
    return InvalidInput.of(f"smtp_url.{part}", message)
