"""The Python that `make` takes for the virtual environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from local import interpreter
from local.interpreter import Candidate

SLOW = Candidate("/opt/a/python3.13", (3, 13, 0), 26.5, True, True)
FAST = Candidate("/usr/bin/python3.11", (3, 11, 2), 20.0, True, True)


def test_the_fastest_is_taken_though_it_is_older() -> None:
    assert interpreter.choose([SLOW, FAST]) == [FAST, SLOW]


def test_the_newest_is_taken_of_those_alike_in_speed() -> None:
    newer = SLOW._replace(ms=21.9)  # 1.095 times as long
    assert interpreter.choose([FAST, newer]) == [newer, FAST]


def test_one_that_no_package_is_tried_on_is_taken_only_where_there_is_no_other() -> None:
    untried = FAST._replace(version=(3, 15, 0), ms=10.0)
    assert interpreter.choose([untried, SLOW]) == [SLOW, untried]
    assert interpreter.choose([untried]) == [untried]


def test_one_without_ensurepip_is_taken_where_another_has_pip() -> None:
    bare = FAST._replace(has_ensurepip=False, has_pip=False)
    assert interpreter.choose([SLOW, bare]) == [bare, SLOW]
    assert interpreter.choose([bare]) == []


def test_what_was_taken_is_told_in_one_line() -> None:
    said = interpreter.told(FAST, [SLOW, FAST])
    assert said == "Python 3.11.2 (/usr/bin/python3.11): of those here the best; 3.13.0 takes 1.32 times as long"
    assert interpreter.told(SLOW, [SLOW]) == "Python 3.13.0 (/opt/a/python3.13): the only one that fits"


def test_this_python_tells_of_itself() -> None:
    told = interpreter.probe()
    assert told is not None
    assert told.version == sys.version_info[:3]
    assert Path(told.path).exists()
    assert 1 < told.ms < 10_000


def test_what_is_no_python_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 127\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert str(fake) not in [one.path for one in interpreter.found()]


def test_an_environment_is_made_with_its_pip(tmp_path: Path) -> None:
    told = interpreter.probe()
    assert told is not None
    interpreter.make(str(tmp_path / "made"), told, [told])
    said = subprocess.run([tmp_path / "made/bin/python", "-m", "pip", "--version"], capture_output=True, check=True)
    assert said.stdout.startswith(b"pip ")
