"""Events applied per second in batches, against one task per event, and the lag from a hit to its flag.

python -m bench.events            the short form: a million stored events, 15 seconds of hits
python -m bench.events --long     ten million, 60 seconds
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import lag
from bench.lag import Lags
from bench.report import figures
from bench.report.progress import say
from bench.testbed import backlog
from bench.testbed.backlog import WAITING, Backlog
from bench.testbed.installation import Installation, installed, wait_until_idle
from bench.testbed.served import work
from engine import bell

CHILDREN = 2  # child processes of worker-events in the Procfile, and of the worker with one task per event
SMALL = 10_000
_WARM_UP = 4_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Events per second: one by one and in batches with few stored, in batches with many, and with few once more."""

    naive: float
    before: float
    large: float
    after: float


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    options = _options()
    with installed(smtp_port=9, TRUSTED_PROXIES="1") as installation:
        rates = [rounds(installation, options) for _ in range(options.runs)]
        installation.empty()
        lags = [lag.measure(installation, options.seconds) for _ in range(options.runs)]
    print("\n".join(figure_lines(rates, lags, options)), flush=True)


def rounds(installation: Installation, options: argparse.Namespace) -> Rates:
    """Run each in turn.

    The few stored ones before and after the many, so that drift is not taken for an effect of size.
    """
    small = _made(installation, SMALL, options)
    naive, before = one_by_one(installation, small, options.naive), in_batches(installation, small, options.events)
    large = in_batches(installation, _made(installation, options.stored, options), options.events)
    after = in_batches(installation, _made(installation, SMALL, options), options.events)
    return Rates(naive, before, large, after)


def one_by_one(installation: Installation, stored: Backlog, events: int) -> float:
    """Return the events per second of one task per event."""
    from bench.naive import applying  # imported here, because it reads the installation's environment

    stored.hit(events)
    installation.settle()
    per_s = applying.events_per_second(installation, CHILDREN)
    say(f"one by one   {events:>8} events {per_s:>8.0f}/s")
    return per_s


def in_batches(installation: Installation, stored: Backlog, events: int) -> float:
    """Return the events per second of the product's batches, applied by the worker of the Procfile."""
    work(installation, "worker-events")
    for _ in range(2):  # opens each child's connections and fills its caches
        stored.hit(_WARM_UP // 2)
        _ring_for_all()
        wait_until_idle(WAITING, within_s=60)
    stored.hit(events)
    installation.settle()
    used, started = installation.cpu_s(), time.monotonic()
    _ring_for_all()
    wait_until_idle(WAITING, within_s=600)
    took = time.monotonic() - started
    split = {part: (now - used[part]) / events * 1e6 for part, now in installation.cpu_s().items()}
    costs = ", ".join(f"{part} {us:.0f}" for part, us in split.items())
    rate = f"{events:>8} events {events / took:>8.0f}/s"
    say(f"in batches   {rate}   CPU us each: {costs}   {stored.stored} stored before")
    installation.stop_workers()
    return events / took


def _ring_for_all() -> None:
    """Ring the bell as often as the web server does while hits come in: at least once per child process."""
    for _ in range(CHILDREN):
        bell.ring("events")
        time.sleep(2 * bell.COALESCE_S)


def _made(installation: Installation, stored: int, options: argparse.Namespace) -> Backlog:
    installation.empty()
    say(f"making {stored} events")
    made = backlog.make(stored, options.naive + options.events + _WARM_UP)
    installation.settle()
    return made


def figure_lines(rates: Sequence[Rates], lags: Sequence[Lags], options: argparse.Namespace) -> list[str]:
    """Return the figures as JSON lines."""
    batches = figures.of(
        "events_batch_over_task_per_event",
        [(each.before + each.after) / 2 / each.naive for each in rates],
        children=CHILDREN,
        events_per_second=[[round(each.before), round(each.after)] for each in rates],
        against_events_per_second=[round(each.naive) for each in rates],
    )
    stored = figures.of(
        "apply_ten_million_over_ten_thousand",
        [2 * each.large / (each.before + each.after) for each in rates],
        messages=[SMALL, options.stored],
        events_per_second=[[round(each.before), round(each.large), round(each.after)] for each in rates],
    )
    shown = figures.of(
        "hit_to_flag_lag_p99_s",
        [each.at(0.99) for each in lags],
        hits_per_second=lag.RATE,
        seconds=options.seconds,
        p50_s=round(figures.middle([each.at(0.5) for each in lags]), 3),
    )
    return [batches.line, stored.line, shown.line]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="ten million stored events, a minute of hits, three runs")
    parser.add_argument("--runs", type=int, help="of everything, in turn (default: 1, or 3)")
    parser.add_argument("--stored", type=int, help="the many events (default: a million, or ten)")
    parser.add_argument("--events", type=int, default=60_000, help="applied in batches (default: %(default)s)")
    parser.add_argument("--naive", type=int, default=2_000, help="applied one by one (default: %(default)s)")
    parser.add_argument("--seconds", type=int, help="of hits (default: 15, or 60)")
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.long else 1)
    options.stored = options.stored or (10_000_000 if options.long else 1_000_000)
    options.seconds = options.seconds or (60 if options.long else 15)
    return options


if __name__ == "__main__":
    main()
