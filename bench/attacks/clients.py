"""Attacks on a web server with real sockets, and the time that others wait meanwhile."""

import http.client
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

BODIES, HEADERS = 40, 1_100
_PUBLIC = ("/api/v1/auth/token", "/api/v1/events/track", "/u/x")


@contextmanager
def slow_bodies(port: int, *, every_s: float = 1.0) -> Iterator[list[socket.socket]]:
    """Keep forty connections that send one byte of a body at a time, to each public route in turn."""
    heads = [
        f"POST {_PUBLIC[number % 3]} HTTP/1.1\r\nHost: x\r\n"
        "Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"
        for number in range(BODIES)
    ]
    with _held(port, [head.encode() for head in heads], every_s) as held:
        yield held


@contextmanager
def half_open_headers(port: int, *, every_s: float = 1.0) -> Iterator[list[socket.socket]]:
    """Keep 1,100 connections that never end their headers; each that is closed is opened again."""
    with _held(port, [b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "] * HEADERS, every_s) as held:
        yield held


def waits_s(port: int, path: str, *, seconds: float, status: int = 200) -> list[float]:
    """Request the path again and again for so long, each on a new connection; return the time of each, sorted."""
    waits, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        assert connection.getresponse().status == status
        connection.close()
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    return sorted(waits)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return this percentile of sorted values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@contextmanager
def _held(port: int, heads: Sequence[bytes], every_s: float) -> Iterator[list[socket.socket]]:
    connections = [_opened(port, head) for head in heads]
    stop = Event()
    dripping = Thread(target=_drip, args=(port, heads, connections, stop, every_s))
    dripping.start()
    try:
        yield connections
    finally:
        stop.set()
        dripping.join()
        for each in connections:
            each.close()


def _drip(port: int, heads: Sequence[bytes], held: list[socket.socket], done: Event, every_s: float) -> None:
    while not done.wait(every_s):
        for number, each in enumerate(held):
            try:
                each.send(b"a")
            except OSError:
                each.close()
                with suppress(OSError):
                    held[number] = _opened(port, heads[number])


def _opened(port: int, head: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=30)
    opened.sendall(head + b"a")
    return opened
