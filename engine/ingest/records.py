"""The format of spool files: one line for each event, read in batches, so that the size of a file does not matter.

A line is the CRC-32 of its JSON (eight hex digits), the length of the JSON, and the JSON without line ends. A torn tail
has no line end, a corrupt record another checksum or length; the records after either can be read.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from engine.tracking.events import Entry

BATCH, BATCH_BYTES = 500, 1 << 20
LINE_MAX_BYTES = 1 << 20  # a longer line was not written by a spool
_CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Content:
    """A part of a file: its whole records, its corrupt lines, and whether the torn tail of the file follows."""

    entries: tuple[Entry, ...]
    corrupt: tuple[bytes, ...]
    is_torn: bool


def encoded(entry: Entry) -> bytes:
    """Return the entry as a line of the file."""
    # Formatted by hand in half the time of an encoder: all but the data are words, digits and dates.
    fields = (
        f'{{"id":"{entry.id.hex}","email_id":"{entry.email_id.hex}","event_type":"{entry.event_type}",'
        f'"event_data":{json.dumps(entry.event_data)},"timestamp":"{entry.timestamp.isoformat()}","source":"{entry.source}",'
        f'"dedupe_key":"{entry.dedupe_key.hex()}","received_at":"{entry.received_at.isoformat()}"}}'
    )
    record = fields.encode()
    return b"%08x %d %b\n" % (crc32(record), len(record), record)


def decoded(read: Callable[[], bytes]) -> Iterator[Content]:
    """Yield the records in the bytes that `read` returns until it returns none, in batches.

    A line that is not whole is never interpreted.
    """
    entries: list[Entry] = []
    corrupt: list[bytes] = []
    size = 0
    for line, is_whole in _lines(read):
        if not is_whole:
            yield Content(tuple(entries), tuple(corrupt), is_torn=True)
            return
        entry = _entry(line)
        if entry is None:
            corrupt.append(line)
        else:
            entries.append(entry)
        size += len(line)
        if len(entries) == BATCH or size >= BATCH_BYTES:
            yield Content(tuple(entries), tuple(corrupt), is_torn=False)
            entries, corrupt, size = [], [], 0
    if entries or corrupt:
        yield Content(tuple(entries), tuple(corrupt), is_torn=False)


def _lines(read: Callable[[], bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each line without its end, and False for a last one that has no end. Cuts lines that are too long."""
    rest = b""
    while chunk := read():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line, True
        if len(rest) > LINE_MAX_BYTES:
            yield rest, True
            rest = b""
    if rest:
        yield rest, False


def reader(descriptor: int) -> Callable[[], bytes]:
    """Return a function that returns the next part of the file at each call."""
    offset = 0

    def read() -> bytes:
        nonlocal offset
        chunk = os.pread(descriptor, _CHUNK_BYTES, offset)
        offset += len(chunk)
        return chunk

    return read


def _entry(line: bytes) -> Entry | None:
    """Return the entry of a line; None if the line is corrupt, or was written by an incompatible version."""
    check, _, rest = line.partition(b" ")
    length, _, record = rest.partition(b" ")
    if check != b"%08x" % crc32(record) or length != b"%d" % len(record):
        return None
    try:
        return _from_fields(json.loads(record))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_fields(fields: dict[str, Any]) -> Entry:
    return Entry(
        id=UUID(fields["id"]),
        email_id=UUID(fields["email_id"]),
        event_type=fields["event_type"],
        event_data=fields["event_data"],
        timestamp=datetime.fromisoformat(fields["timestamp"]),
        source=fields["source"],
        dedupe_key=bytes.fromhex(fields["dedupe_key"]),
        received_at=datetime.fromisoformat(fields["received_at"]),
    )
