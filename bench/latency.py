"""Latency from a request to the mail server's 250: single sends on an idle installation and during a campaign.

python -m bench.latency                       five rounds
python -m bench.latency --runs 1 --seconds 5  a quick run

Sends fifty e-mails a second regardless of earlier ones (an open loop). Each is timed from the moment it was due until
the mail server had the whole message.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from bench.report import figures
from bench.report.progress import say
from bench.testbed import sink, trial
from bench.testbed.installation import Installation, installed
from bench.testbed.served import caller, served, work
from models.session import transaction

RATE = 50
_VARIABLES = {"nombre": "Juan", "industria": "Marketing", "link_calendly": "https://calendly.example/juan"}
_WORKERS = ("worker-send", "worker-bulk", "worker-events", "beat")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Sorted latencies of one measurement, in ms."""

    ms: list[float]

    def at(self, share: float) -> float:
        """Return the latency that this share of the e-mails did not exceed."""
        return self.ms[min(len(self.ms) - 1, int(len(self.ms) * share))]

    def __str__(self) -> str:
        return f"p50 {self.at(0.5):6.1f} ms   p99 {self.at(0.99):6.1f} ms   worst {self.ms[-1]:6.1f} ms"


@dataclass(frozen=True, slots=True)
class Round:
    """Latencies of an idle installation, and of the same one during a campaign."""

    idle: Latencies
    busy: Latencies


def main() -> None:
    """Run the command line: print progress, then the figure as a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each look (default: %(default)s)")
    parser.add_argument("--contacts", type=int, default=200_000, help="of the campaign (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cadencia-latency-") as folder:
        log = Path(folder) / "taken"
        with sink.running(log) as receiver, installed(receiver.port) as installation, served(installation) as server:
            client = Client(server.port, caller(["send", "send:transactional"]), log)
            rounds = [look(installation, client, options.contacts, options.seconds) for _ in range(options.runs)]
    print(figure_lines(rounds), flush=True)


def look(installation: Installation, client: "Client", contacts: int, seconds: float) -> Round:
    """Run one round, with workers started for it."""
    campaign_id = trial.prepare(installation, contacts)
    trial.pause(campaign_id)
    work(installation, *_WORKERS)
    client.measure(1.0)  # the first e-mails open connections and compile the template
    idle = client.measure(seconds)
    say(f"idle            {idle}")
    trial.resume(campaign_id)
    time.sleep(1.0)
    busy = client.measure(seconds)
    with transaction() as session:
        if not session.scalar(text(trial.BUSY)):
            raise RuntimeError("the campaign was over before the look was: take more --contacts")
    say(f"in a campaign   {busy}")
    installation.stop_workers()
    return Round(idle, busy)


def figure_lines(rounds: list[Round]) -> str:
    """Return the figure: p99 in a campaign over p50 idle, the median of the rounds."""
    return figures.of(
        "transactional_p99_over_idle_p50",
        [each.busy.at(0.99) / each.idle.at(0.5) for each in rounds],
        digits=1,
        requests_per_second=RATE,
        idle_p50_ms=round(figures.middle([each.idle.at(0.5) for each in rounds]), 1),
        idle_p99_ms=round(figures.middle([each.idle.at(0.99) for each in rounds]), 1),
        busy_p50_ms=round(figures.middle([each.busy.at(0.5) for each in rounds]), 1),
        busy_p99_ms=round(figures.middle([each.busy.at(0.99) for each in rounds]), 1),
    ).line


class Client:
    """Sends e-mails over persistent connections, and reads from the mail server's log when each arrived."""

    def __init__(self, port: int, token: str, log: Path) -> None:
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._log = log
        self._own = threading.local()

    def measure(self, seconds: float) -> Latencies:
        """Send fifty e-mails a second for this long; return when the mail server has them all."""
        read = self._log.stat().st_size if self._log.exists() else 0
        due_at: dict[str, float] = {}
        with ThreadPoolExecutor(32) as pool:
            for due in _beats(seconds):
                pool.submit(self._send, due, due_at)
        arrived = self._arrivals(set(due_at), read)
        return Latencies(sorted((arrived[email] - due) * 1e3 for email, due in due_at.items()))

    def _send(self, due: float, due_at: dict[str, float]) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        mail = {"to": f"persona{time.monotonic_ns()}@empresa.example", "template": "email_1_roi"}
        body = json.dumps({**mail, "variables": _VARIABLES, "kind": "transactional"})
        connection.request("POST", "/api/v1/emails/send", body, self._headers)
        answer = connection.getresponse()
        due_at[json.loads(answer.read())["email_id"].removeprefix("email_")] = due

    def _arrivals(self, wanted: set[str], read: int, within_s: float = 60.0) -> dict[str, float]:
        """Return the arrival time of each of these e-mails, from the log after the first `read` bytes."""
        deadline, arrivals, begun = time.monotonic() + within_s, dict[str, float](), b""
        with self._log.open("rb") as notes:
            notes.seek(read)
            while wanted - arrivals.keys():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{len(wanted - arrivals.keys())} e-mails did not arrive in {within_s:.0f} s")
                time.sleep(0.05)
                *lines, begun = (begun + notes.read()).split(b"\n")
                arrivals |= dict(_notes(lines))
        return arrivals


def _beats(seconds: float) -> Iterator[float]:
    """Yield the moments at which sends are due, each at that moment."""
    began = time.monotonic()
    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        time.sleep(max(0.0, due - time.monotonic()))
        yield due


def _notes(lines: list[bytes]) -> Iterator[tuple[str, float]]:
    for line in lines:
        message_id, _, moment = line.decode().partition(" ")
        yield message_id.strip("<>").partition("@")[0], int(moment) / 1e9


if __name__ == "__main__":
    main()
