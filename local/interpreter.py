"""Creates the virtual environment for `make` with the fastest installed Python. Needs the standard library alone.

A Python built with profile-guided optimisation runs Cadencia 20 % faster than one without, and the build flags do not
show it (Debian removes them), so each is timed. They are timed in several alternating turns, because another program
may slow the machine for a second, and with it a single candidate.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from shutil import which
from typing import Any, NamedTuple

OLDEST = (3, 11)
NEWEST = (3, 13)  # the newest that all packages are tested with
_NAMES = ("python3", *(f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)))
_SIMILAR = 1.1  # a newer Python may be this much slower than an older one
_TURNS = 4
_ROUNDS = 3  # of a turn; one takes 20 to 30 ms, starting a Python as long
_PROBE_S = 30


class Candidate(NamedTuple):
    """An installed Python, as it describes itself; `ms` is the time that a fixed piece of work takes."""

    path: str
    version: tuple[int, int, int]
    has_ensurepip: bool
    has_pip: bool
    ms: float = math.inf


def probe() -> Candidate | None:
    """Return the Python that runs this, or None if the packages do not support it."""
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    is_fit = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
    if not is_fit or sys.version_info < OLDEST or not (find_spec("venv") and find_spec("_ssl")):
        return None
    return Candidate(base, sys.version_info[:3], bool(find_spec("ensurepip")), bool(find_spec("pip")))


def choose(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that can create an environment, best first.

    The fastest is best; of those about as fast, the newest. One newer than the packages are tested with comes last.
    """
    installed = list(candidates)
    usable = [one for one in installed if one.has_ensurepip or any(other.has_pip for other in installed)]
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
    """Return every suitable Python on PATH and in /usr/bin, each once, timed."""
    places = {which(name, path=path) for name in _NAMES for path in _folders()}
    by_path = {described.path: described for place in sorted(filter(None, places)) for described in _described(place)}
    return timed(by_path.values(), _turn_ms)


def timed(candidates: Iterable[Candidate], measure: Callable[[str], float | None]) -> list[Candidate]:
    """Return the candidates with the least time of several turns, in each of which `measure` is asked for each path.

    One that is the only one is not measured; one that cannot be measured (None) is left out.
    """
    fastest = list(candidates)
    for _ in range(_TURNS if len(fastest) > 1 else 0):
        measured = [(one, measure(one.path)) for one in fastest]
        fastest = [one._replace(ms=min(one.ms, ms)) for one, ms in measured if ms is not None]
    return fastest


def _folders() -> list[str]:
    return [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]


def _described(place: str) -> Iterator[Candidate]:
    """Yield the Python at `place` as it describes itself; nothing if it does not run or is not suitable."""
    try:
        path, version, *rest = _asked(place, "--probe")
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return
    yield Candidate(path, tuple(version), *rest)


def _turn_ms(place: str) -> float | None:
    """Return the time that the Python at `place` takes, or None if it does not run."""
    try:
        return float(_asked(place, "--time"))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None


def _asked(place: str, option: str) -> Any:
    """Return what this module prints when the Python at `place` runs it with `option`."""
    command = [place, "-I", __file__, option]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=True).stdout)


def work_ms() -> float:
    """Return the milliseconds that work like ours takes: attributes, methods, generators, exceptions.

    They take half as long again without profile-guided optimisation; dictionaries and bytes alone do not.
    """
    return min(_round_ms() for _ in range(_ROUNDS))


def _round_ms() -> float:
    began = time.process_time()
    sizes: dict[str, int] = {}
    for item in _items(30_000):
        try:
            sizes[item.word] += item.size()
        except KeyError:
            sizes[item.word] = 1
        if isinstance(item, _Item) and item.number & 1:
            sizes[item.word] += sum([len(part) for part in (item.word, "ab")])
        item.word.encode().join((b"a", b"b"))
    return (time.process_time() - began) * 1_000


class _Item:
    __slots__ = ("number", "word")

    def __init__(self, number: int, word: str) -> None:
        self.number = number
        self.word = word

    def size(self) -> int:
        return len(self.word) + self.number


def _items(count: int) -> Iterator[_Item]:
    for number in range(count):
        yield _Item(number, f"w{number & 255}")


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
        "--probe", action="store_true", help="create nothing: print the path and the version of this Python"
    )
    parser.add_argument("--time", action="store_true", help="create nothing: print the milliseconds of a piece of work")
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe()))
    elif options.time:
        print(json.dumps(work_ms()))
    else:
        sys.exit(main(options.folder))
