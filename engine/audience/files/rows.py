"""Rows of a file of contacts: from the cells of a record to an address, details, attributes, opt-out and conversion."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.audience.files import cells, columns
from engine.audience.files.columns import Column
from engine.audience.files.layout import Layout
from engine.audience.files.records import Record
from errors import InvalidInput


@dataclass(slots=True)
class Row:
    """One row: a normalised address, or the `fault` (field, message) for which it is refused, and its other values.

    `opted_out` are the addresses that get no e-mail according to the row, also if it is refused. A conversion without
    a date has `converted_at` None.
    """

    line: int
    lines: int = 1
    address: str | None = None
    fault: tuple[str, str] | None = None
    details: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    opted_out: tuple[str, ...] = ()
    converted: bool = False
    converted_at: datetime | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)


class Reader:
    """Reads rows by a layout, and counts the cells of each column: filled, mended, left out."""

    def __init__(self, layout: Layout) -> None:
        self.filled: Counter[int] = Counter()
        self.mended: Counter[int] = Counter()
        self.left_out: Counter[int] = Counter()
        self._columns = sorted(layout.columns, key=lambda column: (column.rank, column.index))
        self._emails = [column for column in self._columns if column.meaning == columns.EMAIL]
        self._refusing = [
            column for column in self._columns if column.meaning in (columns.OPT_OUT, columns.OPT_IN, columns.STATUS)
        ]
        self._width = len(layout.columns)

    def row(self, record: Record) -> Row:
        """Return a record as a row; only a record that cannot be read, or has no address, has a fault."""
        row = Row(record.first, record.last - record.first + 1)
        if record.fault:
            more = f"; the {row.lines - 1} lines after it are lost, too" if row.lines > 1 else ""
            row.fault = ("row", f"{record.fault}{more}")
            row.opted_out = self._salvaged(row, record.cells)
            return row
        texts = self._aligned(row, record.cells)
        self._read_address(row, texts)
        if row.fault:
            row.opted_out = self._salvaged(row, record.cells)
            return row
        self._read_cells(row, texts)
        if row.opted_out == () and len(texts) != len(record.cells) and self._opts_out(record.cells):
            row.opted_out = (row.address or "",)
        return row

    def _aligned(self, row: Row, texts: list[str]) -> list[str]:
        """Return as many cells as there are columns, and note cells beyond them, which an unquoted separator makes."""
        extra = len(texts) - self._width
        if extra <= 0 or not any(texts[self._width :]):
            return texts[: self._width] if extra > 0 else texts
        row.notes.append(("row", f"has {extra} cells more than the header: check it, and quote cells with separators"))
        first = self._emails[0].index
        if not cells.is_address(texts[first]) and cells.is_address(texts[first + extra]):
            return texts[:first] + texts[first + extra :]
        return texts[: self._width]

    def _read_address(self, row: Row, texts: Sequence[str]) -> None:
        """Set the address: that of the first column with one; the others are attributes."""
        fault = "is empty; give one address such as name@company.example"
        for column in self._emails:
            text = texts[column.index] if column.index < len(texts) else ""
            if not text:
                continue
            self.filled[column.index] += 1
            if row.address is not None:
                self._keep(row, column, text)
                continue
            try:
                row.address, note = cells.address(text)
            except InvalidInput as invalid:
                fault = invalid.faults[0].message
                self.left_out[column.index] += 1
                continue
            if note:
                self.mended[column.index] += 1
                row.notes.append((columns.EMAIL, note))
        if row.address is None:
            row.fault = (columns.EMAIL, fault)

    def _read_cells(self, row: Row, texts: Sequence[str]) -> None:
        refused_conversion = False
        for column in self._columns:
            text = texts[column.index] if column.index < len(texts) else ""
            if not text or column.meaning == columns.EMAIL:
                continue
            self.filled[column.index] += 1
            if column.meaning is None:
                self._keep(row, column, text)
            elif column.meaning in columns.DETAILS:
                self._read_detail(row, column, text)
            elif column.meaning in (columns.CONVERTED, columns.CONVERTED_AT):
                refused_conversion |= self._read_conversion(row, column, text)
            else:
                self._read_consent(row, column, text)
        if refused_conversion:
            row.converted, row.converted_at = False, None

    def _read_detail(self, row: Row, column: Column, text: str) -> None:
        meaning = column.meaning or ""
        if meaning in row.details:
            self._keep(row, column, text)
        elif mended := self._mended(row, column, meaning, text):
            row.details[meaning] = mended

    def _keep(self, row: Row, column: Column, text: str) -> None:
        """Store a cell as an attribute, if the column has one and no earlier column has filled it.

        A cell that repeats the address is left out, because attributes are not encrypted.
        """
        repeats = "@" in text and (row.address or "").casefold() in text.casefold()
        if column.attribute is None or column.attribute in row.attributes or repeats:
            self.left_out[column.index] += 1
        elif mended := self._mended(row, column, column.attribute, text):
            row.attributes[column.attribute] = mended

    def _mended(self, row: Row, column: Column, name: str, text: str) -> str:
        if len(text) <= 20 and text.isalpha() and column.meaning not in ("timezone", "locale"):
            return text
        mended, note = cells.mend(column.meaning if name == column.meaning and name else "", text)
        if note:
            (self.mended if mended else self.left_out)[column.index] += 1
            row.notes.append((name, note))
        return mended

    def _read_consent(self, row: Row, column: Column, text: str) -> None:
        if column.meaning == columns.STATUS:
            self._keep(row, column, text)
        elif cells.answer(text) == "unknown":
            self.mended[column.index] += 1
            out = column.meaning == columns.OPT_OUT
            row.notes.append((column.meaning or "", f"is neither yes nor no, {'read as yes' if out else 'ignored'}"))
        if row.address is not None and _is_out(column, text):
            row.opted_out = (row.address,)

    def _read_conversion(self, row: Row, column: Column, text: str) -> bool:
        """Set the conversion; return True if the cell says that there is none."""
        at = cells.moment(text)
        answer = cells.answer(text) if at is None else "yes"
        if answer == "unknown" or (column.meaning == columns.CONVERTED_AT and at is None and answer == "yes"):
            self.left_out[column.index] += 1
            row.notes.append((column.meaning or "", "is neither a date nor yes or no, left out"))
        elif answer == "yes":
            row.converted = True
            row.converted_at = min(filter(None, (row.converted_at, at)), default=None)
        return answer == "no" and column.meaning == columns.CONVERTED

    def _opts_out(self, texts: Sequence[str]) -> bool:
        """Return True if an opt-out stands in its column, in a shifted row also if counted from the right."""
        shift = max(0, len(texts) - self._width)
        return any(
            index < len(texts) and texts[index] and _is_out(column, texts[index], unknown=False)
            for column in self._refusing
            for index in {column.index, column.index + shift}
        )

    def _salvaged(self, row: Row, texts: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses of a refused row that opts out, so that the opt-out is not lost with the row."""
        if not self._opts_out(texts):
            return ()
        addresses = {address for text in texts if "@" in text and (address := _address(text))}
        if not addresses:
            row.notes.append((columns.OPT_OUT, "is set, but the row has no address: suppress the contact by hand"))
        return tuple(sorted(addresses))


def _is_out(column: Column, text: str, *, unknown: bool = True) -> bool:
    if column.meaning == columns.STATUS:
        return cells.says_out(text)
    answer = cells.answer(text)
    if column.meaning == columns.OPT_IN:
        return answer == "no" or cells.says_out(text)
    return answer == "yes" or (unknown and answer == "unknown")


def _address(text: str) -> str | None:
    try:
        return cells.address(text)[0]
    except InvalidInput:
        return None
