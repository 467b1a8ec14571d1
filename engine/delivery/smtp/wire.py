"""One non-blocking connection, in clear or under TLS."""

import errno
import socket
import ssl
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import Protocol

Address = tuple[socket.AddressFamily, tuple[object, ...]]

_CHUNK = 4_096  # replies are short, and each read allocates this size first
# A TLS record holds 16 KB. Records are written one at a time, so that the number of bytes that left is exact.
_RECORD = 16_384


class ConnectionLost(Exception):
    """The connection cannot be used any more; the cause, if there is one, is the error of the socket."""


class Owner(Protocol):
    """The user of a wire, a handshake or a session."""

    def connected(self) -> None:
        """Handle that the connection is set up, including TLS if it was requested."""

    def received(self, data: bytes) -> None:
        """Handle received data; b"" is the end of the stream."""

    def flushed(self) -> None:
        """Handle that the kernel has taken all data that had to wait."""


class Wire:
    """A socket watched for readiness; `handle` reads and writes what is possible and calls the owner.

    `unsent` is the number of written bytes that the kernel has not taken yet.
    """

    __slots__ = ("_fd", "_is_connecting", "_mask", "_out", "_selector", "_sock", "_tls", "owner", "unsent")

    def __init__(self, selector: BaseSelector, address: Address, owner: Owner) -> None:
        """Start to connect; `owner.connected` follows. Raises ConnectionLost if that fails at once."""
        self.owner = owner
        self.unsent = 0
        self._selector = selector
        self._sock = socket.socket(address[0], socket.SOCK_STREAM)
        self._fd = self._sock.fileno()
        self._out = memoryview(b"")
        self._tls: ssl.SSLSocket | None = None
        self._is_connecting = True
        self._mask = EVENT_WRITE
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        record_failure = self._sock.connect_ex(address[1])
        if record_failure not in (0, errno.EINPROGRESS):
            self._sock.close()
            raise ConnectionLost from OSError(record_failure, errno.errorcode.get(record_failure, "cannot connect"))
        selector.register(self._fd, EVENT_WRITE, self)

    @property
    def is_secure(self) -> bool:
        """Return True if TLS is used."""
        return self._tls is not None

    @property
    def is_open(self) -> bool:
        """Return False once closed."""
        return self._fd >= 0

    @property
    def local_address(self) -> str:
        """Return our own address, for an EHLO with an address literal (RFC 5321 section 4.1.3)."""
        return str(self._sock.getsockname()[0])

    def handle(self, mask: int) -> None:
        """Read and write as the events in `mask` allow. Raises ConnectionLost."""
        if self._is_connecting:
            self._continue_handshake()
            return
        # Reading comes first, because a server that gives up in mid-body replies before it closes.
        if self._tls is not None:
            self._receive_all()
        elif mask & EVENT_READ:
            try:
                data = self._sock.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                raise ConnectionLost from error
            self.owner.received(data)
        if self.unsent and self.is_open:
            self._send()
            if not self.unsent:
                self._watch(EVENT_READ)
                self.owner.flushed()

    def write(self, data: bytes) -> None:
        """Send `data`: now what the kernel takes, the rest later from `handle`. Raises ConnectionLost."""
        if self.unsent:
            self._set_unsent(memoryview(b"".join((self._out, data))))
        elif self._tls is not None:
            self._set_unsent(memoryview(data))
            self._send()
        else:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise ConnectionLost from error
            if sent < len(data):
                self._set_unsent(memoryview(data)[sent:])
                self._watch(EVENT_READ | EVENT_WRITE)

    def read_rest(self) -> bytes:
        """Return what the server sent before the connection broke. Never raises."""
        try:
            return self._sock.recv(_CHUNK)
        except OSError:
            return b""

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS; `owner.connected` follows, or ConnectionLost from `handle`."""
        self._sock = self._tls = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._is_connecting = True
        self._watch(EVENT_WRITE)

    def close(self) -> None:
        """Stop watching and close. Safe to call twice."""
        if self._fd >= 0:
            self._selector.unregister(self._fd)
            self._sock.close()
            self._fd = -1

    def _continue_handshake(self) -> None:
        if record_failure := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionLost from OSError(record_failure, errno.errorcode.get(record_failure, "cannot connect"))
        try:
            if self._tls is not None:
                self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(EVENT_READ)
        except ssl.SSLWantWriteError:
            self._watch(EVENT_WRITE)
        except OSError as error:
            raise ConnectionLost from error
        else:
            self._is_connecting = False
            self._watch(EVENT_READ)
            self.owner.connected()

    def _receive_all(self) -> None:
        """Read everything there is, because the kernel does not see what OpenSSL has buffered."""
        while self._fd >= 0 and not self._is_connecting:
            try:
                data = self._sock.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except ssl.SSLWantWriteError:
                self._watch(EVENT_READ | EVENT_WRITE)
                return
            except OSError as error:
                raise ConnectionLost from error
            self.owner.received(data)
            if not data:
                return

    def _send(self) -> None:
        try:
            while self._out:
                sent = self._sock.send(self._out[:_RECORD] if self._tls is not None else self._out)
                self._set_unsent(self._out[sent:])
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._watch(EVENT_READ | EVENT_WRITE)
        except ssl.SSLWantReadError:
            self._watch(EVENT_READ)  # not for EVENT_WRITE as well, which would be ready all the time
        except OSError as error:
            raise ConnectionLost from error

    def _set_unsent(self, rest: memoryview) -> None:
        self._out = rest
        self.unsent = len(rest)

    def _watch(self, mask: int) -> None:
        if mask != self._mask:
            self._selector.modify(self._fd, mask, self)
            self._mask = mask
