"""Effect of a thousand times as many contacts on messages per second and on a sender's memory.

python -m bench.million                                     10,000, 100,000 and 1,000,000 contacts, once
python -m bench.million --runs 5                            the long form
python -m bench.million --small 1000 --middle 10000 --large 50000   a quick run
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.report import figures
from bench.report.progress import say
from bench.testbed import trial
from bench.testbed.installation import Installation, installed
from bench.testbed.trial import Receiver, Result, Tuning


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    options = _options()
    runs = []
    with trial.receiving() as receiver, installed(receiver.port) as installation:
        send = partial(_send, installation, receiver)
        for _ in range(options.runs):
            # The middle one runs before and after, so that drift is not taken for an effect of size.
            sizes = (options.small, options.middle, options.large, options.middle)
            runs.append(Run(*map(send, sizes)))
    print("\n".join(figure_lines(runs)), flush=True)


def _send(installation: Installation, receiver: Receiver, count: int) -> Result:
    result = trial.run(installation, receiver, count, Tuning())
    say(str(result))
    return result


@dataclass(frozen=True)
class Run:
    """One campaign of each size, the middle one twice."""

    small: Result
    before: Result
    large: Result
    after: Result

    @property
    def speed(self) -> float:
        """Return messages per second at the large size, over those at the middle one."""
        return 2 * self.large.per_s / (self.before.per_s + self.after.per_s)

    @property
    def memory(self) -> float:
        """Return a sender's peak memory at the large size, over that at the small one."""
        return self.large.peak_mib / self.small.peak_mib


def figure_lines(runs: Sequence[Run]) -> list[str]:
    """Return the figures as JSON lines."""
    all_sizes = [[run.small, run.before, run.after, run.large] for run in runs]
    rates = [[round(result.per_s) for result in results] for results in all_sizes]
    peaks = [[round(result.peak_mib, 1) for result in results] for results in all_sizes]
    sizes = [result.messages for result in all_sizes[0]]
    speed, memory = [run.speed for run in runs], [run.memory for run in runs]
    return [
        figures.of("million_over_hundred_thousand", speed, messages=sizes, messages_per_second=rates).line,
        figures.of("memory_million_over_ten_thousand", memory, messages=sizes, peak_mib=peaks).line,
    ]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1, help="of all three, in turn (default: %(default)s)")
    parser.add_argument("--small", type=int, default=10_000, help="contacts (default: %(default)s)")
    parser.add_argument("--middle", type=int, default=100_000, help="contacts (default: %(default)s)")
    parser.add_argument("--large", type=int, default=1_000_000, help="contacts (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
