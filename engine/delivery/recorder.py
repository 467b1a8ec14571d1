"""The recorder: a small memory-mapped file that says, after kill -9, which e-mails of a group had been sent.

One file per sending process (R9 in docs/reliability.md). Marks are in the page cache, so they survive the process.
Nothing is synced: after a reboot the boot id differs, and everything that was started is in doubt anyway.
"""

import fcntl
import mmap
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime, time
from uuid import UUID

from engine import quarantine
from errors import Fenced

_MAGIC = b"CADREC04"
_HEADER = struct.Struct("<8s16s16sIII")  # magic, boot id, sender, pid, slots, slot size
_GROUP = struct.Struct("<16sI")  # the current group and the number of its e-mails
_RELAY = struct.Struct("<255p")  # the relay that the group uses
_GROUP_AT, _VALID_AT, _RELAY_AT, _HEADER_SIZE = 64, 84, 128, 4096

# A slot: the id of its e-mail (16), the state (1), 2 unused, the answer (513). The state is apart from the answer, so
# that packing an answer cannot overwrite it: it changes last, in one byte. A reply fits in whole (`replies.redact`).
_REPLY_MAX = 500
_ANSWER = struct.Struct(f"<QHBH{_REPLY_MAX}s")  # unix ms, code, decision, length of the reply, reply
_SLOT_SIZE, _STATE_AT, _ANSWER_AT = 532, 16, 19
_FIRST_STATE_AT = _HEADER_SIZE + _STATE_AT
_BLANK = bytes(_SLOT_SIZE - 16)
_SUFFIX = ".rec"
_SIZE_MAX = 1 << 24  # bytes; no recorder is that large


class Mark(IntEnum):
    """The progress of an e-mail."""

    NOTHING = 0  # its body was not sent completely
    COMPLETE = 2  # the server may have the whole body; only its reply decides
    ANSWERED = 3  # the server's reply was read


# Looked up once, because they are used for each e-mail: looking up an enum member or a method costs as much as a mark.
_COMPLETE, _ANSWERED = int(Mark.COMPLETE), int(Mark.ANSWERED)
_pack_answer = _ANSWER.pack_into


@dataclass(frozen=True, slots=True)
class Slot:
    """The recorded state of one e-mail."""

    mark: Mark
    decision: int
    code: int
    reply: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Recording:
    """The content of a dead sender's file: its last group (None if none had begun), the group's e-mails and relay."""

    sender_id: UUID
    group_id: UUID | None
    slots: Mapping[UUID, Slot]
    relay: str | None = None


def _boot_id() -> bytes:
    """Return an id that changes at every boot; zeros if the system has none."""
    try:
        return UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    except OSError:
        return bytes(16)


def boot_s() -> float:
    """Return the seconds since boot, including suspend: a lease also ends while its process is stopped."""
    return clock_gettime(CLOCK_BOOTTIME)


class Damaged(ValueError):
    """The file is no recorder, or its content contradicts itself."""


