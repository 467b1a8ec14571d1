"""Connections of this web server: end those whose client does not finish a body that was answered already.

granian cannot end a read, and a WSGI application does not know its socket. So the connection is recognised by the
moment of its last response, among those that this process accepted. A connection that is confused with it closes after
the response to its current request, as any keep-alive connection may.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ESTABLISHED = 1
_TCP_INFO_BYTES = 104
_LAST_DATA_SENT = 44  # offset in struct tcp_info of Linux; milliseconds
_ALLOWANCE_MS = 400


def end_reading(answered_ms_ago: int) -> int:
    """Receive nothing more on the connections whose last response was sent that long ago; return their number."""
    ended = 0
    sockets = list(_sockets())
    ports = {each.getsockname()[1] for each in sockets if each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)}
    for each in sockets:
        with each, suppress(OSError):
            info = each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            (sent_ms_ago,) = struct.unpack_from("=I", info, _LAST_DATA_SENT)
            is_ours = info[0] == _ESTABLISHED and each.getsockname()[1] in ports
            if is_ours and abs(sent_ms_ago - answered_ms_ago) <= _ALLOWANCE_MS:
                each.shutdown(socket.SHUT_RD)
                ended += 1
    return ended


def _sockets() -> Iterator[socket.socket]:
    """Yield the TCP sockets of this process, duplicated: closing one leaves the original open."""
    descriptors: list[str] = []
    with suppress(OSError):  # none is left for the listing itself: next time
        descriptors = [each.name for each in Path("/proc/self/fd").iterdir()]
    for descriptor in descriptors:
        with suppress(OSError):
            duplicate = os.dup(int(descriptor))
            try:
                each = socket.socket(fileno=duplicate)
            except OSError:
                os.close(duplicate)
                continue
            if each.family in (socket.AF_INET, socket.AF_INET6) and each.type == socket.SOCK_STREAM:
                yield each
            else:
                each.close()
