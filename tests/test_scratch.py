"""The temporary folder of a run."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import scratch


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for the system's temporary folder."""
    before = tempfile.tempdir
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tempfile.tempdir = str(tmp_path)
    yield tmp_path
    tempfile.tempdir = before


def test_a_folder_is_removed_at_the_end_of_its_run(system: Path) -> None:
    with scratch.folder() as folder:
        assert Path(tempfile.mkdtemp()).parent == folder == Path(os.environ["TMPDIR"])
    assert list(system.iterdir()) == []


def test_a_folder_of_a_killed_run_is_removed_by_the_next_and_one_in_use_is_kept(system: Path) -> None:
    abandoned = system / "cadencia-tests-abandoned"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    with scratch.folder() as first:
        tempfile.tempdir = str(system)
        with scratch.folder() as second:
            assert sorted(system.iterdir()) == sorted([first, second])
