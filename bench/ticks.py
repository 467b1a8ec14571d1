"""Database time of one tick, with few and with many enrollments of which none can be sent.

Half of the enrollments are due in a paused campaign, half are finished in a running one.

python -m bench.ticks                        10,000 and 2,000,000 enrollments
python -m bench.ticks --large 100000         a quick run
"""

import argparse
import statistics

from bench.report import figures
from bench.report.progress import say
from bench.testbed import large_tables
from bench.testbed.installation import installed
from local import ports
from worker.tasks import followups, upkeep

_TICKS = 40  # after two that open connections and fill caches


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=10_000, help="enrollments (default: %(default)s)")
    parser.add_argument("--large", type=int, default=2_000_000, help="enrollments (default: %(default)s)")
    options = parser.parse_args()
    small, large = _ticks_ms(options.small), _ticks_ms(options.large)
    milliseconds = [round(statistics.median(each), 2) for each in (small, large)]
    ratios = [many / few for many, few in zip(large, small, strict=True)]
    for name, values in (("tick_ms_at_two_million", large), ("tick_two_million_over_ten_thousand", ratios)):
        enrolled = [options.small, options.large]
        print(figures.of(name, values, enrollments=enrolled, milliseconds=milliseconds).line, flush=True)


def _ticks_ms(count: int) -> list[float]:
    """Return the time of the statements of some ticks, as this process waits for them."""
    with installed(ports.free()) as installation:
        large_tables.fill(installation.postgres.url("bench"), count)
        times = []
        for _ in range(_TICKS + 2):
            with large_tables.watched(explain=False) as watch:
                followups.call_due()
                upkeep.sweep()
            times.append(watch.seconds * 1000)
    say(f"{count} enrollments: median of {_TICKS} ticks {statistics.median(times[2:]):.2f} ms")
    return times[2:]


if __name__ == "__main__":
    main()
