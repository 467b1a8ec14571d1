"""The lines of spool files: torn and corrupt ones are reported, and a file of any size takes constant memory."""

import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

from engine.ingest import records
from engine.ingest.records import Content
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from models import ids
from tests.mails import NOW


def entries(count: int, agent: str = "a reader") -> list[Entry]:
    data = {"link": 1, "method": "GET", "agent": agent}
    return [events.prepare(IncomingEvent(ids.new(), "clicked", data=data), now=NOW) for _ in range(count)]


def decoded(content: bytes) -> list[Content]:
    file = io.BytesIO(content)
    return list(records.decoded(lambda: file.read(1_000)))


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_tail_is_reported_and_the_records_before_it_are_read(cut: int) -> None:
    kept = entries(3)
    content = b"".join(map(records.encoded, kept))[:-cut]
    assert decoded(content) == [Content(tuple(kept[:2]), (), is_torn=True)]


def test_a_corrupt_record_is_reported_and_the_records_after_it_are_read() -> None:
    kept = entries(3)
    lines = [records.encoded(each) for each in kept]
    corrupt = lines[1].replace(b"clicked", b"clickEd")
    assert decoded(lines[0] + corrupt + lines[2]) == [Content((kept[0], kept[2]), (corrupt[:-1],), is_torn=False)]


@pytest.mark.parametrize("record", [b"{}", b"[]", b"7", b"[" * 100_000, b'{"id":"x"}', b"\xff"])
def test_a_whole_record_of_another_form_is_corrupt(record: bytes) -> None:
    line = b"%08x %d %b" % (crc32(record), len(record), record)
    (kept,) = entries(1)
    assert decoded(line + b"\n" + records.encoded(kept)) == [Content((kept,), (line,), is_torn=False)]


def read_in_memory_of(path: Path, use: Callable[[Content], object]) -> int:
    """Read the file and return the largest number of bytes allocated meanwhile."""
    descriptor = os.open(path, os.O_RDONLY)
    tracemalloc.start()
    try:
        for content in records.decoded(records.reader(descriptor)):
            use(content)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        os.close(descriptor)


def test_a_file_of_64_mb_is_read_in_constant_memory(tmp_path: Path) -> None:
    path, size = tmp_path / "large", 64 << 20
    (entry,) = entries(1, "x" * 8_000)
    line = records.encoded(entry)
    count = size // len(line)
    path.write_bytes(line * count)
    sizes: list[int] = []
    assert read_in_memory_of(path, lambda content: sizes.append(len(content.entries))) < 8 << 20
    assert sum(sizes) == count


def test_a_line_without_an_end_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "garbage"
    with path.open("wb") as garbage:
        garbage.truncate(64 << 20)  # zeros
    sizes: list[int] = []
    assert read_in_memory_of(path, lambda content: sizes.append(sum(map(len, content.corrupt)))) < 8 << 20
    assert sum(sizes) > 60 << 20
