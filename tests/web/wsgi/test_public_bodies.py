"""Slow clients with real sockets against a real granian do not delay health checks, pixels or other callers."""

import http.client
import json
import socket
import time

from flask import Flask

import settings
from bench.attacks import clients
from engine.tracking import tokens
from models.session import transaction
from tests import mails, processes
from web.wsgi import public_bodies


def pixel() -> str:
    with transaction() as session:
        return f"/o/{tokens.Signer(settings.current().tracking_ring).opened(mails.mail(session).id)}.gif"


def post(port: int, path: str, body: str, *, source: str = "127.0.0.1") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(source, 0))
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_every_public_route_with_a_body_is_protected(app: Flask) -> None:
    assert public_bodies.paths(app) == (
        "/api/v1/auth/token",
        "/api/v1/events/track",
        "/app/sign-in",
        "/f/",
        "/f/confirm/",
        "/p/",
        "/u/",
    )


def test_forty_slow_bodies_delay_nobody(port: int) -> None:
    path = pixel()
    with clients.slow_bodies(port):
        for asked in ("/healthz", path):
            waits = clients.waits_s(port, asked, seconds=3)
            print(f"{asked[:8]} p99 {clients.percentile(waits, 99) * 1_000:.0f} ms of {len(waits)}")
            assert waits[-1] < 3.0
        report = json.dumps({"email_id": "x", "event_type": "opened"})
        assert post(port, "/api/v1/events/track", report)[0] == 503  # from the address of the attack
        assert post(port, "/api/v1/events/track", report, source="127.0.0.2")[0] == 404
        assert post(port, "/api/v1/auth/token", "{}", source="127.0.0.2")[0] == 422


def test_a_body_that_is_not_complete_in_time_gets_408(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=public_bodies.DEADLINE_S + 20) as slow:
        slow.sendall(b"POST /api/v1/events/track HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\na")
        answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ") and b"not complete within 10 s" in answer
        assert b"x-content-type-options: nosniff" in answer.lower()
        assert _closes(slow)


def test_bodies_that_fall_silent_or_slow_free_their_places(port: int) -> None:
    head = b"POST /api/v1/events/track HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n"
    silent = [
        socket.create_connection(("127.0.0.1", port), timeout=public_bodies.DEADLINE_S + 20)
        for _ in range(public_bodies.PER_ADDRESS_MAX)
    ]
    for number, each in enumerate(silent):
        each.sendall(head + b"a" * (1 if number % 2 else 50_000))
    for each in silent:
        assert each.recv(4096).startswith(b"HTTP/1.1 408 ")
    for each in silent[::4]:
        each.sendall(b"a")
    processes.until(lambda: post(port, "/api/v1/auth/token", "{}")[0] == 422, "a place is free", within_s=10)


def _closes(connection: socket.socket) -> bool:
    """Send single bytes until the server closes the connection; False if it stays open for ten seconds."""
    connection.settimeout(0.1)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            connection.send(b"a")
            if connection.recv(4096) == b"":
                return True
        except TimeoutError:
            pass
        except OSError:
            return True
    return False


def test_half_open_headers_delay_nobody_and_are_closed(port: int) -> None:
    with clients.half_open_headers(port) as connections:
        waits = clients.waits_s(port, "/healthz", seconds=3)
        print(f"/healthz p99 {clients.percentile(waits, 99) * 1_000:.0f} ms of {len(waits)}")
        assert waits[-1] < 3.0
        connections[0].settimeout(10)
        assert connections[0].recv(4096) == b""
    silent = socket.create_connection(("127.0.0.1", port), timeout=10)
    assert silent.recv(4096) == b""


def test_bodies_arrive_whole_however_they_are_sent(port: int) -> None:
    """In pieces, chunked, empty, and larger than the limit."""
    body = json.dumps([{"email_id": "x", "event_type": "opened", "event_data": {"n": "a" * 150}}] * 900).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sent:
        head = f"POST /api/v1/events/track HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        sent.sendall(f"{head}Content-Type: text/plain\r\n\r\n".encode())
        for start in range(0, len(body), 50_000):
            sent.sendall(body[start : start + 50_000])
        answer = http.client.HTTPResponse(sent)
        answer.begin()
        content = json.loads(answer.read())
        assert (answer.status, content.get("refused")) == (202, 900), content
    chunked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    chunked.request(
        "POST", "/api/v1/auth/token", iter([b"{", b"}"]), {"Content-Type": "application/json"}, encode_chunked=True
    )
    assert chunked.getresponse().status == 422
    assert post(port, "/api/v1/auth/token", "")[0] == 400
    assert post(port, "/api/v1/auth/token", "x" * 1_000_001)[0] == 413
