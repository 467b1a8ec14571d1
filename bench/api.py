"""What the API takes in, against an empty Flask view behind the same server: single sends, and batches of 500.

python -m bench.api                the short form
python -m bench.api --runs 9       more rounds
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import web
from bench import load
from bench.installation import Installation, family, installed
from bench.load import Load
from engine.access import accounts
from local import ports
from models.session import transaction
from web import tokens

BATCH = 500
CONNECTIONS = 32
ROOT = Path(__file__).resolve().parents[1]
_MAIL = (
    '{"to": "persona@@@empresa.example", "template": "email_1_roi", "variables": {"nombre": "Juan Pérez", '
    '"industria": "Marketing", "link_calendly": "https://calendly.example/juan"}}'
)


@dataclass(frozen=True, slots=True)
class Round:
    """One look at each, one after the other: empty views, sends and batched messages a second."""

    empty: float
    single: float
    batched: float


def main() -> None:
    """The command line: the table, then a JSON line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each part of a round (default: %(default)s)")
    options = parser.parse_args()
    with (
        installed(smtp_port=9) as installation,
        served(installation, "web:create_app", "/healthz") as ours,
        served(installation, "bench.empty:create_app", "/") as empty,
    ):
        token = caller()
        look(installation, ours, empty, token, 1.0)  # to warm up: a ledger that was never analyzed is read in full
        installation.settle()
        rounds = [look(installation, ours, empty, token, options.seconds) for _ in range(options.runs)]
    tell("api_over_empty_view", 0.12, [each.single / each.empty for each in rounds], rounds)
    tell("batch_over_empty_view", 1.0, [each.batched / each.empty for each in rounds], rounds)


def caller() -> str:
    """The token of an account that may send."""
    with transaction() as session:
        account = accounts.create(session, "bench", f"bench {datetime.now(UTC).isoformat()}", scopes=["send"])
    with web.create_app().app_context():
        return tokens.issue(account).access


@dataclass(frozen=True, slots=True)
class Served:
    """A web server of the installation."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def cpu_s(self) -> float:
        """User and system time of all its processes."""
        times = [each.cpu_times() for each in family(self.process.pid)]
        return float(sum(each.user + each.system for each in times))


@contextmanager
def served(installation: Installation, app: str, path: str) -> Iterator[Served]:
    """The web server as the Procfile starts it, with this application; ready when `path` answers."""
    port = ports.free()
    [line] = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:")]
    command = line.removeprefix("web:").replace("web:create_app", app)
    here = {"WEB_PORT": str(port), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (installation.folder / "web.log").open("ab") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"], stdout=output, stderr=output, cwd=ROOT, env={**os.environ, **here}
        )
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}{path}")
        yield Served(port, process)
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_it_answers(url: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own server
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def look(installation: Installation, ours: Served, empty: Served, token: str, seconds: float) -> Round:
    """One round: the three loads in turn, and what each took."""
    single, batch = installation.folder / "send.json", installation.folder / "batch.json"
    single.write_text(_MAIL)
    batch.write_text('{"emails": [' + ", ".join([_MAIL] * BATCH) + "]}")
    views = [
        View("empty", empty, Load("/")),
        View("single", ours, Load("/api/v1/emails/send", single, token)),
        View("batch", ours, Load("/api/v1/emails/batch", batch, token), each=BATCH),
    ]
    return Round(*[view.measure(installation, seconds) for view in views])


@dataclass(frozen=True, slots=True)
class View:
    """A view under load; each of its answers stands for `each` things done."""

    name: str
    server: Served
    load: Load
    each: int = 1

    def measure(self, installation: Installation, seconds: float) -> float:
        """Things done a second, with 32 connections; a line tells what they cost."""
        web_s, postgres_s = self.server.cpu_s, installation.cpu_s()["postgres"]
        heard = load.run(self.server.port, self.load, seconds=seconds, connections=CONNECTIONS)
        if heard.refused or not heard.answers:
            raise RuntimeError(f"{self.name}: {heard.refused} of {heard.answers} requests were refused")
        done = heard.answers * self.each
        web_us = (self.server.cpu_s - web_s) / done * 1e6
        postgres_us = (installation.cpu_s()["postgres"] - postgres_s) / done * 1e6
        print(
            f"{self.name:<7}{done / heard.took_s:9.0f}/s   CPU us each: web {web_us:5.0f}, postgres {postgres_us:5.0f}"
            f"   p50 {heard.p50_ms:7.1f} ms, p99 {heard.p99_ms:7.1f} ms",
            flush=True,
        )
        return done / heard.took_s


def tell(name: str, bar: float, ratios: list[float], rounds: list[Round]) -> None:
    """The median of the ratios of the rounds, as a line of JSON."""
    figure = {
        "figure": name,
        "value": round(statistics.median(ratios), 3),
        "bar": bar,
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "runs": len(ratios),
        "connections": CONNECTIONS,
        "empty_views_per_second": round(statistics.median(each.empty for each in rounds)),
        "sends_per_second": round(statistics.median(each.single for each in rounds)),
        "batched_messages_per_second": round(statistics.median(each.batched for each in rounds)),
        "cores": os.cpu_count(),
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
