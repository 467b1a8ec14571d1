"""The flight recorder: a small memory-mapped file that tells, after kill -9, what a sender had already sent.

One file per sending process (rule R9 in docs/reliability.md). Marks go to the page cache and outlive the process;
nothing is synced, because a machine that dies takes the boot id with it and all is then in doubt anyway.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime
from uuid import UUID

from errors import Fenced

_MAGIC = b"CADREC03"
_HEADER = struct.Struct("<8s16s16sIII")  # magic, boot id, sender, pid, slots, slot size
_GROUP = struct.Struct("<16sI")  # the group in hand and how many messages it has
_RELAY = struct.Struct("<255p")  # over which one it goes
_GROUP_AT, _VALID_AT, _RELAY_AT, _HEADER_SIZE = 64, 84, 128, 4096

# A slot: the id of its message (16), the state (1), 3 unused, the answer (108). The state stands apart from what one
# packing overwrites: no byte of it may change before the mark does.
_ANSWER = struct.Struct("<QHBB96s")  # unix ms, code, phase, length of the reply, reply
_REPLY_MAX = 96
_SLOT_SIZE, _STATE_AT, _ANSWER_AT = 128, 16, 20
_FIRST_STATE_AT = _HEADER_SIZE + _STATE_AT
_BLANK = bytes(_SLOT_SIZE - 16)
_SUFFIX = ".rec"


class Mark(IntEnum):
    """How far a message got."""

    NOTHING = 0  # no body was complete: it never left
    COMPLETE = 2  # the body may be with the server; only its reply would tell
    ANSWERED = 3  # the server's reply was read


# What is called for each message: looking a member or a method up costs as much as the mark.
_COMPLETE, _ANSWERED = int(Mark.COMPLETE), int(Mark.ANSWERED)
_pack_answer = _ANSWER.pack_into


@dataclass(frozen=True, slots=True)
class Slot:
    """What the recorder knows of one message."""

    mark: Mark
    phase: int
    code: int
    reply: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class Recording:
    """A dead sender's file: its group in hand (None when no group had begun), that group's messages and its relay."""

    sender_id: UUID
    group_id: UUID | None
    slots: Mapping[UUID, Slot]
    relay: str | None = None


def _boot_id() -> bytes:
    """Changes at every boot of the machine; zeros where the system does not tell."""
    try:
        return UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    except OSError:
        return bytes(16)


def boot_s() -> float:
    """Seconds since the machine started, sleep included: a lease ends while its process is stopped, too."""
    return clock_gettime(CLOCK_BOOTTIME)


class Recorder:
    """This process's recorder; made after the fork and before the first claim."""

    def __init__(self, folder: Path, sender_id: UUID, slots: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{sender_id.hex}{_SUFFIX}"
        self.slots = slots
        draft = self.path.with_suffix(".tmp")
        size = _HEADER_SIZE + slots * _SLOT_SIZE
        # Descriptor and map stay open for life: closing any descriptor of a file drops its POSIX lock, and the map
        # holds one of its own.
        self._descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._descriptor, 0, size)  # a hole on a full disk would be a SIGBUS later
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock: a fork would inherit it
        self._map = mmap.mmap(self._descriptor, size)
        _HEADER.pack_into(self._map, 0, _MAGIC, _boot_id(), sender_id.bytes, os.getpid(), slots, _SLOT_SIZE)
        draft.rename(self.path)
        self._lease_ends = inf

    def lease(self, ends: float) -> None:
        """Until when the group in hand is ours: a moment of `boot_s`, taken before the ledger was asked for it."""
        self._lease_ends = ends

    def begin(self, group_id: UUID, email_ids: Sequence[UUID], relay: str = "") -> None:
        """Take a group in hand, to go over `relay`: after its start was committed, before its first MAIL FROM."""
        if len(email_ids) > self.slots:
            raise ValueError(f"a group of {len(email_ids)} does not fit into {self.slots} slots")
        self._map[_VALID_AT] = 0
        slots = b"".join([email_id.bytes + _BLANK for email_id in email_ids])
        self._map[_HEADER_SIZE : _HEADER_SIZE + len(slots)] = slots
        _GROUP.pack_into(self._map, _GROUP_AT, group_id.bytes, len(email_ids))
        _RELAY.pack_into(self._map, _RELAY_AT, relay.encode())
        self._map[_VALID_AT] = 1

    def complete(self, slot: int) -> None:
        """The next write can carry this message's final dot. Raises Fenced when the lease is over: it may not, then."""
        if clock_gettime(CLOCK_BOOTTIME) > self._lease_ends:
            raise Fenced("the lease of the group in hand is over: it may have been given to others")
        self._map[_SLOT_SIZE * slot + _FIRST_STATE_AT] = _COMPLETE

    def answered(self, slot: int, code: int, reply: bytes, ms: int, phase: int) -> None:
        """The server decided about this message. The mark itself comes last, in one byte."""
        start = _SLOT_SIZE * slot + _HEADER_SIZE
        _pack_answer(self._map, start + _ANSWER_AT, ms, code, phase, min(len(reply), _REPLY_MAX), reply)
        self._map[start + _STATE_AT] = _ANSWERED

    def abandon(self) -> None:
        """Let go of the file but leave it: whoever finds it sorts what it tells, as after a death."""
        self._map.close()
        os.close(self._descriptor)

    def close(self) -> None:
        """Everything in hand is settled: the file goes."""
        self.path.unlink(missing_ok=True)
        self.abandon()


