"""Database time of one tick, with few and with many enrollments of which none can be sent.

Half of the enrollments are due in a paused campaign, half are finished in a running one.

python -m bench.ticks                        10,000 and 2,000,000 enrollments
python -m bench.ticks --large 100000         a quick run
"""

import argparse
import statistics
from itertools import pairwise

from sqlalchemy import text

from bench.report import figures
from bench.report.progress import say
from bench.testbed import large_tables
from bench.testbed.installation import installed
from local import ports
from models.session import transaction
from worker.tasks import followups, upkeep

_ROUNDS, _TICKS = 7, 10  # after a round that opens connections and fills caches
_ACTIVE = text("SELECT active_time FROM pg_stat_database WHERE datname = current_database()")


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
    """Return the time that the database was active for a tick, the mean of each round."""
    with installed(ports.free()) as installation:
        large_tables.fill(installation.postgres.url("bench"), count)
        active = [_active_ms() for _ in range(_ROUNDS + 1)]
    times = [(after - before) / _TICKS for before, after in pairwise(active)]
    say(f"{count} enrollments: median of {_ROUNDS} rounds {statistics.median(times):.2f} ms a tick")
    return times


def _active_ms() -> float:
    """Run a round of ticks, and return the active time of the database since its start."""
    for _ in range(_TICKS):
        followups.call_due()
        upkeep.sweep()
    with transaction() as session:
        session.execute(text("SELECT pg_stat_force_next_flush()"))
    with transaction() as session:
        return float(session.scalar(_ACTIVE) or 0)


if __name__ == "__main__":
    main()
