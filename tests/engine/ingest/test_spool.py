"""Spool files: added entries are read again, torn and corrupt ones are reported, and drains never share a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.ingest import spool
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
    return [entry for file in spool.orphans(folder) for entry in file.read().entries]


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
        assert file.read() == spool.Content(tuple(kept), (), is_torn=False)


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_tail_is_reported_and_the_records_before_it_are_read(cut: int) -> None:
    kept = entries(3)
    content = b"".join(map(spool.encoded, kept))[:-cut]
    assert spool.decoded(content) == spool.Content(tuple(kept[:2]), (), is_torn=True)


def test_a_corrupt_record_is_reported_and_the_records_after_it_are_read() -> None:
    kept = entries(3)
    lines = [spool.encoded(each) for each in kept]
    corrupt = lines[1].replace(b"clicked", b"clickEd")
    assert spool.decoded(lines[0] + corrupt + lines[2]) == spool.Content((kept[0], kept[2]), (corrupt[:-1],), False)


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
    own = Spool(tmp_path, int(len(spool.encoded(kept[0])) * 2.5))
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
    for expected in ("0", "0"):  # the first look, too, closed a descriptor
        output = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert output.stdout.strip() == expected


def test_two_concurrent_drains_never_share_a_file(tmp_path: Path) -> None:
    kept = entries(2)
    for each in kept:
        left_by_another(tmp_path, spool.encoded(each))
    first = spool.orphans(tmp_path)
    taken = next(first)
    others = contents(tmp_path)
    assert len(others) == 1
    assert {entry.id for entry in (*taken.read().entries, *others)} == {entry.id for entry in kept}
    taken.remove()
    first.close()
    assert len(list(tmp_path.iterdir())) == 1
