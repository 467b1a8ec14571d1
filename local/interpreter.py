"""Creates the virtual environment for `make` with the fastest installed Python. Needs only a standard library.

A Python built with profile-guided optimisation runs Cadencia 20 % faster than one without, and the build flags do not
tell which it is (Debian removes them), so each is timed for a quarter of a second.
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
NEWEST = (3, 13)  # the newest that all packages are tested with
_NAMES = ("python3", *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)))
_SIMILAR = 1.1  # a newer Python may be this much slower than an older one
_ROUNDS = 9
_PROBE_S = 30


class Candidate(NamedTuple):
    """An installed Python, as it describes itself; `ms` is the time that a fixed piece of work takes."""

    path: str
    version: tuple[int, int, int]
    ms: float
    has_ensurepip: bool
    has_pip: bool


def probe() -> Candidate | None:
    """Return the Python that runs this, or None if the packages do not support it."""
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    is_fit = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    if not is_fit or sys.version_info < OLDEST or not (find_spec("venv") and find_spec("_ssl")):
        return None
    return Candidate(base, sys.version_info[:3], _work_ms(), bool(find_spec("ensurepip")), bool(find_spec("pip")))


def choose(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that can create an environment, best first.

    The fastest is best; of those about as fast, the newest. One newer than the packages are tested with comes last.
    """
    known = list(candidates)
    usable = [one for one in known if one.has_ensurepip or any(other.has_pip for other in known)]
    fastest = min((one.ms for one in usable if one.version[:2] <= NEWEST), default=0.0)

    def rank(one: Candidate) -> tuple[object, ...]:
        is_similar = one.ms <= fastest * _SIMILAR
        return one.version[:2] > NEWEST, not is_similar, [-part for part in one.version] if is_similar else [one.ms]

    return sorted(usable, key=rank)


def describe(chosen: Candidate, candidates: Sequence[Candidate]) -> str:
    """Return one line that names the chosen Python and compares the others."""
    name = f"Python {_dotted(chosen)} ({chosen.path})"
    others = [f"{_dotted(one)} takes {one.ms / chosen.ms:.2f} times as long" for one in candidates if one != chosen]
    return (
        f"{name}: the only suitable one" if not others else f"{name}: the best of those installed; {', '.join(others)}"
    )


def make(folder: str, chosen: Candidate, candidates: Iterable[Candidate]) -> None:
    """Create the virtual environment, with pip in it; raise CalledProcessError if that fails."""
    if chosen.has_ensurepip:
        _run(chosen.path, "-m", "venv", "--clear", folder)
        return
    other = next(one for one in candidates if one.has_pip)
    _run(chosen.path, "-m", "venv", "--clear", "--without-pip", folder)
    inside = f"{folder}/bin/python"
    _run(other.path, "-m", "pip", "--python", inside, "install", "--quiet", "--disable-pip-version-check", "pip")


def installed() -> list[Candidate]:
    """Return every suitable Python on PATH and in /usr/bin, each once."""
    places = {which(name, path=path) for name in _NAMES for path in _folders()}
    known = {candidate.path: candidate for place in sorted(filter(None, places)) for candidate in _probed(place)}
    return list(known.values())


def _folders() -> list[str]:
    return [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]


def _probed(place: str) -> Iterator[Candidate]:
    """Yield the Python at `place` as it describes itself; nothing if it does not run or is not suitable."""
    try:
        completed = subprocess.run(
            [place, "-I", __file__, "--probe"], capture_output=True, text=True, timeout=_PROBE_S, check=True
        )
        path, version, *rest = json.loads(completed.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return
    yield Candidate(path, tuple(version), *rest)


def _work_ms() -> float:
    """Return the milliseconds that work like ours takes: dictionaries, bytes, tuples, calls."""
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
    """Create the environment in `folder` with the best Python that can; return the exit status."""
    candidates = installed()
    for chosen in choose(candidates):
        print(describe(chosen, candidates), flush=True)
        try:
            make(folder, chosen, candidates)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"it cannot create an environment ({error}); trying the next one", file=sys.stderr)
            continue
        return 0
    print("Python 3.11 or newer is needed, with pip; name one with PYTHON=/path/to/python3", file=sys.stderr)
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m local.interpreter",
        description="Create a virtual environment with the fastest installed Python.",
        epilog="example: python -m local.interpreter .venv",
    )
    parser.add_argument("folder", nargs="?", default=".venv")
    parser.add_argument(
        "--probe", action="store_true", help="create nothing: print the version and the speed of this Python"
    )
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe()))
    else:
        sys.exit(main(options.folder))
