"""CPU time to hand over a message: our SMTP client against smtplib, with kept and new connections, at one sink.

python -m bench.smtp_client [--count 20000] [--size 5000] [--profile]

Prints a table and, last, one JSON line. CPU time is that of the sending process; only ratios carry over to another
machine.
"""

import argparse
import cProfile
import json
import pstats
import smtplib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from bench.testbed import sink
from engine.delivery import smtp
from engine.delivery.outcomes import Sent
from engine.delivery.recorder import Recorder

FROM = "rebotes@cadencia.example"
GROUP = 250
NOBODY = UUID(int=0)  # any ids will do: they are written with the group
LINE = b"Hola, Ana: un caso como el suyo, con cifras. https://cadencia.example/c/abc\r\n"


@dataclass(frozen=True)
class Result:
    """The measured result of one run."""

    name: str
    messages: int
    cpu_us: float
    per_s: float
    sink_us: float


def messages(count: int, size: int) -> Iterator[smtp.OutgoingMessage]:
    """Return messages of about `size` bytes, complete except for their Message-ID."""
    body = LINE * max(1, (size - 200) // len(LINE))
    for slot in range(count):
        head = b"Message-ID: <%d@cadencia.example>\r\nFrom: %b\r\nTo: <ana%d@example.com>\r\nSubject: Hola\r\n\r\n"
        yield smtp.OutgoingMessage(slot % GROUP, f"ana{slot}@example.com", head % (slot, FROM.encode(), slot) + body)


def ours(port: int, batch: list[smtp.OutgoingMessage]) -> None:
    """Send over four persistent pipelined connections, in groups, each message marked twice in the flight recorder."""
    carrier = smtp.Transport(smtp.Relay.from_url(f"smtp://127.0.0.1:{port}"), smtp.Limits(connections=4))
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder), uuid4(), GROUP)
        for start in range(0, len(batch), GROUP):
            group = batch[start : start + GROUP]
            recorder.begin(uuid4(), [NOBODY] * len(group))
            outcomes = carrier.send(group, FROM, recorder)
            assert all(isinstance(outcome, Sent) for outcome in outcomes.values())
        recorder.close()
    carrier.close()


def smtplib_kept(port: int, batch: list[smtp.OutgoingMessage]) -> None:
    """Send over one smtplib connection."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        for message in batch:
            client.sendmail(FROM, [message.recipient], message.data)


def smtplib_anew(port: int, batch: list[smtp.OutgoingMessage]) -> None:
    """Send over a new smtplib connection for each message."""
    for message in batch:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.sendmail(FROM, [message.recipient], message.data)


def measure(
    name: str, send: Callable[[int, list[smtp.OutgoingMessage]], None], batch: list[smtp.OutgoingMessage]
) -> Result:
    """Send `batch` to a new sink, and check that all of it arrived."""
    with sink.running() as receiver:
        send(receiver.port, batch[:50])
        sink_before, cpu, wall = receiver.cpu_s, time.process_time(), time.perf_counter()
        send(receiver.port, batch)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        sink_s = receiver.cpu_s - sink_before
    assert receiver.count == len(batch) + 50, f"{receiver.count} of {len(batch) + 50} arrived"
    count = len(batch)
    return Result(name, count, cpu / count * 1e6, count / wall, sink_s / count * 1e6)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="messages for our client (a tenth for smtplib)")
    parser.add_argument("--size", type=int, default=5_000, help="bytes a message")
    parser.add_argument("--profile", action="store_true", help="show where our client spends its time")
    options = parser.parse_args()
    batch = list(messages(options.count, options.size))
    if options.profile:
        with sink.running() as receiver, cProfile.Profile() as profile:
            ours(receiver.port, batch)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    results = [
        measure("ours", ours, batch),
        measure("smtplib, kept", smtplib_kept, batch[: options.count // 10]),
        measure("smtplib, anew", smtplib_anew, batch[: options.count // 10]),
    ]
    report(results, options.size)


def report(results: list[Result], size: int) -> None:
    """Print a table for people and one line for programs."""
    base = results[0]
    print(f"{'client':<16}{'messages':>9}{'CPU µs':>9}{'per s':>9}{'sink µs':>9}{'ratio':>8}")
    for result in results:
        numbers = f"{result.messages:>9}{result.cpu_us:>9.1f}{result.per_s:>9.0f}{result.sink_us:>9.1f}"
        print(f"{result.name:<16}{numbers}{result.cpu_us / base.cpu_us:>8.1f}")
    summary = {
        "bench": "smtp_client",
        "size_bytes": size,
        "cpu_us": {result.name: round(result.cpu_us, 1) for result in results},
        "per_s": {result.name: round(result.per_s) for result in results},
        "cpu_ratio": {result.name: round(result.cpu_us / base.cpu_us, 2) for result in results},
    }
    print(json.dumps(summary, ensure_ascii=False))


if __name__ == "__main__":
    main()