class Recorder:
    """The recorder of this process. Create it after the fork and before the first claim."""

    def __init__(self, folder: Path, sender_id: UUID, slots: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = path_of(folder, sender_id)
        self.slots = slots
        self.lease_ends = inf  # seconds of `boot_s`
        draft = self.path.with_suffix(".tmp")
        # Descriptor and map stay open until the end: closing any descriptor of a file drops its POSIX lock, and the
        # map has a descriptor of its own.
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._map = self._allocate(sender_id)
            draft.rename(self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            os.close(self._descriptor)
            raise

    def _allocate(self, sender_id: UUID) -> mmap.mmap:
        size = _HEADER_SIZE + self.slots * _SLOT_SIZE
        os.posix_fallocate(self._descriptor, 0, size)  # on a full disk, a hole would cause a SIGBUS later
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock: a fork would inherit it
        mapped = mmap.mmap(self._descriptor, size)
        _HEADER.pack_into(mapped, 0, _MAGIC, _boot_id(), sender_id.bytes, os.getpid(), self.slots, _SLOT_SIZE)
        return mapped

    def lease(self, ends: float) -> None:
        """Set when the current group's lease ends, in seconds of `boot_s` read before the database granted it."""
        self.lease_ends = ends

    def begin(self, group_id: UUID, email_ids: Sequence[UUID], relay: str = "") -> None:
        """Begin a group that uses `relay`, after its start was committed and before its first MAIL FROM."""
        if len(email_ids) > self.slots:
            raise ValueError(f"a group of {len(email_ids)} does not fit into {self.slots} slots")
        self._map[_VALID_AT] = 0
        slots = b"".join([email_id.bytes + _BLANK for email_id in email_ids])
        self._map[_HEADER_SIZE : _HEADER_SIZE + len(slots)] = slots
        _GROUP.pack_into(self._map, _GROUP_AT, group_id.bytes, len(email_ids))
        _RELAY.pack_into(self._map, _RELAY_AT, relay.encode())
        self._map[_VALID_AT] = 1

    def complete(self, slot: int) -> None:
        """Mark that the next write may contain this e-mail's final dot. Raises Fenced if the lease is over."""
        if clock_gettime(CLOCK_BOOTTIME) > self.lease_ends:
            raise Fenced("the lease of the group is over: others may have taken it over")
        self._map[_SLOT_SIZE * slot + _FIRST_STATE_AT] = _COMPLETE

    def answered(self, slot: int, code: int, reply: bytes, ms: int, decision: int) -> None:
        """Record what the server's reply decided (`outcomes.to_byte`). The mark itself changes last, in one byte."""
        start = _SLOT_SIZE * slot + _HEADER_SIZE
        _pack_answer(self._map, start + _ANSWER_AT, ms, code, decision, min(len(reply), _REPLY_MAX), reply)
        self._map[start + _STATE_AT] = _ANSWERED

    def abandon(self) -> None:
        """Release the file but keep it: it is recovered like the file of a dead process."""
        self._map.close()
        os.close(self._descriptor)

    def close(self) -> None:
        """Remove the file. Call when the last group is settled."""
        self.path.unlink(missing_ok=True)
        self.abandon()


class Orphan:
    """The file of a dead sender, locked by this process until `release`."""

    def __init__(self, path: Path, descriptor: int, recording: Recording | None) -> None:
        self.path = path
        self.sender_id = sender_of(path)
        self.recording = recording
        self._descriptor = descriptor

    def remove(self) -> None:
        """Remove the file. Call after the commit of its recovery."""
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)


def orphans(folder: Path, *, mine: Path | None = None) -> Iterator[Orphan]:
    """Yield the files in `folder` whose owner is dead: its lock is free (pids do not count, they are reused).

    `mine` is never opened: closing a second descriptor would drop this process's lock on it. A file that is damaged or
    no recorder goes into quarantine; one that cannot be opened is reported and stays.
    """
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        if path == mine or (orphan := _adopt(path)) is None:
            continue
        try:
            yield orphan
        finally:
            orphan.release()


def _adopt(path: Path) -> Orphan | None:
    """Lock and read a file. Return None if that is impossible, or if its owner is alive."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Damaged("no regular file")
        sender_of(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except ValueError as error:
        quarantine.move(path, str(error))
        return None
    except OSError as error:
        quarantine.report(path, f"cannot be opened: {type(error).__name__}")
        return None
    orphan = _locked(path, descriptor)
    if orphan is None:
        os.close(descriptor)
    return orphan


def _locked(path: Path, descriptor: int) -> Orphan | None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None  # its owner is alive
    if not path.exists():
        return None  # another process has just recovered and removed it
    try:
        return Orphan(path, descriptor, _recording(path, descriptor))
    except Exception as error:  # noqa: BLE001  # whatever is in the file, it must not stop the recovery of the others
        if os.fstat(descriptor).st_mtime < time() - boot_s():
            return Orphan(path, descriptor, None)  # nothing is synced, so a loss of power damages files
        quarantine.move(path, str(error) if isinstance(error, Damaged) else f"cannot be read: {type(error).__name__}")
        return None


def _recording(path: Path, descriptor: int) -> Recording | None:
    size = os.fstat(descriptor).st_size
    if size > _SIZE_MAX:
        raise Damaged(f"{size} bytes are more than any recorder has")
    recording = _read(os.pread(descriptor, size, 0))
    if recording is not None and recording.sender_id != sender_of(path):
        raise Damaged("its content belongs to a sender of another name")
    return recording


def _read(content: bytes) -> Recording | None:
    """Return the content of a file; None for another version or from before a reboot: then everything is in doubt.

    Raises Damaged, or another exception, for a content that no recorder writes.
    """
    if len(content) < _HEADER_SIZE or not content.startswith(_MAGIC[:6]):
        raise Damaged("its header is not one of a recorder")
    magic, boot, sender, _pid, size, slot_size = _HEADER.unpack_from(content)
    if magic != _MAGIC or boot != _boot_id():
        return None
    if slot_size != _SLOT_SIZE or len(content) != _HEADER_SIZE + size * _SLOT_SIZE:
        raise Damaged("it is shorter or longer than its header says")
    if not content[_VALID_AT]:
        return Recording(UUID(bytes=sender), None, {})
    group, count = _GROUP.unpack_from(content, _GROUP_AT)
    if count > size:
        raise Damaged("its group is larger than the file")
    starts = [_HEADER_SIZE + _SLOT_SIZE * number for number in range(count)]
    slots = {UUID(bytes=content[start : start + 16]): _slot(content, start) for start in starts}
    relay: bytes = _RELAY.unpack_from(content, _RELAY_AT)[0]
    return Recording(UUID(bytes=sender), UUID(bytes=group), slots, relay.decode("utf-8", "replace") or None)


def _slot(content: bytes, start: int) -> Slot:
    at_ms, code, decision, length, reply = _ANSWER.unpack_from(content, start + _ANSWER_AT)
    return Slot(Mark(content[start + _STATE_AT]), decision, code, reply[:length], at_ms)


def sender_of(path: Path) -> UUID:
    """Return the id of the sender that owns a recorder file, from its name. Raises Damaged for another name."""
    try:
        return UUID(path.stem)
    except ValueError:
        raise Damaged("its name is not the id of a sender") from None


def path_of(folder: Path, sender_id: UUID) -> Path:
    """Return the path of a sender's recorder."""
    return folder / f"{sender_id.hex}{_SUFFIX}"
