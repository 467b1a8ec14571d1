"""Profile of a campaign: by process and library (perf), and by function of a sender (py-spy).

python -m bench.profile                        fifteen seconds in the middle of a campaign
python -m bench.profile --seconds 30 --keep .  … and keep perf.data and sending.raw here

perf is in Debian's package linux-perf, py-spy on PyPI; a missing one is left out. Both need root.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.testbed import trial
from bench.testbed.installation import family, installed

_OURS = re.compile(r"\((?:engine|models|worker)/")
_IDLE = "Condition.wait "  # the bell's thread, which py-spy counts as busy
_SHOWN = 20
_WARM_UP_S = 3.0
_PER_SECOND = 20_000  # more than any machine sends in a second, so that the campaign outlasts the profile


def main() -> None:
    """Run the command line."""
    options = _options()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="cadencia-profile-"))
    with trial.receiving() as receiver, installed(receiver.port) as installation:
        campaign_id = trial.prepare(installation, int(_PER_SECOND * (options.seconds + _WARM_UP_S)))
        trial.pause(campaign_id)
        senders = installation.sending()
        trial.resume(campaign_id)
        time.sleep(_WARM_UP_S)
        sampling = [_perf(folder, options.seconds), _py_spy(folder, options.seconds, _busiest(senders.pid))]
        for process in filter(None, sampling):
            process.wait()
    _tell_perf(folder / "perf.data")
    _tell_py_spy(folder / "sending.raw")
    if options.keep is None:
        shutil.rmtree(folder)


def _busiest(pid: int) -> int:
    """Return the child process of that worker with the most CPU time: a sender."""
    children = family(pid)[1:]
    return int(max(children, key=lambda child: sum(child.cpu_times()[:2])).pid)


def _perf(folder: Path, seconds: float) -> subprocess.Popen[bytes] | None:
    command = ["-a", "-F", "499", "-q", "-o", str(folder / "perf.data"), "--", "sleep", str(seconds)]
    return _started("perf", "record", *command)


def _py_spy(folder: Path, seconds: float, pid: int) -> subprocess.Popen[bytes] | None:
    output = ["--format", "raw", "--function", "--output", str(folder / "sending.raw")]
    return _started("py-spy", "record", "--pid", str(pid), "--duration", f"{seconds:.0f}", "--rate", "100", *output)


def _started(name: str, *arguments: str) -> subprocess.Popen[bytes] | None:
    program = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if program is None:
        print(f"{name} is not installed: its part is left out", file=sys.stderr)
        return None
    return subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _tell_perf(data: Path) -> None:
    if not data.exists():
        return
    print("\nCPU of the whole machine, by process and library")
    _report(data, "--sort", "comm,dso")
    print("\nCPU of PostgreSQL, by function")
    _report(data, "--comm", "postgres", "--sort", "symbol")


def _report(data: Path, *options: str) -> None:
    command = ["perf", "report", "-i", str(data), "--stdio", "--no-children", "-q", "--percentage", "relative"]
    output = subprocess.run([*command, *options], capture_output=True, text=True, check=False).stdout
    print("\n".join([line.rstrip(" -") for line in output.splitlines() if line.strip()][:_SHOWN]))


def _tell_py_spy(raw: Path) -> None:
    if not raw.exists():
        return
    inside, itself = tally(raw.read_text("utf-8").splitlines())
    print("\nA sending process, busy time by function of ours, with all it calls")
    _shares({name: count for name, count in inside.items() if _OURS.search(name)}, sum(itself.values()))
    print("\nA sending process, busy time by function itself")
    _shares(itself, sum(itself.values()))


def tally(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Count the samples in which a function is on the stack, and on top of it, in lines such as `outer;inner 7`."""
    inside, itself = Counter[str](), Counter[str]()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        calls = frames.split(";")
        if calls[-1].startswith(_IDLE):
            continue
        itself[calls[-1]] += int(count)
        inside.update(dict.fromkeys(calls, int(count)))
    return inside, itself


def _shares(counts: Mapping[str, int], total: int) -> None:
    for name, count in Counter(counts).most_common(_SHOWN):
        print(f"{count / total:8.1%}  {name}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to look (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="keep perf.data and sending.raw in this folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
