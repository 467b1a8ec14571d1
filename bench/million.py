"""Effect of a hundred times as many contacts on messages per second, on a sender's memory, and on the audit.

python -m bench.million                                     10,000, 100,000 and 1,000,000 contacts, once
python -m bench.million --runs 5                            the long form
python -m bench.million --small 1000 --middle 10000 --large 50000   a quick run
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from bench.report import figures
from bench.report.progress import say
from bench.testbed import trial
from bench.testbed.installation import Installation, family, installed
from bench.testbed.trial import Receiver, Result, Tuning


def main() -> None:
    """Run the command line: print progress, then one JSON line per figure."""
    options = _options()
    runs = []
    with trial.receiving() as receiver, installed(receiver.port) as installation:
        send = partial(_send, installation, receiver)
        for _ in range(options.runs):
            small, few = send(options.small), audit(installation)
            before = send(options.middle)  # and after, so that drift is not taken for an effect of size
            large, many = send(options.large), audit(installation)
            runs.append(Run(small, before, large, send(options.middle), few, many))
    print("\n".join(figure_lines(runs)), flush=True)


def _send(installation: Installation, receiver: Receiver, count: int) -> Result:
    result = trial.run(installation, receiver, count, Tuning())
    say(str(result))
    return result


@dataclass(frozen=True)
class Audit:
    """An audit: its duration, the CPU time of command and database, and the peak memory of each."""

    took_s: float
    cpu_s: float
    command_mib: float
    database_mib: float

    def __str__(self) -> str:
        peaks = f"the command {self.command_mib:.1f} MiB, the database {self.database_mib:.1f} MiB at most"
        return f"audit        {self.took_s:.1f} s, CPU {self.cpu_s:.1f} s, {peaks}"


def audit(installation: Installation) -> Audit:
    """Run `cadencia audit ledger` and measure it. Raises CalledProcessError if it finds anything."""
    installation.settle()
    used, started, command_mib, database_mib, cpu_s = installation.cpu_s()["postgres"], time.monotonic(), 0.0, 0.0, 0.0
    command = [sys.executable, "-m", "cli", "audit", "ledger"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        # Its figures are read before it is waited for: afterwards they are gone.
        while watched.status() != psutil.STATUS_ZOMBIE:
            command_mib = max(command_mib, _mib([watched], "VmHWM"))
            database_mib = max(database_mib, _mib(family(installation.postgres.pid), "RssAnon"))
            time.sleep(0.02)
        times = watched.cpu_times()
        took_s, cpu_s = time.monotonic() - started, times.user + times.system
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    result = Audit(took_s, cpu_s + installation.cpu_s()["postgres"] - used, command_mib, database_mib)
    say(str(result))
    return result


def _mib(processes: Sequence[psutil.Process], field: str) -> float:
    """Return a field of proc(5) in MiB, the sum of these processes; one that is ending has none."""
    total = 0
    for process in processes:
        with suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
    return total / 1024


@dataclass(frozen=True)
class Run:
    """One campaign of each size, the middle one twice, and the audits of the small and the large one."""

    small: Result
    before: Result
    large: Result
    after: Result
    few: Audit
    many: Audit

    @property
    def speed(self) -> float:
        """Return messages per second at the large size, over those at the middle one."""
        return 2 * self.large.per_s / (self.before.per_s + self.after.per_s)

    @property
    def memory(self) -> float:
        """Return a sender's peak memory at the large size, over that at the small one."""
        return self.large.peak_mib / self.small.peak_mib

    @property
    def audit_memory(self) -> float:
        """Return the peak memory of the audit's command at the large size, over that at the small one."""
        return self.many.command_mib / self.few.command_mib


def figure_lines(runs: Sequence[Run]) -> list[str]:
    """Return the figures as JSON lines."""
    all_sizes = [[run.small, run.before, run.after, run.large] for run in runs]
    rates = [[round(result.per_s) for result in results] for results in all_sizes]
    peaks = [[round(result.peak_mib, 1) for result in results] for results in all_sizes]
    sizes = [result.messages for result in all_sizes[0]]
    speed, memory = [run.speed for run in runs], [run.memory for run in runs]
    audit_memory = [run.audit_memory for run in runs]
    audits = [[run.few, run.many] for run in runs]
    ends, seconds = [sizes[0], sizes[-1]], [[round(each.took_s, 1) for each in both] for both in audits]
    cpu_s, own_mib = (
        [run.many.cpu_s for run in runs],
        [[round(each.database_mib, 1) for each in both] for both in audits],
    )
    return [
        figures.of("million_over_hundred_thousand", speed, messages=sizes, messages_per_second=rates).line,
        figures.of("memory_million_over_ten_thousand", memory, messages=sizes, peak_mib=peaks).line,
        figures.of("audit_cpu_s_at_a_million", cpu_s, digits=1, messages=ends, seconds=seconds).line,
        figures.of("audit_memory_million_over_ten_thousand", audit_memory, messages=ends, database_mib=own_mib).line,
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
