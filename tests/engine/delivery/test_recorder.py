"""The recorder of a dead process lists the e-mails that it had sent; that of a living one is not read."""

import fcntl
import os
import signal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from engine.delivery import outcomes, recorder
from engine.delivery.recorder import Mark, Recorder, Recording
from errors import Fenced

GROUP = uuid4()
EMAILS = [uuid4() for _ in range(4)]


def read_after_death(folder: Path, sender: UUID, marks: str) -> Recording | None:
    """Return the recording of a child process after kill -9; `marks` lists the marks that the child makes."""
    child = os.fork()
    if child == 0:
        recording = Recorder(folder, sender, 8)
        if "b" in marks:
            recording.begin(GROUP, EMAILS, "mail.example.com:587")
        if "c" in marks:
            recording.complete(1)
        if "a" in marks:
            recording.complete(2)
            recording.answered(2, 250, b"2.0.0 Ok: queued as 12345", 1_700_000_000_123, outcomes.SENT)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    orphan = next(iter(recorder.orphans(folder)))
    return orphan.recording


def test_marks_survive_kill_9(tmp_path: Path) -> None:
    recording = read_after_death(tmp_path, uuid4(), "bca")
    assert recording is not None
    assert (recording.group_id, recording.relay) == (GROUP, "mail.example.com:587")
    assert [recording.slots[email].mark for email in EMAILS] == [
        Mark.NOTHING,
        Mark.COMPLETE,
        Mark.ANSWERED,
        Mark.NOTHING,
    ]
    answered = recording.slots[EMAILS[2]]
    assert (answered.code, answered.at_ms, answered.decision) == (250, 1_700_000_000_123, outcomes.SENT)
    assert answered.reply == b"2.0.0 Ok: queued as 12345"


def test_a_new_recorder_has_no_group(tmp_path: Path) -> None:
    sender = uuid4()
    recording = read_after_death(tmp_path, sender, "")
    assert recording == Recording(sender, None, {})


def test_a_living_sender_is_no_orphan(tmp_path: Path) -> None:
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _kept = Recorder(tmp_path, uuid4(), 8)
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    assert list(recorder.orphans(tmp_path)) == []
    os.write(done[1], b"x")
    os.waitpid(child, 0)
    assert len(list(recorder.orphans(tmp_path))) == 1


def test_a_fork_does_not_keep_the_lock_of_its_parent(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        _kept = Recorder(tmp_path, uuid4(), 8)
        if (grandchild := os.fork()) == 0:
            signal.alarm(20)
            signal.pause()
        (tmp_path / "grandchild").write_text(str(grandchild))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(recorder.orphans(tmp_path))) == 1
    os.kill(int((tmp_path / "grandchild").read_text()), signal.SIGKILL)


def test_own_recorder_keeps_its_lock_when_orphans_are_searched(tmp_path: Path) -> None:
    mine = Recorder(tmp_path, uuid4(), 8)
    assert list(recorder.orphans(tmp_path, mine=mine.path)) == []
    child = os.fork()
    if child == 0:
        descriptor = os.open(mine.path, os.O_RDWR)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    mine.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_from_before_a_reboot_is_ignored(tmp_path: Path) -> None:
    mine = Recorder(tmp_path, uuid4(), 8)
    mine.begin(GROUP, EMAILS)
    mine.abandon()
    content = bytearray(mine.path.read_bytes())
    content[8] ^= 0xFF  # the first byte of the boot id
    mine.path.write_bytes(content)
    assert [orphan.recording for orphan in recorder.orphans(tmp_path)] == [None]


def test_a_group_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    mine = Recorder(tmp_path, uuid4(), 2)
    with pytest.raises(ValueError, match="does not fit"):
        mine.begin(GROUP, EMAILS)
    mine.close()


def test_a_reply_longer_than_a_slot_is_cut(tmp_path: Path) -> None:
    mine = Recorder(tmp_path, uuid4(), 8)
    mine.begin(GROUP, EMAILS)
    mine.answered(0, 250, b"x" * 501, 1, outcomes.SENT)
    mine.abandon()
    orphan = next(iter(recorder.orphans(tmp_path)))
    assert orphan.recording is not None
    assert orphan.recording.slots[EMAILS[0]].reply == b"x" * 500
    assert orphan.recording.slots[EMAILS[1]].mark is Mark.NOTHING


def test_complete_is_refused_when_the_lease_is_over(tmp_path: Path) -> None:
    mine = Recorder(tmp_path, uuid4(), 4)
    mine.begin(GROUP, EMAILS)
    mine.lease(recorder.boot_s() + 60)
    mine.complete(0)
    mine.lease(recorder.boot_s() - 0.001)
    with pytest.raises(Fenced, match="lease"):
        mine.complete(1)
    mine.abandon()
    (orphan,) = recorder.orphans(tmp_path)
    assert orphan.recording is not None
    assert [orphan.recording.slots[email].mark for email in EMAILS[:2]] == [Mark.COMPLETE, Mark.NOTHING]
