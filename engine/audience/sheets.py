"""Reader of CSV files in the usual encodings, separators and headers, line by line."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import BinaryIO

from errors import InvalidInput

MAX_COLUMNS = 100
MAX_LINE_BYTES = 65_536
_BLOCK_BYTES = 65_536

# Our columns, and the accepted names of each, in lower case without accents.
_NAMES = {
    "email": "email e_mail mail email_address correo correo_electronico direccion_de_correo",
    "first_name": "first_name firstname given_name name nombre nombres",
    "last_name": "last_name lastname surname family_name apellido apellidos",
    "industry": "industry industria sector",
    "role": "role job_title title position cargo puesto",
    "company": "company company_name organization organisation empresa compania",
    "timezone": "timezone time_zone zona_horaria huso_horario",
    "locale": "locale language idioma",
}
KNOWN = {written: column for column, names in _NAMES.items() for written in names.split()}

_SEPARATORS = ",;\t"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Line:
    """One record: the number of its first line, and its cells by column, without empty ones.

    `extra` counts cells beyond the header's; `broken` says why the record cannot be read.
    """

    number: int
    cells: dict[str, str]
    extra: int = 0
    broken: str | None = None


@dataclass(slots=True)
class Sheet:
    """A CSV file after its header; iterate `lines()` once. Reading adds to `notes`: (line, message)."""

    columns: Sequence[str | None]
    notes: list[tuple[int, str]] = field(default_factory=list)
    _reader: Iterator[list[str]] = field(default_factory=lambda: iter(()))
    _first_line: int = 1

    def lines(self) -> Iterator[Line]:
        """Yield the records below the header without blank ones; an unreadable record is a broken line."""
        number = self._first_line
        while True:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                yield Line(number, {}, broken="cannot be read; is a quotation mark not closed?")
            else:
                if any(cell.strip() for cell in cells):
                    yield self._line(number, cells)
            number = self._first_line + self._reader.line_num  # type: ignore[attr-defined]

    def _line(self, number: int, cells: list[str]) -> Line:
        named = zip_longest(self.columns, map(_tidy, cells)) if len(cells) < len(self.columns) else None
        pairs = named or zip(self.columns, map(_tidy, cells), strict=False)
        filled = {column: cell for column, cell in pairs if column and cell}
        return Line(number, filled, extra=max(0, len(cells) - len(self.columns)))


def read(source: BinaryIO) -> Sheet:
    """Read the header of `source` and return its sheet.

    UTF-8 with or without a byte order mark; a line that is not UTF-8 is read as Windows-1252, with a note. The header
    decides the separator: comma, semicolon or tab. Raises InvalidInput if no column of the header is the address.
    """
    notes: list[tuple[int, str]] = []
    lines = _decoded(source, notes)
    header, first_line = next(lines, ""), 2
    separator = _stated_separator(header)
    if separator:
        header, first_line = next(lines, ""), 3
    separator = separator or max(_SEPARATORS, key=_outside_quotes(header).count)
    columns = _columns(next(csv.reader([header], delimiter=separator, skipinitialspace=True), []))
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    return Sheet(columns, notes, reader, first_line)


def _decoded(source: BinaryIO, notes: list[tuple[int, str]]) -> Iterator[str]:
    """Yield the lines of the file as text, with any line ending."""
    has_note = False
    for number, raw in enumerate(_raw_lines(source), start=1):
        if number == 1 and raw.startswith(_UTF16_BOMS):
            raise InvalidInput.of("file", "is UTF-16; save it as CSV in UTF-8")
        raw = raw.removeprefix(_UTF8_BOM) if number == 1 else raw
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            if not has_note:
                notes.append((number, "is not UTF-8; this and other such lines were read as Windows-1252"))
            has_note = True
            yield raw.decode("cp1252", errors="replace")


def _raw_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield lines that end in LF, CR LF or CR; a line over MAX_LINE_BYTES is split into records of its own."""
    rest = b""
    while block := source.read(_BLOCK_BYTES):
        *lines, rest = (rest + block).splitlines(keepends=True)
        yield from lines
        if len(rest) > MAX_LINE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


def _stated_separator(line: str) -> str | None:
    """Return the separator in Excel's first line `sep=;`, which is not part of the table."""
    stated = re.fullmatch(r"sep=(.)\r?\n?", line, re.IGNORECASE)
    return stated.group(1) if stated and stated.group(1) in _SEPARATORS else None


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _columns(names: Sequence[str]) -> list[str | None]:
    written = [_plain(name) for name in names]
    columns = [KNOWN.get(name, name) or None for name in written]
    if len(columns) > MAX_COLUMNS:
        raise InvalidInput.of("header", f"has {len(columns)} columns; give at most {MAX_COLUMNS}")
    if "email" not in columns:
        raise InvalidInput.of("header", "has no column for the address; call one email or correo")
    for column in columns:
        if column and columns.count(column) > 1:
            raise InvalidInput.of("header", f"has two columns for {column}; keep one of them")
    return columns


def _plain(name: str) -> str:
    """Return a header as a template variable: lower case, no accents, words joined by underscores."""
    bare = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")[:50]


def _tidy(cell: str) -> str:
    """Return a cell in composed form (NFC), stripped, with spaces for no-break spaces."""
    return cell.strip() if cell.isascii() else unicodedata.normalize("NFC", cell).replace("\xa0", " ").strip()
