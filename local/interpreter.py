"""Makes the virtual environment for `make`: with the fastest Python there is. The standard library alone, any Python.

A Python built with profile-guided optimisation runs Cadencia 20 % faster than one without, and no build tells for sure
which it is (Debian strips its own flags of it), so each is timed for a quarter of a second.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from shutil import which
from typing import NamedTuple

OLDEST = (3, 11)
NEWEST = (3, 13)  # the last one that all packages are tried on
_NAMES = ("python3", *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)))
_ALIKE = 1.1  # so much slower is no reason for an older one
_ROUNDS = 9
_PROBE_S = 30


class Candidate(NamedTuple):
    """An installed Python, as it tells of itself; `ms` is how long it takes for a fixed piece of work."""

    path: str
    version: tuple[int, int, int]
    ms: float
    has_ensurepip: bool
    has_pip: bool


def probe() -> Candidate | None:
    """The Python that runs this; None where Cadencia's packages do not fit it."""
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    is_fit = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    if not is_fit or sys.version_info < OLDEST or not (find_spec("venv") and find_spec("_ssl")):
        return None
    return Candidate(base, sys.version_info[:3], _timed(), bool(find_spec("ensurepip")), bool(find_spec("pip")))


def choose(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates that an environment can be made with, best first.

    The fastest wins; of those not much slower, the newest. One newer than all packages are tried on comes last.
    """
    found = list(candidates)
    usable = [one for one in found if one.has_ensurepip or any(other.has_pip for other in found)]
    fastest = min((one.ms for one in usable if one.version[:2] <= NEWEST), default=0.0)

    def worth(one: Candidate) -> tuple[object, ...]:
        is_alike = one.ms <= fastest * _ALIKE
        return one.version[:2] > NEWEST, not is_alike, [-part for part in one.version] if is_alike else [one.ms]

    return sorted(usable, key=worth)


def told(chosen: Candidate, candidates: Sequence[Candidate]) -> str:
    """In one line, which was taken and why."""
    name = f"Python {_dotted(chosen)} ({chosen.path})"
    others = [f"{_dotted(one)} takes {one.ms / chosen.ms:.2f} times as long" for one in candidates if one != chosen]
    return f"{name}: the only one that fits" if not others else f"{name}: of those here the best; {', '.join(others)}"


def make(folder: str, chosen: Candidate, candidates: Iterable[Candidate]) -> None:
    """The virtual environment, with pip in it; CalledProcessError if it cannot be made."""
    if chosen.has_ensurepip:
        _run(chosen.path, "-m", "venv", "--clear", folder)
        return
    other = next(one for one in candidates if one.has_pip)
    _run(chosen.path, "-m", "venv", "--clear", "--without-pip", folder)
    inside = f"{folder}/bin/python"
    _run(other.path, "-m", "pip", "--python", inside, "install", "--quiet", "--disable-pip-version-check", "pip")


def found() -> list[Candidate]:
    """Every Python on PATH and in /usr/bin that fits, each once."""
    places = {which(name, path=path) for name in _NAMES for path in _folders()}
    known = {told.path: told for place in sorted(filter(None, places)) for told in _asked(place)}
    return list(known.values())


def _folders() -> list[str]:
    return [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]


def _asked(place: str) -> Iterator[Candidate]:
    """What the Python at `place` tells of itself; nothing where it does not run or does not fit."""
    try:
        said = subprocess.run(
            [place, "-I", __file__, "--probe"], capture_output=True, text=True, timeout=_PROBE_S, check=True
        )
        path, version, *rest = json.loads(said.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return
    yield Candidate(path, tuple(version), *rest)


def _timed() -> float:
    """Milliseconds of work like ours: dictionaries, bytes, tuples, calls."""
    return min(_round_ms() for _ in range(_ROUNDS))


def _round_ms() -> float:
    began, total = time.process_time(), 0
    seen: dict[str, int] = {}
    for number in range(60_000):
        word = f"w{number & 255}"
        seen[word] = seen.get(word, 0) + number
        pair = (word.encode().translate(None, b"w"), number)
        total += _length(*pair)
    return (time.process_time() - began) * 1_000


def _length(word: bytes, number: int) -> int:
    return len(word) if number else 0


def _dotted(one: Candidate) -> str:
    return ".".join(map(str, one.version))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main(folder: str) -> int:
    """Make the environment in `folder` with the best Python it can be made with; the exit status."""
    candidates = found()
    for chosen in choose(candidates):
        print(told(chosen, candidates), flush=True)
        try:
            make(folder, chosen, candidates)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"it makes no environment ({error}); the next one is tried", file=sys.stderr)
            continue
        return 0
    print("Python 3.11 or newer is needed, with pip; name one with PYTHON=/path/to/python3", file=sys.stderr)
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m local.interpreter",
        description="Make a virtual environment with the fastest Python there is.",
        epilog="example: python -m local.interpreter .venv",
    )
    parser.add_argument("folder", nargs="?", default=".venv")
    parser.add_argument("--probe", action="store_true", help="make nothing: print what this Python is, and how fast")
    asked = parser.parse_args()
    if asked.probe:
        print(json.dumps(probe()))
    else:
        sys.exit(main(asked.folder))
