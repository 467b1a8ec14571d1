"""A file of contacts as rows: encoding, separator, header and columns recognised, each cell tidied."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from engine.audience.files import cells, columns, layout, records
from engine.audience.files.decoding import Source, Text
from engine.audience.files.layout import Layout
from engine.audience.files.records import Record

_SAMPLE_CHARS = 262_144


@dataclass(slots=True)
class Sheet:
    """A file after its header; iterate `records()` once. Reading adds to `text.notes`."""

    text: Text
    layout: Layout
    _lines: Iterator[tuple[int, str]]

    def records(self) -> Iterator[Record]:
        """Yield the records below the header that are not blank, each with tidy cells."""
        for record in records.read(self._lines, self.layout.separator, is_record=self._is_record):
            tidy = [cells.tidy(cell) for cell in record.cells]
            if record.fault or any(tidy):
                yield Record(record.first, record.last, tidy, record.fault)

    def _is_record(self, line_cells: Sequence[str], is_open: bool) -> bool:
        """Return True for a line with the usual number of cells and an address in its place."""
        width = len(line_cells)
        fits = 1 < width <= max(self.layout.widths) if is_open else width in self.layout.widths
        return fits and any(
            column.index < width and cells.is_address(line_cells[column.index])
            for column in self.layout.columns
            if column.meaning == columns.EMAIL
        )


def read(source: Source, *, mapping: Sequence[str] = (), encoding: str | None = None) -> Sheet:
    """Read the beginning of `source` and return its sheet.

    `mapping` says what columns mean, each as `NAME=target`; `encoding` replaces the recognition of the encoding. Raises
    InvalidInput if the file is no CSV or no column is the address.
    """
    text = Text(source, encoding)
    lines = iter(enumerate(text.lines(), start=1))
    sample, chars = [], 0
    for numbered in lines:
        sample.append(numbered)
        chars += len(numbered[1])
        if len(sample) >= layout.SAMPLE_LINES or chars >= _SAMPLE_CHARS:
            break
    stated = _stated_separator(sample[0][1]) if sample else None
    table = layout.find(sample[1:] if stated else sample, separator=stated, mapping=mapping)
    below = [(number, line) for number, line in sample if number > max(table.header_end, 1 if stated else 0)]
    return Sheet(text, table, chain(below, lines))


def _stated_separator(line: str) -> str | None:
    """Return the separator in Excel's first line `sep=;`, which is not part of the table."""
    stated = re.fullmatch(r'"?sep=(.)"?\s*', line, re.IGNORECASE)
    return stated.group(1) if stated and stated.group(1) in layout.SEPARATORS else None
