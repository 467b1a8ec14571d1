"""The inbox on disk: each message one .eml file, numbered in the order of arrival."""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

_SUFFIX = ".eml"
_drafts = itertools.count()


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it was taken in, and the envelope it came in. `received_at` is to the second."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    received_at: datetime
    raw: bytes


class Mailstore:
    """The messages of one folder. Several processes may read and add to it at the same time.

    A file begins with the trace lines a mail server adds at delivery (RFC 5321, 4.4): Return-Path,
    one Delivered-To for each recipient, Received. The bytes after them are those that came in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        numbers = (int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())
        self._last = max(numbers, default=0)

    @property
    def last(self) -> int:
        """The number of the newest message, 0 if there is none: about as many as there are."""
        while self._path(self._last + 1).exists():
            self._last += 1
        return self._last

    def add(self, raw: bytes, *, sender: str, recipients: Sequence[str], received_at: datetime) -> int:
        """Keeps a message and returns its number. Its file is whole as soon as it can be seen.

        It survives the death of this process, not a power cut: nothing is fsynced.
        """
        draft = self.folder / f".{os.getpid()}-{next(_drafts)}.part"
        draft.write_bytes(_trace(sender, recipients, received_at) + raw)
        try:
            return self._publish(draft)
        finally:
            draft.unlink()

    def read(self, number: int) -> Stored | None:
        """The message of that number; None if there is none (any more)."""
        try:
            content = self._path(number).read_bytes()
        except FileNotFoundError:
            return None
        return _parse(number, content)

    def since(self, number: int) -> Iterator[Stored]:
        """Messages with a higher number, oldest first: how a reader follows what comes in."""
        return self._each(range(number + 1, self.last + 1))

    def latest(self, *, before: int | None = None, recipient: str = "") -> Iterator[Stored]:
        """Messages, newest first; only those below `before`, only to addresses that contain `recipient`.

        Files are read as the caller goes on, so the first page costs the same however many there are.
        """
        start = self.last if before is None else min(before - 1, self.last)
        wanted = recipient.casefold()
        return (
            message
            for message in self._each(range(start, 0, -1))
            if any(wanted in address.casefold() for address in message.recipients)
        )

    def _each(self, numbers: range) -> Iterator[Stored]:
        return (message for number in numbers if (message := self.read(number)) is not None)

    def _publish(self, draft: Path) -> int:
        while True:
            number = self.last + 1
            try:
                # Not a rename: that would overwrite what another process has just put there.
                self._path(number).hardlink_to(draft)
            except FileExistsError:
                continue
            self._last = number
            return number

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08d}{_SUFFIX}"


def _trace(sender: str, recipients: Sequence[str], received_at: datetime) -> bytes:
    lines = [f"Return-Path: <{sender}>", *(f"Delivered-To: {address}" for address in recipients)]
    lines.append(f"Received: by inbox.localhost; {format_datetime(received_at)}")
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def _parse(number: int, content: bytes) -> Stored:
    sender, recipients = "", []
    while True:
        line, _, content = content.partition(b"\r\n")
        name, _, value = line.decode("utf-8", "surrogateescape").partition(": ")
        match name:
            case "Return-Path":
                sender = value.removeprefix("<").removesuffix(">")
            case "Delivered-To":
                recipients.append(value)
            case "Received":
                received_at = parsedate_to_datetime(value.rpartition("; ")[2])
                return Stored(number, sender, tuple(recipients), received_at, content)
            case _:
                raise ValueError(f"message {number}: not a file of this inbox, it lacks the trace lines")
