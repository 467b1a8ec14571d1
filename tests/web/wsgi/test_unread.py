"""Bodies that a view refuses unread: clients that write before they read get the response, over real sockets."""

import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from engine.access import bearer_tokens
from tests.web.conftest import holder
from tests.web.wsgi import proxied
from web.wsgi import public_bodies, unread

LARGE = b"x" * 10_000_000


def post(port: int, path: str, body: bytes | Iterator[bytes], **headers: str) -> int:
    """Return the status of a request whose body is written whole before the response is read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(
        "POST", path, body, {"Content-Type": "application/json", **headers}, encode_chunked=not isinstance(body, bytes)
    )
    answer = connection.getresponse()
    answer.read()
    return answer.status


def bearer(*scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer_tokens.issue(holder(*scopes), now=datetime.now(UTC)).access}"}


def test_each_refusal_of_a_large_body_reaches_its_client(port: int) -> None:
    login = bearer("send", "contacts")
    assert post(port, "/api/v1/emails/send", LARGE, **login) == 413
    assert post(port, "/api/v1/emails/batch", LARGE, **login) == 413
    assert post(port, "/api/v1/auth/token", LARGE) == 413
    assert post(port, "/api/v1/events/track", LARGE) == 413
    assert post(port, "/api/v1/emails/send", LARGE) == 401
    assert post(port, "/api/v1/nope", LARGE) == 404
    assert post(port, "/api/v1/emails/send", LARGE, **login | {"Content-Type": "text/plain"}) == 415
    assert post(port, "/api/v1/emails/send", (b"x" * 100_000 for _ in range(100)), **login) == 413
    table = b"email\n" + b"x\n" * 500_000
    assert post(port, "/api/v1/contacts/import", table, **login | {"Content-Type": "text/csv"}) == 422


def test_a_large_body_gets_its_413_behind_nginx(port: int, tmp_path: Path) -> None:
    login = bearer("send")
    with proxied.nginx(tmp_path, port) as behind:
        for path in ("emails/send", "emails/batch", "auth/token"):
            assert post(behind, f"/api/v1/{path}", LARGE, **login) == 413


def test_curl_prints_the_413(port: int) -> None:
    curl = shutil.which("curl")
    assert curl is not None
    target = f"http://127.0.0.1:{port}/api/v1/auth/token"
    for options in ([], ["-H", "Expect:"]):
        ran = subprocess.run(
            [curl, "-sS", "-H", "Content-Type: application/json", *options, "--data-binary", "@-", target],
            input=LARGE, capture_output=True, timeout=30,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, b""), ran.stderr
        assert b'"status":413' in ran.stdout


def test_a_slow_sender_of_a_refused_body_gets_its_response_at_the_deadline(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=public_bodies.DEADLINE_S + 10) as slow:
        slow.sendall(b"POST /api/v1/emails/send HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\na")
        started = time.monotonic()
        answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - started < public_bodies.DEADLINE_S + 5


def test_a_body_beyond_all_bounds_is_not_received(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sent:
        size = unread.DISCARDED_MAX + 1
        sent.sendall(f"POST /api/v1/emails/send HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\na".encode())
        assert sent.recv(4096).startswith(b"HTTP/1.1 401 ")
