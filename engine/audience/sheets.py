"""CSV files as people's programs write them: any usual encoding, separator and header, read line by line."""

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

# How a column may be called, once written in lower case without accents, and what it is to us.
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
    """One record: the number of its first line in the file, and its cells that say something, by column.

    `extra` counts cells beyond the header's; `broken` says what made the record unreadable.
    """

    number: int
    cells: dict[str, str]
    extra: int = 0
    broken: str | None = None


@dataclass(slots=True)
class Sheet:
    """A CSV file whose header was read; iterate `lines()` once. `notes` grows while it is read: (line, message)."""

    columns: Sequence[str | None]
    notes: list[tuple[int, str]] = field(default_factory=list)
    _reader: Iterator[list[str]] = field(default_factory=lambda: iter(()))
    _first_line: int = 1

    def lines(self) -> Iterator[Line]:
        """The records below the header, blank ones left out; what cannot be read comes as a broken line."""
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
        said = {column: cell for column, cell in pairs if column and cell}
        return Line(number, said, extra=max(0, len(cells) - len(self.columns)))


def read(source: BinaryIO) -> Sheet:
    """The sheet in `source`, its header read.

    UTF-8 with or without a byte order mark; a line that is not UTF-8 is read as Windows-1252, with a note. The
    separator is a comma, a semicolon or a tab, found from the header. Raises InvalidInput when there is no header
    with a column for the address.
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
    """The file's lines as text, whatever ends them."""
    noted = False
    for number, raw in enumerate(_raw_lines(source), start=1):
        if number == 1 and raw.startswith(_UTF16_BOMS):
            raise InvalidInput.of("file", "is UTF-16; save it as CSV in UTF-8")
        raw = raw.removeprefix(_UTF8_BOM) if number == 1 else raw
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            if not noted:
                notes.append((number, "is not UTF-8; this and other such lines were read as Windows-1252"))
            noted = True
            yield raw.decode("cp1252", errors="replace")


def _raw_lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines that end in LF, CR LF or CR; one of more than MAX_LINE_BYTES comes in pieces, as records of their own."""
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
    """Excel's first line `sep=;`, which is no part of the table."""
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
            raise InvalidInput.of("header", f"two columns mean {column}; keep one of them")
    return columns


def _plain(name: str) -> str:
    """A header in lower case, without accents, its words joined by underscores: fit for a template's variable."""
    bare = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")[:50]


def _tidy(cell: str) -> str:
    """A cell in Unicode's composed form, without spaces around it; a no-break space is a space."""
    return cell.strip() if cell.isascii() else unicodedata.normalize("NFC", cell).replace("\xa0", " ").strip()
