"""Files that are no recorders, or damaged ones, go into quarantine and stop the recovery of no other file."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from engine import quarantine
from engine.delivery import recorder
from engine.delivery.recorder import Recorder

EMAILS = [uuid4() for _ in range(3)]


def left_behind(folder: Path, sender: UUID | None = None) -> Path:
    """Write the recorder of a dead sender, with a group whose e-mails are in each state."""
    left = Recorder(folder, sender or uuid4(), 4)
    left.begin(uuid4(), EMAILS)
    left.complete(1)
    left.complete(2)
    left.answered(2, 250, b"2.0.0 Ok", 1, 0)
    left.abandon()
    return left.path


def overwrite(at: int, *values: int) -> Callable[[Path], object]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        struct.pack_into(f"<{len(values)}I", content, at, *values)
        path.write_bytes(content)

    return damage


def cut(size: int) -> Callable[[Path], object]:
    return lambda path: os.truncate(path, size)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def renamed(name: str) -> Callable[[Path], object]:
    return lambda path: path.rename(path.with_name(f"{name}.rec"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": cut(0),
    "cut in the header": cut(4_000),
    "cut in a slot": cut(4_096 + 200),
    "a terabyte of holes": cut(1 << 40),
    "zeros": written(bytes(5_000)),
    "text": written(b"hello\n" * 1_000),
    "four billion slots": overwrite(44, 0xFFFFFFFF),
    "a group of four billion": overwrite(80, 0xFFFFFFFF),
    "a slot in an unknown state": overwrite(4_096 + 16, 0xFFFFFFFF),
    "a directory": directory,
    "a dangling link": dangling,
    "a pipe": pipe,
    "another sender's name": renamed(uuid4().hex),
    "a name that is no id": renamed("copy of it"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_file_goes_into_quarantine_and_the_others_are_recovered(
    tmp_path: Path, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    damage(left_behind(tmp_path))
    good = {left_behind(tmp_path, UUID(int=0)), left_behind(tmp_path, UUID(int=2**128 - 1))}  # before and after it
    orphans = list(recorder.orphans(tmp_path))
    assert {orphan.path for orphan in orphans if orphan.recording} == good
    assert len(orphans) == 2
    assert quarantine.size(tmp_path) == 1
    (line,) = [line for line in caplog.messages if line.startswith("file_quarantined")]
    assert "reason=" in line
    assert len(list(recorder.orphans(tmp_path))) == 2
    assert len(caplog.messages) == 1  # reported once


def test_a_file_that_a_loss_of_power_has_damaged_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = left_behind(tmp_path)
    path.write_bytes(bytes(5_000))
    os.utime(path, (1_000_000_000, 1_000_000_000))  # before the last boot
    assert [orphan.recording for orphan in recorder.orphans(tmp_path)] == [None]
    assert (quarantine.size(tmp_path), caplog.messages) == (0, [])


def test_two_files_of_one_name_are_both_kept_in_quarantine(tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "notes.rec").write_text(content)
        assert list(recorder.orphans(tmp_path)) == []
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["first", "second"]
    assert quarantine.size(tmp_path) == 2
