"""Spool files: added entries are read again, torn and corrupt ones are reported, and drains never share a file."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import quarantine
from engine.ingest import records, spool
from engine.ingest.records import Content
from engine.ingest.spool import Spool, SpoolFull
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from models import ids
from tests.mails import NOW

LIMIT = 1_000_000


def entries(count: int) -> list[Entry]:
    data = {"link": 1, "method": "GET", "agent": 'a "reader"\n\\ ñ', "network": "other"}
    return [events.prepare(IncomingEvent(ids.new(), "clicked", data=data), now=NOW) for _ in range(count)]


def contents(folder: Path) -> list[Entry]:
    return [entry for file in spool.orphans(folder) for content in file.read() for entry in content.entries]


def left_by_another(folder: Path, lines: bytes) -> Path:
    """Write the spool file of a process that has ended."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{ids.new().hex}{spool.SUFFIX}"
    path.write_bytes(lines)
    return path


def test_added_entries_are_read_unchanged(tmp_path: Path) -> None:
    kept, own = entries(3), Spool(tmp_path, LIMIT)
    own.add(kept[:2])
    own.add(kept[2:])
    own.seal()
    with own.sealed() as [file]:
        assert list(file.read()) == [Content(tuple(kept), (), is_torn=False)]


def test_a_full_disk_raises_and_stores_nothing(tmp_path: Path) -> None:
    own = Spool(tmp_path, LIMIT)
    own.add(entries(1))
    os.dup2(os.open("/dev/full", os.O_RDWR), own._file._descriptor)  # the disk, not the code
    with pytest.raises(OSError):
        own.add(entries(1))
    own.add(entries(1))  # into a new file
    assert len(list(tmp_path.iterdir())) == 2


def test_the_limit_applies_to_all_files_until_they_are_removed(tmp_path: Path) -> None:
    kept = entries(1)
    own = Spool(tmp_path, int(len(records.encoded(kept[0])) * 2.5))
    own.add(kept)
    own.seal()
    own.add(kept)
    with pytest.raises(SpoolFull):
        own.add(kept)
    with own.sealed() as [file]:
        file.remove()
    own.add(kept)


def test_the_file_of_a_living_process_cannot_be_adopted(tmp_path: Path) -> None:
    own = Spool(tmp_path, LIMIT)
    own.add(entries(1))
    assert contents(tmp_path) == []
    code = "import sys, pathlib; from engine.ingest import spool; "
    code += "print(len(list(spool.orphans(pathlib.Path(sys.argv[1])))))"
    for expected in ("0", "0"):  # the first call closed a descriptor, too
        output = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert output.stdout.strip() == expected


def test_two_concurrent_drains_never_share_a_file(tmp_path: Path) -> None:
    kept = entries(2)
    for each in kept:
        left_by_another(tmp_path, records.encoded(each))
    first = spool.orphans(tmp_path)
    adopted = next(first)
    others = contents(tmp_path)
    assert len(others) == 1
    assert {entry.id for content in adopted.read() for entry in (*content.entries, *others)} == {
        entry.id for entry in kept
    }
    adopted.remove()
    first.close()
    assert len(list(tmp_path.iterdir())) == 1


def directory(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [directory, link, os.mkfifo])
def test_an_entry_that_is_no_file_goes_into_quarantine(
    tmp_path: Path, make: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    kept = entries(1)
    left_by_another(tmp_path, records.encoded(kept[0]))
    make(tmp_path / f"0{spool.SUFFIX}")
    make(tmp_path / f"0{spool.CONSENT_SUFFIX}")
    assert (contents(tmp_path), list(spool.peek(tmp_path / f"0{spool.CONSENT_SUFFIX}"))) == (kept, [])
    assert quarantine.size(tmp_path) == 2
    assert sum(line.startswith("file_quarantined") for line in caplog.messages) == 2


def test_the_age_of_the_backlog_is_that_of_its_oldest_file(tmp_path: Path) -> None:
    assert spool.age_s(tmp_path) is None
    left_by_another(tmp_path, b"")
    assert 0 <= (spool.age_s(tmp_path) or 0) < 60
    an_hour_ago = ids.at(datetime.now(UTC) - timedelta(hours=1))
    (tmp_path / f"{an_hour_ago.hex}{spool.REPORTS_SUFFIX}").touch()
    assert 3_600 <= (spool.age_s(tmp_path) or 0) < 3_700
    old = tmp_path / f"copy{spool.SUFFIX}"
    old.touch()
    os.utime(old, (0, 0))
    assert (spool.age_s(tmp_path) or 0) > 1e9
