"""What a thousand times as many contacts change: messages per second, and a sending process's memory.

python -m bench.million                                     10,000, 100,000 and 1,000,000 contacts, once
python -m bench.million --runs 5                            the long form
python -m bench.million --small 1000 --middle 10000 --large 50000   to try it
"""

import argparse
from collections.abc import Sequence

from bench import trial
from bench.installation import installed
from bench.report import figures
from bench.report.progress import say
from bench.trial import Result, Tuning


def main() -> None:
    """The command line: what was done, then a JSON line for each figure."""
    options = _options()
    sizes = (options.small, options.middle, options.large)
    runs = []
    with trial.receiving() as receiver, installed(receiver.port) as installation:
        for _ in range(options.runs):
            runs.append([trial.run(installation, receiver, size, Tuning()) for size in sizes])
            say("\n".join(map(str, runs[-1])))
    print("\n".join(told(runs)), flush=True)


def told(runs: Sequence[Sequence[Result]]) -> list[str]:
    """The figures as JSON lines; each run has a small, a middle and a large campaign."""
    memory = [large.peak_mib / small.peak_mib for small, _, large in runs]
    speed = [large.per_s / middle.per_s for _, middle, large in runs]
    contacts = [result.messages for result in runs[0]]
    peaks = {str(size): _middle(runs, place, "peak_mib") for place, size in enumerate(contacts)}
    rates = {str(size): _middle(runs, place, "per_s") for place, size in enumerate(contacts)}
    return [
        figures.of("million_over_hundred_thousand", speed, messages_per_second=rates).line,
        figures.of("memory_million_over_ten_thousand", memory, peak_mib=peaks).line,
    ]


def _middle(runs: Sequence[Sequence[Result]], place: int, fact: str) -> float:
    return round(figures.middle([getattr(run[place], fact) for run in runs]), 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1, help="of all three, in turn (default: %(default)s)")
    parser.add_argument("--small", type=int, default=10_000, help="contacts (default: %(default)s)")
    parser.add_argument("--middle", type=int, default=100_000, help="contacts (default: %(default)s)")
    parser.add_argument("--large", type=int, default=1_000_000, help="contacts (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
