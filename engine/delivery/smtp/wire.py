"""One non-blocking connection, in clear or under TLS: writes never block, reads never wait."""

import errno
import socket
import ssl
from typing import Protocol

from engine.delivery.smtp.readiness import BROKEN, READ, WRITE, Readiness
from engine.delivery.smtp.relay import Address

_TALKATIVE = READ | BROKEN
_CHUNK = 4_096  # replies are short, and the kernel's copy is cut to size at each read
# A TLS record holds 16 KB; handing OpenSSL one at a time tells exactly which bytes are on their way.
_RECORD = 16_384


class Lost(Exception):
    """The connection is of no more use; the cause, where there is one, says why."""


class Owner(Protocol):
    """Who speaks over a wire."""

    def connected(self) -> None:
        """The connection stands (and TLS with it, if that was asked for)."""

    def arrived(self, data: bytes) -> None:
        """Take what came in; b"" is the end of the stream."""

    def flushed(self) -> None:
        """What had to wait has all been handed to the kernel."""


class Wire:
    """A socket whose readiness is watched; `turn` does what that allows and calls the owner.

    `unsent` is how many of the written bytes the kernel has not taken yet.
    """

    __slots__ = ("_fd", "_handshaking", "_mask", "_out", "_readiness", "_sock", "_tls", "owner", "unsent")

    def __init__(self, readiness: Readiness, address: Address, owner: Owner) -> None:
        """Start connecting; `owner.connected` follows. Raises Lost when that fails at once."""
        self.owner = owner
        self.unsent = 0
        self._readiness = readiness
        self._sock = socket.socket(address[0], socket.SOCK_STREAM)
        self._fd = self._sock.fileno()
        self._out = memoryview(b"")
        self._tls: ssl.SSLSocket | None = None
        self._handshaking = True
        self._mask = WRITE
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failed = self._sock.connect_ex(address[1])
        if failed not in (0, errno.EINPROGRESS):
            self._sock.close()
            raise Lost from OSError(failed, errno.errorcode.get(failed, "cannot connect"))
        readiness.add(self._fd, WRITE, self)

    @property
    def is_secure(self) -> bool:
        """Whether TLS is in place."""
        return self._tls is not None

    @property
    def is_open(self) -> bool:
        """False once closed."""
        return self._fd >= 0

    @property
    def local_address(self) -> str:
        """Our own end, for an EHLO by address literal (RFC 5321 section 4.1.3)."""
        return str(self._sock.getsockname()[0])

    def turn(self, mask: int) -> None:
        """Do what the readiness in `mask` allows. Raises Lost when the connection broke."""
        if self._handshaking:
            self._shake_hands()
            return
        # Reading comes first: a server that gives up in mid-body says why before it closes.
        if self._tls is not None:
            self._receive_all()
        elif mask & _TALKATIVE:
            try:
                data = self._sock.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                raise Lost from error
            self.owner.arrived(data)
        if self.unsent and self.is_open:
            self._send()
            if not self.unsent:
                self._watch(READ)
                self.owner.flushed()

    def write(self, data: bytes) -> None:
        """Send `data`: now what the kernel takes, the rest from `turn`. Raises Lost."""
        if self.unsent:
            self._keep(memoryview(b"".join((self._out, data))))
        elif self._tls is not None:
            self._keep(memoryview(data))
            self._send()
        else:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise Lost from error
            if sent < len(data):
                self._keep(memoryview(data)[sent:])
                self._watch(READ | WRITE)

    def last_words(self) -> bytes:
        """What the other side had said before the connection broke; never raises."""
        try:
            return self._sock.recv(_CHUNK)
        except OSError:
            return b""

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Turn to TLS; `owner.connected` follows, or Lost from `turn`."""
        self._sock = self._tls = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._handshaking = True
        self._watch(WRITE)

    def close(self) -> None:
        """Be watched no more and close; safe to call twice."""
        if self._fd >= 0:
            self._readiness.remove(self._fd)
            self._sock.close()
            self._fd = -1

    def _shake_hands(self) -> None:
        if failed := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise Lost from OSError(failed, errno.errorcode.get(failed, "cannot connect"))
        try:
            if self._tls is not None:
                self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
        except OSError as error:
            raise Lost from error
        else:
            self._handshaking = False
            self._watch(READ)
            self.owner.connected()

    def _receive_all(self) -> None:
        """Claimant over everything there is, for the kernel cannot see what OpenSSL holds back."""
        while self._fd >= 0 and not self._handshaking:
            try:
                data = self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except ssl.SSLWantWriteError:
                self._watch(READ | WRITE)
                return
            except OSError as error:
                raise Lost from error
            self.owner.arrived(data)
            if not data:
                return

    def _send(self) -> None:
        try:
            while self._out:
                sent = self._sock.send(self._out[:_RECORD] if self._tls is not None else self._out)
                self._keep(self._out[sent:])
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._watch(READ | WRITE)
        except ssl.SSLWantReadError:
            self._watch(READ)  # not for WRITE as well: it would be ready at once, for ever
        except OSError as error:
            raise Lost from error

    def _keep(self, rest: memoryview) -> None:
        self._out = rest
        self.unsent = len(rest)

    def _watch(self, mask: int) -> None:
        if mask != self._mask:
            self._readiness.change(self._fd, mask)
            self._mask = mask
