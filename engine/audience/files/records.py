"""Records of a CSV file: cells with line breaks are joined, and an open quotation mark loses no record but its own."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

TEXT_MAX = 65_536  # characters of one record
_OPEN, _STRAY = "has a quotation mark that is not closed", "has a quotation mark within a cell; write it twice"
_LONG = "is longer than 65,536 characters"

# Recognises the cells of a line as a record of its own; True says that the line ends within a quotation mark.
IsRecord: TypeAlias = Callable[[Sequence[str], bool], bool]


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record and the numbers of its first and last line.

    `fault` says why it is unreadable; its cells are then those of the best guess.
    """

    first: int
    last: int
    cells: list[str]
    fault: str | None = None


def read(lines: Iterable[tuple[int, str]], separator: str, *, is_record: IsRecord) -> Iterator[Record]:
    """Yield the records of numbered lines, without blank ones.

    If a line within an open quotation mark is by itself a record according to `is_record`, the record that opened it is
    unreadable and ends before that line. Each line is examined a fixed number of times.
    """
    numbered, again = iter(lines), None
    while True:
        number, line = again or next(numbered, (0, ""))
        again = None
        if not number:
            return
        if '"' not in line:
            cells = line.rstrip("\r\n").split(separator)
            if any(cells) and not line.isspace():
                yield Record(number, number, cells)
            continue
        record, again = _quoted(number, line, numbered, separator, is_record)
        if record.fault or any(record.cells):
            yield record


def _quoted(
    number: int,
    line: str,
    numbered: Iterator[tuple[int, str]],
    separator: str,
    is_record: IsRecord,
) -> tuple[Record, tuple[int, str] | None]:
    """Return the record that begins with this line, and the line after it if that was read already."""
    parts, last, size = [line], number, len(line)
    cells, fault = _parse(line, separator)
    while fault == _OPEN:
        following = next(numbered, None)
        if following is None:
            break
        last_number, text = following
        if _begins(text, separator, is_record):
            return Record(number, last, _guess(line, separator), _OPEN), following
        parts.append(text)
        last, size = last_number, size + len(text)
        # Within an open quotation mark a line reads as if it began with one.
        fault = _LONG if size > TEXT_MAX else _parse('"' + text, separator)[1]
    if fault is None and len(parts) > 1:
        cells, fault = _parse(parts, separator)
    return Record(number, last, cells if fault is None else _guess(line, separator), fault), None


def _parse(text: str | list[str], separator: str) -> tuple[list[str], str | None]:
    """Return the cells of one record and None, or what could not be read: an open or a stray quotation mark."""
    lines = [text] if isinstance(text, str) else text
    try:
        return next(csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True), []), None
    except csv.Error as error:
        return [], _OPEN if "end of data" in str(error) else _STRAY


def _begins(line: str, separator: str, is_record: IsRecord) -> bool:
    """Return True if this line is a record by itself."""
    cells, fault = _parse(line, separator)
    if fault == _OPEN:
        return is_record(_guess(line, separator), True)
    return fault is None and is_record(cells, False)


def _guess(line: str, separator: str) -> list[str]:
    """Return the cells of an unreadable line, each without the quotation marks around it."""
    return [cell.strip().strip('"') for cell in line.rstrip("\r\n").split(separator)]
