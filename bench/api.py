"""What the API takes in, against an empty Flask view behind the same server: single sends, and batches of 500.

python -m bench.api                the short form
python -m bench.api --runs 9       more rounds
"""

import argparse
from dataclasses import dataclass

from bench import load
from bench.installation import Installation, installed
from bench.load import Load
from bench.report import figures
from bench.served import Served, caller, served

BATCH = 500
CONNECTIONS = 32
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
        served(installation) as ours,
        served(installation, "bench.empty:create_app", "/") as empty,
    ):
        token = caller(["send"])
        look(installation, ours, empty, token, 1.0)  # to warm up: a ledger that was never analyzed is read in full
        installation.settle()
        rounds = [look(installation, ours, empty, token, options.seconds) for _ in range(options.runs)]
    print("\n".join(told(rounds)), flush=True)


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


def told(rounds: list[Round]) -> list[str]:
    """Both figures as JSON lines: the medians of the ratios of the rounds."""
    facts = {
        "connections": CONNECTIONS,
        "empty_views_per_second": round(figures.middle([each.empty for each in rounds])),
        "sends_per_second": round(figures.middle([each.single for each in rounds])),
        "batched_messages_per_second": round(figures.middle([each.batched for each in rounds])),
    }
    single = figures.of("api_over_empty_view", [each.single / each.empty for each in rounds], **facts)
    batch = figures.of("batch_over_empty_view", [each.batched / each.empty for each in rounds], **facts)
    return [single.line, batch.line]


if __name__ == "__main__":
    main()
