"""Layout of a file of contacts: its separator, its header and the meaning of its columns, from its first lines."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.audience.files import cells, columns, records
from engine.audience.files.columns import Column, Named
from engine.audience.files.records import IsRecord
from errors import InvalidInput

SEPARATORS = ",;\t|"
COLUMNS_MAX = 2_000
ATTRIBUTES_MAX = 100
SAMPLE_LINES = 200
_HEADER_WITHIN = 30  # records, as notes may stand above it


@dataclass(frozen=True, slots=True)
class Layout:
    """The separator, the header's first and last line (0 without a header), the columns, the usual numbers of cells."""

    separator: str
    header_line: int
    header_end: int
    columns: tuple[Column, ...]
    widths: frozenset[int]


class _Table(NamedTuple):
    """A reading of the first lines with one separator: the header, and the records below it."""

    separator: str
    header: list[str]
    line: int
    end: int
    rows: list[list[str]]


def find(sample: Sequence[tuple[int, str]], *, separator: str | None, mapping: Sequence[str]) -> Layout:
    """Return the layout of a file that begins with these numbered lines.

    The header is the first record that names or maps a column of addresses. Without one, the column with the most
    addresses counts, and the header is the record above them, or missing. Raises InvalidInput if no column is the
    address.
    """
    text = "".join(line for _, line in sample)
    choices = [separator] if separator else [each for each in SEPARATORS if each == "," or each in text]
    readings = {each: list(records.read(sample, each, is_record=_by_width(sample, each))) for each in choices}
    tables = [table for each, read in readings.items() if (table := _named(each, read, mapping))]
    table = max(tables, key=_named_columns) if tables else _by_content(readings)
    if len(table.header) > COLUMNS_MAX:
        raise InvalidInput.of("header", f"has {len(table.header)} columns; give at most {COLUMNS_MAX}")
    understood = _understand(table, columns.mapped(table.header, mapping))
    if not any(column.meaning == columns.EMAIL for column in understood):
        raise InvalidInput.of("header", _missing(table.header))
    widths = {len(table.header), _usual_width(sample, table.separator)}
    return Layout(table.separator, table.line, table.end, tuple(understood), frozenset(widths))


def _usual_width(sample: Sequence[tuple[int, str]], separator: str) -> int:
    """Return the most common number of cells of lines without quotation marks."""
    widths = Counter(line.count(separator) + 1 for _, line in sample if '"' not in line and not line.isspace())
    return widths.most_common(1)[0][0] if widths else 0


def _by_width(sample: Sequence[tuple[int, str]], separator: str) -> IsRecord:
    """Recognise records by their usual width and an address, while the header is not known."""
    usual = _usual_width(sample, separator)

    def is_record(line_cells: Sequence[str], is_open: bool) -> bool:
        fits = 1 < len(line_cells) <= usual if is_open else len(line_cells) == usual
        return fits and any(cells.is_address(cell) for cell in line_cells)

    return is_record


def _named_columns(table: _Table) -> tuple[int, int]:
    """Return how many columns have a known name, and how many there are."""
    return sum(columns.named(name) is not None for name in table.header), len(table.header)


def _named(separator: str, read: Sequence[records.Record], mapping: Sequence[str]) -> _Table | None:
    """Return the table whose header is the first record that names a column of addresses, None without one.

    A record among others of its width is a contact rather than a header, unless addresses stand below it.
    """
    widest = 0
    for position, record in enumerate(read[:_HEADER_WITHIN]):
        emails = _emails(record.cells, mapping)
        rows = _rows(read[position + 1 :])
        if emails and (widest < len(record.cells) or not emails.isdisjoint(_addresses(rows))):
            return _Table(separator, record.cells, record.first, record.last, rows)
        widest = max(widest, len(record.cells))
    return None


def _emails(header: Sequence[str], mapping: Sequence[str]) -> set[int]:
    """Return the columns that are addresses by their names alone or by the caller's mapping."""
    named = {index: columns.named(name) for index, name in enumerate(header)}
    emails = {index for index, own in named.items() if own and own.meaning == columns.EMAIL and not own.needs_content}
    try:
        mapped = columns.mapped(header, columns.by_name(mapping))
    except InvalidInput:
        return emails
    return emails | {index for index, word in mapped.items() if word == columns.EMAIL}


def _by_content(readings: dict[str, list[records.Record]]) -> _Table:
    """Return the table with the most addresses in one column; its header is the first full record above them."""
    best: tuple[int, int, str, int] | None = None
    for separator, read in readings.items():
        for index, matches in _addresses(_rows(read)).items():
            best = max(best or (0, 0, "", 0), (len(matches), len(read[-1].cells), separator, index))
    if best is None:
        header = max((record.cells for read in readings.values() for record in read[:1]), key=len, default=[])
        raise InvalidInput.of("header", _missing(header))
    _, _, separator, index = best
    read = readings[separator]
    usual = Counter(len(record.cells) for record in read).most_common(1)[0][0]
    for position, record in enumerate(read):
        if any(cells.is_address(cell) for cell in record.cells):
            break
        if len(record.cells) >= min(usual, index + 1):
            header = record.cells + [""] * (index + 1 - len(record.cells))
            return _Table(separator, header, record.first, record.last, _rows(read[position + 1 :]))
    blank = [""] * max(len(record.cells) for record in read)
    return _Table(separator, blank, 0, 0, _rows(read))


