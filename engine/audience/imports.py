"""Imports of contacts from CSV files: valid rows in bulk, faults by line and field."""

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
MAX_REPORTED = 1_000  # faults and notes in a report; the counts have no limit

_LENGTHS = {"first_name": 100, "last_name": 100, "industry": 50, "role": 50, "company": 100, "timezone": zones.LONGEST}
_LENGTHS |= {"locale": 20}
_ATTRIBUTE_LENGTH = 1_000
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class RowFault:
    """A fault or a note about one line; never contains the value."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """Checked rows of a file: the contacts to store, and the faults of the other rows."""

    rows: int
    drafts: tuple[contacts.Draft, ...]
    duplicates: int
    refused: int
    faults: tuple[RowFault, ...]
    notes: tuple[RowFault, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of storing a page; `suppressed` of its contacts get no e-mail."""

    created: int
    updated: int
    unchanged: int
    suppressed: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: rows = created + updated + unchanged + duplicates + refused."""

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
        """Return this report with one more page added."""
        return ImportReport(
            rows=self.rows + page.rows,
            created=self.created + stored.created,
            updated=self.updated + stored.updated,
            unchanged=self.unchanged + stored.unchanged,
            duplicates=self.duplicates + page.duplicates,
            refused=self.refused + page.refused,
            suppressed=self.suppressed + stored.suppressed,
            faults=(self.faults + page.faults)[:MAX_REPORTED],
            notes=(self.notes + page.notes)[:MAX_REPORTED],
        )


def take_in(session: Session, source: BinaryIO, *, now: datetime, max_rows: int = MAX_ROWS) -> ImportReport:
    """Import a whole CSV file in the caller's transaction, page by page; `pages` defines valid rows.

    Known contacts are updated and keep details that the file lacks. Safe to repeat.
    """
    report = ImportReport()
    for page in pages(source, max_rows=max_rows):
        report = report.plus(page, store(session, page, now=now))
    return report


def store(session: Session, page: Page, *, now: datetime) -> Stored:
    """Store the contacts of one page in two statements. Safe to repeat."""
    upserted = contacts.upsert(session, page.drafts, now=now)
    suppressed = suppressions.among(session, (draft.address for draft in page.drafts))
    return Stored(upserted.created, upserted.updated, upserted.unchanged, suppressed)


def pages(source: BinaryIO, *, max_rows: int = MAX_ROWS) -> Iterator[Page]:
    """Yield the checked rows of a CSV file in pages, read on demand.

    A row with any fault is refused; of rows with the same address the first counts. Raises InvalidInput if the file has
    no usable header or more rows than `max_rows`; the pages before stay valid.
    """
    sheet = sheets.read(source)
    checks, lines = _Checks(), sheet.lines()
    reported = rows = 0
    while batch := list(islice(lines, PAGE_ROWS)):
        rows += len(batch)
        if rows > max_rows:
            raise InvalidInput.of("file", f"has more than {max_rows} rows; split it")
        new_notes, reported = sheet.notes[reported:], len(sheet.notes)
        yield checks.page(batch, [RowFault(line, "file", message) for line, message in new_notes])


@dataclass(slots=True)
class _Checks:
    """Checks of rows; knows the blind indexes of earlier addresses."""

    _seen: dict[bytes, int] = field(default_factory=dict)

    def page(self, lines: list[sheets.Line], notes: list[RowFault]) -> Page:
        drafts, faults, refused = [], [], 0
        for line in lines:
            row_faults = list(_faults(line))
            try:
                address = addresses.normalise(line.cells.get("email", ""), field="email")
            except InvalidInput as invalid:
                row_faults += [] if line.broken else [RowFault(line.number, "email", invalid.faults[0].message)]
            if row_faults:
                faults += row_faults
                refused += 1
            elif first := self._first(address, line.number):
                notes.append(RowFault(line.number, "email", f"is the address of line {first}, which counts"))
            else:
                drafts.append(_draft(address, line.cells))
        duplicates = len(lines) - len(drafts) - refused
        return Page(len(lines), tuple(drafts), duplicates, refused, tuple(faults), tuple(notes))

    def _first(self, address: str, number: int) -> int:
        """Return the earlier line with this address, 0 if there is none."""
        first = self._seen.setdefault(vault.current().blind_index(address), number)
        return 0 if first == number else first


def _faults(line: sheets.Line) -> Iterator[RowFault]:
    """Yield the faults of a row, except those of its address."""
    if line.broken:
        yield RowFault(line.number, "row", line.broken)
    if line.extra:
        yield RowFault(
            line.number,
            "row",
            f"has {line.extra} cells more than the header; put cells that contain separators in quotes",
        )
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
