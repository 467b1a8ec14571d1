"""An SMTP server that accepts everything and stores nothing: the receiver of the benchmarks.

python -m bench.testbed.sink                       listen on a free port of 127.0.0.1, printed as the first line
python -m bench.testbed.sink --port 2600           … on this one
python -m bench.testbed.sink --log ids.txt         write each Message-ID before accepting its message
                                                   (--fsync: durably; --times: with the monotonic time in ns)

One process, one thread, with pipelining. SIGTERM ends it; the last line printed is its count.
"""

import argparse
import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HELLO = b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 100000000\r\n"
_ANSWERS = {
    b"EHLO": _HELLO,
    b"LHLO": _HELLO,
    b"HELO": b"250 sink\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
    b"DATA": b"354 Go ahead\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}
_MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*(\S+)")


class Sink:
    """The server; it has accepted `count` messages."""

    def __init__(self, port: int, log: Path | None, *, fsync: bool, times: bool) -> None:
        self.count = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._selector = selectors.DefaultSelector()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else None
        self._fsync = fsync
        self._times = times

    def serve(self) -> None:
        """Serve until a signal handler raises."""
        self._selector.register(self.listener, selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._admit()
                else:
                    key.data.turn()

    def take(self, message: bytes) -> bytes:
        """Accept one message: write its id first, if ids are logged, then answer."""
        self.count += 1
        if self._log is not None:
            match = _MESSAGE_ID.search(message)
            moment = b" %d" % time.monotonic_ns() if self._times else b""
            os.write(self._log, (match.group(1) if match else b"-") + moment + b"\n")
            if self._fsync:
                os.fsync(self._log)
        return b"250 2.0.0 Ok: queued as %d\r\n" % self.count

    def drop(self, connection: socket.socket) -> None:
        """Close a connection and forget it."""
        self._selector.unregister(connection)
        connection.close()

    def _admit(self) -> None:
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ, _Visit(self, connection))
        connection.sendall(b"220 sink ESMTP\r\n")


class _Visit:
    __slots__ = ("_buffer", "_connection", "_in_body", "_sink")

    def __init__(self, sink: Sink, connection: socket.socket) -> None:
        self._sink = sink
        self._connection = connection
        self._buffer = b""
        self._in_body = False

    def turn(self) -> None:
        try:
            data = self._connection.recv(262_144)
        except ConnectionError:
            data = b""
        if not data:
            self._sink.drop(self._connection)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if answers := b"".join(self._answers()):
            with contextlib.suppress(ConnectionError):
                self._connection.sendall(answers)

    def _answers(self) -> Iterator[bytes]:
        """Return the replies to everything in the buffer, as a pipelining server does."""
        while True:
            end = b"\r\n.\r\n" if self._in_body else b"\r\n"
            part, found, rest = self._buffer.partition(end)
            if not found:
                return
            self._buffer = rest
            if self._in_body:
                self._in_body = False
                yield self._sink.take(part)
            else:
                verb = part[:4].upper()
                self._in_body = verb == b"DATA"
                yield _ANSWERS.get(verb, b"502 5.5.1 No such command\r\n")


@dataclass
class Running:
    """A sink in a separate process."""

    process: subprocess.Popen[str]
    port: int
    count: int = 0

    @property
    def cpu_s(self) -> float:
        """Return its user and system time."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(log: Path | None = None) -> Iterator[Running]:
    """Run a sink in a separate process, with its log and moments; `count` is set after the block."""
    command = [sys.executable, "-m", "bench.testbed.sink", *(["--log", str(log), "--times"] if log else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    sink = Running(process, int(process.stdout.readline()))
    try:
        yield sink
    finally:
        process.terminate()
        sink.count = int(process.stdout.readline())
        process.wait(timeout=10)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: a free one)")
    parser.add_argument("--log", type=Path, help="file that gets the Message-ID of each message")
    parser.add_argument("--fsync", action="store_true", help="make each note durable before accepting")
    parser.add_argument("--times", action="store_true", help="note the moment, too")
    options = parser.parse_args()
    sink = Sink(options.port, options.log, fsync=options.fsync, times=options.times)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print(sink.listener.getsockname()[1], flush=True)
    try:
        sink.serve()
    finally:
        print(sink.count, flush=True)


if __name__ == "__main__":
    main()
