"""Imports of contacts from files: valid rows in bulk, opt-outs and conversions with them, faults by line and field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from uuid import UUID

from sqlalchemy.orm import Session

from engine.audience import contact_flags, contacts, suppressions
from engine.audience.files import columns, sheet
from engine.audience.files.decoding import Source
from engine.audience.files.records import Record
from engine.audience.files.rows import Reader, Row
from engine.audience.import_report import ColumnReport, FileReport, Page, RowFault, Stored
from errors import InvalidInput
from models import vault

MAX_ROWS = 1_000_000
PAGE_ROWS = 2_000


def store(session: Session, page: Page, *, now: datetime) -> Stored:
    """Store the contacts, opt-outs and conversions of one page. Safe to repeat.

    Leaves the contacts in `endings` locked; `engine.engagement.file_imports` stops their sequences.
    """
    if not page.rows:
        return Stored()
    upserted = contacts.upsert(session, page.drafts, now=now)
    suppressions.add_addresses(session, page.opted_out, "unsubscribed", now=now)
    endings = _mark(session, page, now=now)
    suppressed = suppressions.among(session, (draft.address for draft in page.drafts))
    return Stored(upserted.created, upserted.updated, upserted.unchanged, suppressed, endings)


def _mark(session: Session, page: Page, *, now: datetime) -> dict[UUID, tuple[datetime, str]]:
    """Set status and conversion of the page's contacts, and lock them; return when and why they end."""
    ids = contacts.find_all(session, page.opted_out.union(page.converted))
    contact_flags.lock(session, ids.values())
    endings: dict[UUID, tuple[datetime, str]] = {}
    changes: dict[UUID, contact_flags.Changes] = {}
    for address, contact_id in ids.items():
        if address in page.converted:
            at = min(page.converted[address] or now, now)
            endings[contact_id] = (at, "converted")
            changes[contact_id] = contact_flags.Changes(converted_at=at, status="converted")
        else:
            endings[contact_id] = (now, "unsubscribed")
            changes[contact_id] = contact_flags.Changes(status="unsubscribed")
    contact_flags.add(session, changes, now=now)
    return endings


def pages(
    source: Source,
    *,
    max_rows: int = MAX_ROWS,
    page_rows: int = PAGE_ROWS,
    mapping: Sequence[str] = (),
    encoding: str | None = None,
) -> Iterator[Page]:
    """Yield the checked rows of a CSV file in pages, read on demand; at least one page.

    Only a row without a valid address, or one that cannot be read, is refused; of rows with the same address the first
    counts. `mapping` and `encoding` are those of `sheet.read`. Raises InvalidInput if the file has no usable header or
    more rows than `max_rows`; the pages before stay valid.
    """
    opened = sheet.read(source, mapping=mapping, encoding=encoding)
    checks, lines = _Checks(opened), opened.records()
    rows = 0
    while (batch := list(islice(lines, page_rows))) or not rows:
        rows += len(batch)
        if rows > max_rows:
            raise InvalidInput.of("file", f"has more than {max_rows} rows; split it")
        yield checks.page(batch)
        if not batch:
            return


@dataclass(slots=True)
class _Checks:
    """Checks of rows; knows the blind indexes of earlier addresses."""

    sheet: sheet.Sheet
    _reader: Reader = field(init=False)
    _seen: dict[bytes, int] = field(default_factory=dict)
    _noted: int = 0

    def __post_init__(self) -> None:
        self._reader = Reader(self.sheet.layout)

    def page(self, batch: list[Record]) -> Page:
        rows = [self._reader.row(record) for record in batch]
        noted = self.sheet.text.notes[self._noted :]
        self._noted += len(noted)
        notes = [RowFault(line, "file", message) for line, message in noted]
        good, faults = [], []
        for row in rows:
            notes += [RowFault(row.line, name, message) for name, message in row.notes]
            if row.fault:
                faults.append(RowFault(row.line, *row.fault))
            elif first := self._first(row):
                notes.append(RowFault(row.line, columns.EMAIL, f"is the address of line {first}, which counts"))
            else:
                good.append(row)
        return Page(
            rows=len(rows),
            drafts=tuple(map(_draft, good)),
            duplicates=len(rows) - len(good) - len(faults),
            refused=len(faults),
            lost_lines=sum(row.lines for row in rows if row.fault and row.fault[0] == "row"),
            opted_out=frozenset(vault.folded(address) for row in rows for address in row.opted_out),
            converted=_conversions(rows),
            faults=tuple(faults),
            notes=tuple(notes),
            file=self._file(),
        )

    def _first(self, row: Row) -> int:
        """Return the earlier line with this row's address, 0 if there is none."""
        first = self._seen.setdefault(vault.current().blind_index(row.address or ""), row.line)
        return 0 if first == row.line else first

    def _file(self) -> FileReport:
        counts, layout = self._reader, self.sheet.layout
        return FileReport(
            encoding=self.sheet.text.encoding,
            separator=layout.separator,
            header_line=layout.header_line or None,
            columns=tuple(
                ColumnReport(
                    name=column.name,
                    meaning=column.meaning,
                    attribute=column.attribute,
                    by=column.by,
                    after=column.after,
                    filled=counts.filled[column.index],
                    mended=counts.mended[column.index],
                    left_out=counts.left_out[column.index],
                )
                for column in layout.columns
            ),
        )


def _conversions(rows: Sequence[Row]) -> dict[str, datetime | None]:
    """Return the earliest moment of conversion by address."""
    converted: dict[str, datetime | None] = {}
    for row in rows:
        if row.converted and row.address:
            key = vault.folded(row.address)
            converted[key] = min(filter(None, (converted.get(key), row.converted_at)), default=None)
    return converted


def _draft(row: Row) -> contacts.Draft:
    return contacts.Draft(row.address or "", **row.details, attributes=row.attributes)
