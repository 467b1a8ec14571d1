"""The load of bench.api and bench.latency: whole requests, every response read, no number used twice."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.testbed import load
from bench.testbed.load import Load


@contextmanager
def server(status: int) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers every request with `status`: its port, and the bodies or the clients of the requests."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            bodies.append(self.headers.get("X-Forwarded-For", "").encode() or body)
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = answer  # noqa: N815  # the names the base class calls

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http.server_address[1], bodies
        http.shutdown()


def test_every_request_is_answered_and_counted() -> None:
    with server(200) as (port, bodies):
        measured = load.run(port, Load("/"), seconds=0.3, connections=4)
    assert (measured.answers, measured.refused) == (len(bodies), 0)
    assert measured.answers >= 4 and measured.took_s >= 0.3 and 0 < measured.p50_ms <= measured.p99_ms


def test_a_body_has_numbers_of_its_own_and_its_length(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text('{"emails": ["@@@a.example", "@@@a.example"]}')
    with server(202) as (port, bodies):
        load.run(port, Load("/", body, "token"), seconds=0.2, connections=3)
    named = [name for each in bodies for name in json.loads(each)["emails"]]
    assert len(named) == 2 * len(bodies) == len(set(named))
    assert all(name.endswith("@a.example") for name in named)


def test_clients_are_named_in_turn(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text("{}")
    with server(202) as (port, named):
        load.run(port, Load("/", body, clients=2), seconds=0.3, connections=1)
    assert len(named) > 1 and named == [b"198.18.0.%d" % (1 + number % 2) for number in range(len(named))]


def test_refusals_are_counted_apart_from_answers() -> None:
    with server(503) as (port, _):
        measured = load.run(port, Load("/"), seconds=0.1, connections=2)
    assert measured.refused == measured.answers > 0
