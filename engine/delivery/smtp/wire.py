"""One non-blocking connection, in clear or under TLS: writes never block, reads never wait."""

import errno
import selectors
import socket
import ssl
from typing import Protocol

from engine.delivery.smtp.relay import Address

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_CHUNK = 65_536
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
    """A socket in a selector; `turn` does what its readiness allows and calls the owner."""

    __slots__ = ("_fd", "_handshaking", "_mask", "_out", "_selector", "_sock", "_tls", "owner")

    def __init__(self, selector: selectors.BaseSelector, address: Address, owner: Owner) -> None:
        """Start connecting; `owner.connected` follows. Raises Lost when that fails at once."""
        self.owner = owner
        self._selector = selector
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
        selector.register(self._fd, WRITE, self)

    @property
    def unsent(self) -> int:
        """How many of the written bytes the kernel has not taken yet."""
        return len(self._out)

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
        if mask & READ or self._tls is not None:
            self._receive()
        if self._out and self.is_open:
            self._send()
            if not self._out:
                self._watch(READ)
                self.owner.flushed()

    def write(self, data: bytes) -> None:
        """Send `data`: now what the kernel takes, the rest from `turn`. Raises Lost."""
        if self._out:
            self._out = memoryview(b"".join((self._out, data)))
            return
        self._out = memoryview(data)
        self._send()

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
        """Leave the selector and close; safe to call twice."""
        if self._fd >= 0:
            self._selector.unregister(self._fd)
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

    def _receive(self) -> None:
        """Hand over what is there; under TLS until nothing is left, for the selector cannot see inside it."""
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
            if self._tls is None or not data:
                return

    def _send(self) -> None:
        try:
            while size := len(self._out):
                sent = self._sock.send(self._out[:_RECORD] if self._tls is not None else self._out)
                self._out = self._out[sent:] if sent < size else memoryview(b"")
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._watch(READ | WRITE)
        except ssl.SSLWantReadError:
            self._watch(READ)  # not for WRITE as well: it would be ready at once, for ever
        except OSError as error:
            raise Lost from error

    def _watch(self, mask: int) -> None:
        if mask != self._mask:
            self._selector.modify(self._fd, mask, self)
            self._mask = mask