def _missing(header: Sequence[str]) -> str:
    if not header:
        return "has no column for the address: the file is empty"
    return (
        f"has no column for the address: its columns are {columns.names(header)}, and none holds addresses; call the "
        "right one email or correo, or map it, such as 'NAME=email'"
    )


def _rows(read: Sequence[records.Record]) -> list[list[str]]:
    return [record.cells for record in read if record.fault is None]


def _addresses(rows: Sequence[Sequence[str]]) -> dict[int, set[str]]:
    """Return the addresses of each column in which at least half of the filled cells are addresses."""
    addresses: dict[int, set[str]] = defaultdict(set)
    filled: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for row in rows:
        for index, cell in enumerate(row[:COLUMNS_MAX]):
            if cell and not cell.isspace():
                filled[index] += 1
                if "@" in cell and cells.is_address(cell):
                    good[index] += 1
                    addresses[index].add(cell.strip().casefold())
    return {index: own for index, own in addresses.items() if good[index] * 2 >= filled[index]}


def _understand(table: _Table, mapped: dict[int, str]) -> list[Column]:
    """Return the columns with their meanings: by the caller's mapping, then by name, then by content."""
    holding = _addresses([row for row in table.rows if not any(row[len(table.header) :])])
    decided = set(mapped.values())
    named = {
        index: own
        for index, name in enumerate(table.header)
        if index not in mapped
        and (own := columns.named(name))
        and own.meaning not in decided
        and (not own.needs_content or index in holding)
    }
    strong = {own.meaning for own in named.values() if not own.is_weak}
    named = {index: own for index, own in named.items() if not own.is_weak or own.meaning not in strong}
    if holding and columns.EMAIL not in decided:
        emails = [index for index, own in named.items() if own.meaning == columns.EMAIL]
        if not any(index in holding or _is_empty(table.rows, index) for index in emails):
            named = {index: own for index, own in named.items() if own.meaning != columns.EMAIL}
            fullest = max(holding, key=lambda index: len(holding[index]))
            named[fullest] = Named(columns.EMAIL, (1, 0), needs_content=True)
    return _columns(table.header, mapped, named)


def _is_empty(rows: Sequence[Sequence[str]], index: int) -> bool:
    return not any(len(row) > index and row[index].strip() for row in rows)


def _columns(header: Sequence[str], mapped: dict[int, str], named: dict[int, Named]) -> list[Column]:
    understood: list[Column] = []
    attributes = 0
    for index, name in enumerate(header):
        own, attribute = named.get(index), _attribute(header, index)
        column = Column(index, columns.shown(name, index), attribute=attribute)
        if index in mapped:
            word = mapped[index]
            if word in columns.MEANINGS or word == columns.STATUS:
                column = replace(column, by="map", rank=(0, 0), meaning=word)
            elif word == columns.ATTRIBUTE:
                column = replace(column, by="map", rank=(0, 0), attribute=attribute or f"column_{index + 1}")
            else:
                column = replace(column, by="map", rank=(0, 0), attribute=word or None)
        elif own:
            by = "content" if own.needs_content and not columns.named(name) else "name"
            column = replace(column, by=by, rank=own.rank, meaning=own.meaning)
        elif attribute:
            attributes += 1
            column = column if attributes <= ATTRIBUTES_MAX else replace(column, attribute=None)
        understood.append(column)
    return _with_fallbacks(understood)


def _attribute(header: Sequence[str], index: int) -> str | None:
    """Return the attribute for cells of a column without a meaning, None for a blank name among others."""
    name = header[index]
    if not name.strip() and any(header):
        return None
    attribute = columns.plain(name) if "@" not in name else ""
    if attribute in (columns.EMAIL, *columns.DETAILS):
        return f"{attribute}_{index + 1}"
    return attribute or f"column_{index + 1}"


def _with_fallbacks(understood: Sequence[Column]) -> list[Column]:
    """Let each column name the one that comes before it: of several with one meaning the first filled one counts."""
    first: dict[str, Column] = {}
    final: dict[int, Column] = {}
    for column in sorted(understood, key=lambda each: (each.rank, each.index)):
        single = column.meaning in (columns.EMAIL, *columns.DETAILS)
        key = (column.meaning if single else None) or (column.attribute if column.meaning is None else None)
        before = first.setdefault(key, column) if key else column
        unused = column.meaning not in (None, columns.STATUS) and (before is column or not single)
        final[column.index] = replace(
            column,
            after=None if before is column else before.name,
            attribute=None if unused else column.attribute,
        )
    return [final[column.index] for column in understood]