class Orphan:
    """The file of a sender that is no more; locked by us until `release`."""

    def __init__(self, path: Path, descriptor: int, content: bytes) -> None:
        self.path = path
        self._descriptor = descriptor
        self.recording = _read(content)

    def remove(self) -> None:
        """What it told is in the ledger now."""
        self.path.unlink(missing_ok=True)

    def release(self) -> None:
        """Give up the lock; another process may look at it."""
        os.close(self._descriptor)


def orphans(folder: Path, *, mine: Path | None = None) -> Iterator[Orphan]:
    """The files in `folder` whose owner is dead: its lock can be had (never judged by pid: pids come again).

    `mine` is never opened: closing a second descriptor would drop the lock this process holds on it.
    """
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        if path == mine or (orphan := _adopt(path)) is None:
            continue
        try:
            yield orphan
        finally:
            orphan.release()


def _adopt(path: Path) -> Orphan | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():  # else another process has just sorted and removed it
            return Orphan(path, descriptor, os.pread(descriptor, os.fstat(descriptor).st_size, 0))
    except OSError:
        pass  # its owner lives
    os.close(descriptor)
    return None


def _read(content: bytes) -> Recording | None:
    """What a file tells; None when it is not ours to read or from before a reboot: then all is in doubt."""
    if len(content) < _HEADER_SIZE:
        return None
    magic, boot, sender, _pid, _slots, slot_size = _HEADER.unpack_from(content)
    if magic != _MAGIC or slot_size != _SLOT_SIZE or boot != _boot_id():
        return None
    if not content[_VALID_AT]:
        return Recording(UUID(bytes=sender), None, {})
    group, count = _GROUP.unpack_from(content, _GROUP_AT)
    starts = [_HEADER_SIZE + _SLOT_SIZE * number for number in range(count)]
    slots = {UUID(bytes=content[start : start + 16]): _slot(content, start) for start in starts}
    relay: bytes = _RELAY.unpack_from(content, _RELAY_AT)[0]
    return Recording(UUID(bytes=sender), UUID(bytes=group), slots, relay.decode("utf-8", "replace") or None)


def _slot(content: bytes, start: int) -> Slot:
    at_ms, code, phase, length, reply = _ANSWER.unpack_from(content, start + _ANSWER_AT)
    return Slot(Mark(content[start + _STATE_AT]), phase, code, reply[:length], at_ms)


def sender_of(path: Path) -> UUID:
    """The sender a recorder file belongs to, by its name."""
    return UUID(path.stem)
