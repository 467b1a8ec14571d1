"""The choice of the Python for the virtual environment of `make`."""

import subprocess
import sys
from pathlib import Path

import pytest

from local import interpreter
from local.interpreter import Candidate

SLOW = Candidate("/opt/a/python3.13", (3, 13, 0), True, True, 26.5)
FAST = Candidate("/usr/bin/python3.11", (3, 11, 2), True, True, 20.0)


def test_the_fastest_is_chosen_even_if_it_is_older() -> None:
    assert interpreter.choose([SLOW, FAST]) == [FAST, SLOW]


def test_the_newest_is_chosen_of_those_about_as_fast() -> None:
    newer = SLOW._replace(ms=21.9)  # 1.095 times as long
    assert interpreter.choose([FAST, newer]) == [newer, FAST]


def test_a_version_that_is_too_new_is_chosen_only_without_another() -> None:
    untried = FAST._replace(version=(3, 15, 0), ms=10.0)
    assert interpreter.choose([untried, SLOW]) == [SLOW, untried]
    assert interpreter.choose([untried]) == [untried]


def test_one_without_ensurepip_is_chosen_if_another_has_pip() -> None:
    bare = FAST._replace(has_ensurepip=False, has_pip=False)
    assert interpreter.choose([SLOW, bare]) == [bare, SLOW]
    assert interpreter.choose([bare]) == []


def test_the_choice_is_described_in_one_line() -> None:
    output = interpreter.describe(FAST, [SLOW, FAST])
    assert output == "Python 3.11.2 (/usr/bin/python3.11): the best of those installed; 3.13.0 takes 1.32 times as long"
    assert interpreter.describe(SLOW, [SLOW]) == "Python 3.13.0 (/opt/a/python3.13): the only suitable one"


def test_this_python_describes_itself() -> None:
    probed = interpreter.probe()
    assert probed is not None
    assert probed.version == sys.version_info[:3]
    assert Path(probed.path).exists()
    assert 1 < interpreter.work_ms() < 10_000


def test_a_slow_second_of_the_machine_does_not_decide() -> None:
    times = {SLOW.path: iter([26.5, 26.6, 27.0, 26.9]), FAST.path: iter([40.0, 41.0, 20.0, 33.0])}
    asked: list[str] = []

    def measure(path: str) -> float:
        asked.append(path)
        return next(times[path])

    untimed = [SLOW._replace(ms=float("inf")), FAST._replace(ms=float("inf"))]
    assert interpreter.timed(untimed, measure) == [SLOW, FAST]
    assert asked == [SLOW.path, FAST.path] * 4  # in turn


def test_one_that_stops_running_is_left_out() -> None:
    assert interpreter.timed([SLOW, FAST], {FAST.path: 21.0}.get) == [FAST]


def test_a_single_one_is_not_timed() -> None:
    assert interpreter.timed([FAST], lambda _: None) == [FAST]


def test_a_program_that_is_not_python_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 127\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert str(fake) not in [one.path for one in interpreter.installed()]


def test_an_environment_is_created_with_pip(tmp_path: Path) -> None:
    probed = interpreter.probe()
    assert probed is not None
    interpreter.make(str(tmp_path / "made"), probed, [probed])
    output = subprocess.run([tmp_path / "made/bin/python", "-m", "pip", "--version"], capture_output=True, check=True)
    assert output.stdout.startswith(b"pip ")
