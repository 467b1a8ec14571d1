"""The inbox on disk: one .eml file per message, numbered in the order of arrival."""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

_SUFFIX = ".eml"
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Stored:
    """A received message with its envelope. `received_at` is to the second."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    received_at: datetime
    raw: bytes


class Mailstore:
    """The messages of one folder. Several processes of its owner may read and add at the same time; others may not.

    A file begins with the trace lines that a mail server adds at delivery (RFC 5321, 4.4): Return-Path, one
    Delivered-To per recipient, Received. The received bytes follow, unchanged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # e-mails contain addresses and links that act for their readers
        numbers = (int(path.stem) for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdecimal())
        self._last = max(numbers, default=0)

    @property
    def last(self) -> int:
        """Return the number of the newest message, 0 if there is none."""
        number = self._last
        while self._path(number + 1).exists():
            number += 1
        self._last = number  # counted in a variable of its own: two threads that count in one attribute skip a number
        return number

    def add(self, raw: bytes, *, sender: str, recipients: Sequence[str], received_at: datetime) -> int:
        """Store a message and return its number. The file is complete as soon as it is visible.

        It survives the death of this process, but not a power cut: nothing is fsynced.
        """
        unfinished = self.folder / f".{os.getpid()}-{next(_numbers)}.part"
        unfinished.touch(mode=0o600)
        try:
            unfinished.write_bytes(_trace(sender, recipients, received_at) + raw)
            return self._publish(unfinished)
        finally:
            unfinished.unlink()

    def read(self, number: int) -> Stored | None:
        """Return the message of that number, or None."""
        try:
            content = self._path(number).read_bytes()
        except FileNotFoundError:
            return None
        return _parse(number, content)

    def since(self, number: int) -> Iterator[Stored]:
        """Yield the messages with a higher number, oldest first, so that a reader can follow new ones."""
        return self._each(range(number + 1, self.last + 1))

    def latest(self, *, before: int | None = None, recipient: str = "") -> Iterator[Stored]:
        """Yield messages, newest first: those below `before`, to addresses that contain `recipient`.

        Files are read on demand, so the first page costs the same for any number of messages.
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

    def _publish(self, unfinished: Path) -> int:
        while True:
            number = self.last + 1
            try:
                # A rename would overwrite a message that another process has just stored.
                self._path(number).hardlink_to(unfinished)
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
                raise ValueError(f"message {number}: not a file of this inbox: it lacks the trace lines")
