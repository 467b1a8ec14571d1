"""A closed loop of HTTP/1.1 requests over persistent connections: each sends the next request after its response.

python -m bench.testbed.load --port 8000 --path / --seconds 2                  an empty GET
python -m bench.testbed.load --port 8000 --path /x --body body.json --token …  a POST; each @@ becomes a new number

Uses raw sockets and one epoll, so that the load itself costs little CPU: some 20 µs a request. Prints one line of JSON:
responses, refused ones, seconds, the median and the 99th percentile of their latency in ms.
"""

import argparse
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import count, cycle, repeat
from pathlib import Path

MARK = b"@@"
_NETWORK = "198.18.0."  # of benchmarks (RFC 2544)
_DIGITS = 10  # digits of a number that replaces @@, so that bodies keep their length


@dataclass(frozen=True, slots=True)
class Load:
    """The request to repeat: an empty GET, or a POST of the JSON in a file."""

    path: str
    body: Path | None = None
    token: str = ""
    paths: Path | None = None  # a file of paths, requested in turn instead of the one path
    clients: int = 0  # addresses that a proxy names in turn, for a server with TRUSTED_PROXIES=1

    def requests(self) -> Iterator[bytes]:
        """Yield the requests; their numbers start at the current microsecond, so that no two runs share one."""
        if self.paths is not None:
            return cycle([_get(path) for path in self.paths.read_text().split()])
        if self.body is None:
            return repeat(_get(self.path))
        return self._posts(self.body.read_bytes())

    def _posts(self, body: bytes) -> Iterator[bytes]:
        size = len(body) + body.count(MARK) * (_DIGITS - len(MARK))
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {size}\r\n"
        )
        first, *others = (b"\r\n" + body).split(MARK)
        numbers = count(time.time_ns() // 1_000 % 10**_DIGITS)
        for client in cycle(range(1, self.clients + 1) if self.clients else [0]):
            proxied = f"X-Forwarded-For: {_NETWORK}{client}\r\n" if client else ""
            parts = b"".join([b"%010d%b" % (next(numbers) % 10**_DIGITS, part) for part in others])
            yield f"{head}{proxied}".encode() + first + parts


@dataclass(frozen=True, slots=True)
class Responses:
    """Responses received in the given time."""

    answers: int
    refused: int
    took_s: float
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        """Return the responses per second."""
        return self.answers / self.took_s


def run(port: int, load: Load, *, seconds: float, connections: int = 32) -> Responses:
    """Run a load in a separate process, so that it shares no interpreter with anything measured."""
    command = [sys.executable, "-m", "bench.testbed.load", "--port", str(port), "--path", load.path]
    command += ["--seconds", str(seconds), "--connections", str(connections)]
    command += ["--paths", str(load.paths)] if load.paths else []
    command += ["--body", str(load.body), "--token", load.token] if load.body else []
    command += ["--clients", str(load.clients)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Responses(**json.loads(output))


@dataclass(slots=True)
class _Drive:
    """A running load: its connections and the responses so far."""

    requests: Iterator[bytes]
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    asked: dict[int, float] = field(default_factory=dict)

    def run(self, port: int, *, seconds: float, connections: int) -> Responses:
        """Keep this many requests open for this many seconds, then wait for the last responses."""
        epoll, began = select.epoll(), time.perf_counter()
        sockets = {each.fileno(): each for each in (connected(port) for _ in range(connections))}
        for fileno, each in sockets.items():
            epoll.register(fileno, select.EPOLLIN)
            self._ask(fileno, each)
        while self.asked:
            for fileno, _ in epoll.poll(1.0):
                self._hear(fileno, sockets[fileno])
                if time.perf_counter() - began < seconds:
                    self._ask(fileno, sockets[fileno])
        # Until the last response, so that no request is left for the next load to wait behind.
        return self._result(time.perf_counter() - began)

    def _ask(self, fileno: int, connection: socket.socket) -> None:
        self.asked[fileno] = time.perf_counter()
        connection.sendall(next(self.requests))

    def _hear(self, fileno: int, connection: socket.socket) -> None:
        self.refused += not answer(connection).startswith((b"HTTP/1.1 2", b"HTTP/1.1 302"))
        self.latencies.append(time.perf_counter() - self.asked.pop(fileno))

    def _result(self, took_s: float) -> Responses:
        ordered = sorted(self.latencies) or [0.0]
        p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        return Responses(len(ordered), self.refused, took_s, round(p50 * 1e3, 2), round(p99 * 1e3, 2))


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n\r\n".encode()


def connected(port: int) -> socket.socket:
    """Connect to a server on 127.0.0.1."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Read one whole response from a server."""
    data = connection.recv(262_144)
    while True:
        head = data.find(b"\r\n\r\n")
        if head >= 0:
            at = data[:head].lower().find(b"content-length:")
            size = int(data[at + 15 : data.index(b"\r\n", at)]) if at >= 0 else 0
            if len(data) >= head + 4 + size:
                return data
        more = connection.recv(262_144)
        if not more:
            raise ConnectionError("the server closed a connection")
        data += more


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of a server on 127.0.0.1")
    parser.add_argument("--path", default="/", help="what to ask for (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="how many at once (default: %(default)s)")
    parser.add_argument("--body", type=Path, help="file that holds the JSON to post; without one it is a GET")
    parser.add_argument("--token", default="", help="bearer token")
    parser.add_argument("--paths", type=Path, help="file of paths to ask for in turn")
    parser.add_argument("--clients", type=int, default=0, help="addresses that a proxy would name in turn")
    options = parser.parse_args()
    load = Load(options.path, options.body, options.token, options.paths, options.clients)
    responses = _Drive(load.requests()).run(options.port, seconds=options.seconds, connections=options.connections)
    print(json.dumps(asdict(responses)))


if __name__ == "__main__":
    main()
