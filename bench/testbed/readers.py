"""An open loop of readers: each sends its request at its own moment, from its own address, regardless of the others.

python -m bench.testbed.readers --port 8000 --paths FILE --rate 1000 --at 1764000000.0   start at this Unix time

Prints one line of JSON: responses, refused ones, and how many seconds late the last request was sent.
"""

import argparse
import json
import select
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.testbed.load import answer, connected

_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
_GOOD = (b"HTTP/1.1 2", b"HTTP/1.1 302")


@dataclass(frozen=True, slots=True)
class Responses:
    """Responses received."""

    answers: int
    refused: int
    latest_s: float


def start(port: int, paths: Path, *, rate: int, at: float) -> "subprocess.Popen[str]":
    """Start the readers in a separate process; `result` returns their result."""
    command = [sys.executable, "-m", "bench.testbed.readers", "--port", str(port), "--paths", str(paths)]
    command += ["--rate", str(rate), "--at", str(at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(process: "subprocess.Popen[str]") -> Responses:
    """Return the responses, once all have arrived."""
    output, _ = process.communicate()
    return Responses(**json.loads(output))


@dataclass(slots=True)
class _Loop:
    """Requests with their moments, free connections, and connections that wait for a response."""

    requests: list[bytes]
    rate: int
    at: float
    free: list[socket.socket]
    busy: dict[int, socket.socket] = field(default_factory=dict)
    sent: int = 0
    refused: int = 0
    latest_s: float = 0.0

    def run(self) -> Responses:
        """Send all requests, each when it is due and a connection is free."""
        epoll = select.epoll()
        for each in self.free:
            epoll.register(each.fileno(), select.EPOLLIN)
        while self.sent < len(self.requests) or self.busy:
            self._ask()
            for fileno, _ in epoll.poll(self._pause_s()):
                self._hear(fileno)
        return Responses(self.sent, self.refused, round(self.latest_s, 3))

    def _ask(self) -> None:
        while self.free and self.sent < len(self.requests) and (late_s := time.time() - self._due()) >= 0:
            connection = self.free.pop()
            connection.sendall(self.requests[self.sent])
            self.busy[connection.fileno()] = connection
            self.latest_s = max(self.latest_s, late_s)
            self.sent += 1

    def _hear(self, fileno: int) -> None:
        connection = self.busy.pop(fileno, None)
        if connection is None:  # an idle connection that the server closed
            self._lay_off(fileno)
            return
        self.refused += not answer(connection).startswith(_GOOD)
        self.free.append(connection)

    def _lay_off(self, fileno: int) -> None:
        (closed,) = [each for each in self.free if each.fileno() == fileno]
        self.free.remove(closed)
        closed.close()

    def _due(self) -> float:
        return self.at + self.sent / self.rate

    def _pause_s(self) -> float:
        if self.sent == len(self.requests) or not self.free:
            return 1.0
        return max(0.0, self._due() - time.time())


def _request(number: int, path: str) -> bytes:
    """Return the request as a proxy would send it, with the caller's address."""
    caller = f"{1 + number % 99}.{number // 99 % 250}.{number // 24_750 % 250}.7"
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {_AGENT}\r\nX-Forwarded-For: {caller}\r\n\r\n"
    return head.encode()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True, help="of a server on 127.0.0.1")
    parser.add_argument("--paths", type=Path, required=True, help="file of paths, a request for each")
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second (default: %(default)s)")
    parser.add_argument("--at", type=float, required=True, help="when the first is due, in Unix time")
    parser.add_argument("--connections", type=int, default=64, help="at most at once (default: %(default)s)")
    options = parser.parse_args()
    requests = [_request(*each) for each in enumerate(options.paths.read_text().split())]
    free = [connected(options.port) for _ in range(options.connections)]
    print(json.dumps(asdict(_Loop(requests, options.rate, options.at, free).run())))


if __name__ == "__main__":
    main()
