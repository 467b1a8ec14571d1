"""Imports: contacts from CSV files, the good rows taken in bulk, the bad ones named by line, field and fault."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from sqlalchemy.orm import Session

from engine.audience import addresses, contacts, sheets, suppressions, zones
from errors import InvalidInput
from models import vault

MAX_ROWS = 500_000
PAGE_ROWS = 2_000
MAX_TOLD = 1_000  # faults and notes kept in a report; the counts go on

_LENGTHS = {"first_name": 100, "last_name": 100, "industry": 50, "role": 50, "company": 100, "timezone": zones.LONGEST}
_LENGTHS |= {"locale": 20}
_ATTRIBUTE_LENGTH = 1_000
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with, or worth knowing of, one line; never the value itself."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a file, judged: the contacts to take in, and what was wrong with the others."""

    rows: int
    drafts: tuple[contacts.Draft, ...]
    duplicates: int
    refused: int
    faults: tuple[RowFault, ...]
    notes: tuple[RowFault, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a page's contacts; `suppressed` of them will get no mail."""

    created: int
    updated: int
    unchanged: int
    suppressed: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file: rows = created + updated + unchanged + duplicates + refused."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    refused: int = 0
    suppressed: int = 0
    faults: tuple[RowFault, ...] = ()
    notes: tuple[RowFault, ...] = ()

    def plus(self, page: Page, stored: Stored) -> "ImportReport":
        """This report with one more page in it."""
        return ImportReport(
            rows=self.rows + page.rows,
            created=self.created + stored.created,
            updated=self.updated + stored.updated,
            unchanged=self.unchanged + stored.unchanged,
            duplicates=self.duplicates + page.duplicates,
            refused=self.refused + page.refused,
            suppressed=self.suppressed + stored.suppressed,
            faults=(self.faults + page.faults)[:MAX_TOLD],
            notes=(self.notes + page.notes)[:MAX_TOLD],
        )


def take_in(session: Session, source: BinaryIO, *, now: datetime, max_rows: int = MAX_ROWS) -> ImportReport:
    """Import a whole CSV file in the caller's transaction, page by page in bulk; see `pages` for what is accepted.

    Contacts that are there learn what the file says and keep what it leaves out. Importing twice changes nothing.
    """
    report = ImportReport()
    for page in pages(source, max_rows=max_rows):
        report = report.plus(page, store(session, page, now=now))
    return report


def store(session: Session, page: Page, *, now: datetime) -> Stored:
    """Take in one page's contacts, in two statements; safe to repeat, so a long file may be stored page by page."""
    upserted = contacts.upsert(session, page.drafts, now=now)
    suppressed = suppressions.among(session, (draft.address for draft in page.drafts))
    return Stored(upserted.created, upserted.updated, upserted.unchanged, suppressed)


def pages(source: BinaryIO, *, max_rows: int = MAX_ROWS) -> Iterator[Page]:
    """The rows of a CSV file, judged and in pages, read as they are asked for.

    A row with any fault is refused whole; of rows with the same address the first counts. Raises InvalidInput when
    the file has no usable header, or has more rows than `max_rows`: then what was given so far stays valid.
    """
    sheet = sheets.read(source)
    judge, lines = _Judge(), sheet.lines()
    noted = rows = 0
    while batch := list(islice(lines, PAGE_ROWS)):
        rows += len(batch)
        if rows > max_rows:
            raise InvalidInput.of("file", f"has more than {max_rows} rows; split it")
        fresh, noted = sheet.notes[noted:], len(sheet.notes)
        yield judge.page(batch, [RowFault(line, "file", message) for line, message in fresh])


@dataclass(slots=True)
class _Judge:
    """Judges rows; remembers the addresses that it has seen, by blind index."""

    _seen: dict[bytes, int] = field(default_factory=dict)

    def page(self, lines: list[sheets.Line], notes: list[RowFault]) -> Page:
        drafts, faults, refused = [], [], 0
        for line in lines:
            found = list(_faults(line))
            try:
                address = addresses.normalise(line.cells.get("email", ""), field="email")
            except InvalidInput as invalid:
                found += [] if line.broken else [RowFault(line.number, "email", invalid.faults[0].message)]
            if found:
                faults += found
                refused += 1
            elif first := self._first(address, line.number):
                notes.append(RowFault(line.number, "email", f"is the address of line {first}, which counts"))
            else:
                drafts.append(_draft(address, line.cells))
        duplicates = len(lines) - len(drafts) - refused
        return Page(len(lines), tuple(drafts), duplicates, refused, tuple(faults), tuple(notes))

    def _first(self, address: str, number: int) -> int:
        """The line that had this address first; 0 if this one is it."""
        first = self._seen.setdefault(vault.current().blind_index(address), number)
        return 0 if first == number else first


def _faults(line: sheets.Line) -> Iterator[RowFault]:
    """Everything wrong with a row but its address."""
    if line.broken:
        yield RowFault(line.number, "row", line.broken)
    if line.extra:
        yield RowFault(line.number, "row", f"has {line.extra} cells more than the header; quote cells with separators")
    for column, cell in line.cells.items():
        limit = _LENGTHS.get(column, _ATTRIBUTE_LENGTH)
        if column == "email":
            continue
        if len(cell) > limit:
            yield RowFault(line.number, column, f"is {len(cell)} characters long; give at most {limit}")
        elif not cell.isprintable() or "\ufffd" in cell:
            yield RowFault(line.number, column, "has control or unreadable characters; remove them")
        elif column == "timezone" and not zones.exists(cell):
            yield RowFault(line.number, column, "is not a zone of the IANA database; give one such as Europe/Madrid")
        elif column == "locale" and not _LOCALE.fullmatch(cell):
            yield RowFault(line.number, column, "is not a language tag; give one such as es or es-MX")


def _draft(address: str, cells: dict[str, str]) -> contacts.Draft:
    known = {column: cells[column] for column in _LENGTHS if column in cells}
    others = {column: cell for column, cell in cells.items() if column not in _LENGTHS and column != "email"}
    return contacts.Draft(address, **known, attributes=others)
