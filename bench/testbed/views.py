"""Views of the product under load, each beside an empty Flask view behind the same server."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.testbed import load
from bench.testbed.installation import Installation, installed
from bench.testbed.load import Load
from bench.testbed.served import Served, served

CONNECTIONS = 32
_WARM_UP_S = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """A view under load; each of its responses stands for `each` units of work."""

    name: str
    server: Served
    load: Load
    each: int = 1
    connections: int = CONNECTIONS

    def measure(self, installation: Installation, seconds: float) -> float:
        """Return the units per second; print a line with their cost."""
        web_s, postgres_s = self.server.cpu_s, installation.cpu_s()["postgres"]
        responses = load.run(self.server.port, self.load, seconds=seconds, connections=self.connections)
        if responses.refused or not responses.answers:
            raise RuntimeError(f"{self.name}: {responses.refused} of {responses.answers} requests were refused")
        units = responses.answers * self.each
        web_us = (self.server.cpu_s - web_s) / units * 1e6
        postgres_us = (installation.cpu_s()["postgres"] - postgres_s) / units * 1e6
        cost = f"CPU us each: web {web_us:5.0f}, postgres {postgres_us:5.0f}"
        latency = f"p50 {responses.p50_ms:7.1f} ms, p99 {responses.p99_ms:7.1f} ms"
        print(f"{self.name:<8}{units / responses.took_s:9.0f}/s   {cost}   {latency}", flush=True)
        return units / responses.took_s


def rounds(
    about: str | None, ours: Callable[[Installation, Served], Sequence[View]], **settings_of: str
) -> list[tuple[float, ...]]:
    """Run the rounds of the command line: in each the empty view, then ours in turn, in units per second."""
    options = _options(about)
    with (
        installed(smtp_port=9, **settings_of) as installation,
        served(installation) as server,
        served(installation, "bench.testbed.empty:create_app", "/") as empty,
    ):
        views = [View("empty", empty, Load("/")), *ours(installation, server)]
        _look(installation, views, _WARM_UP_S)  # because tables without statistics are read in full
        installation.settle()
        return [_look(installation, views, options.seconds) for _ in range(options.runs)]


def _look(installation: Installation, views: Sequence[View], seconds: float) -> tuple[float, ...]:
    return tuple(view.measure(installation, seconds) for view in views)


def _options(about: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each part of a round (default: %(default)s)")
    return parser.parse_args()
