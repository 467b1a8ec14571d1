"""Pages of an import and its report: counts, how each column is understood, faults and notes by line."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from engine.audience.contacts import Draft

MAX_REPORTED = 1_000  # faults and notes in a report; the counts have no limit


@dataclass(frozen=True, slots=True)
class RowFault:
    """A fault or a note about one line; never contains the value."""

    line: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column of the file, its meaning, and how many of its cells are filled, mended and left out.

    See `files.columns.Column`.
    """

    name: str
    meaning: str | None
    attribute: str | None
    by: str | None
    after: str | None
    filled: int
    mended: int
    left_out: int


@dataclass(frozen=True, slots=True)
class FileReport:
    """The reading of a file: its encoding, separator, the line of its header (None without one) and its columns."""

    encoding: str = "UTF-8"
    separator: str = ","
    header_line: int | None = None
    columns: tuple[ColumnReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Checked rows of a file: the contacts to store, and the faults of the other rows.

    `opted_out` are addresses that the file suppresses, also of rows that are refused or repeated; `converted` are
    addresses with the moment of the conversion, None if the file does not say it.
    """

    rows: int
    drafts: tuple[Draft, ...]
    duplicates: int
    refused: int
    lost_lines: int
    opted_out: frozenset[str]
    converted: Mapping[str, datetime | None]
    faults: tuple[RowFault, ...]
    notes: tuple[RowFault, ...]
    file: FileReport


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of storing a page; `suppressed` of its contacts get no e-mail.

    `endings` are the contacts that opted out or converted, with the moment and the stop reason.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    suppressed: int = 0
    endings: Mapping[UUID, tuple[datetime, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import: rows = created + updated + unchanged + duplicates + refused.

    `opted_out` and `converted` count addresses for which the file says so; `lost_lines` the lines of unreadable rows.
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicates: int = 0
    refused: int = 0
    suppressed: int = 0
    opted_out: int = 0
    converted: int = 0
    lost_lines: int = 0
    file: FileReport = FileReport()
    faults: tuple[RowFault, ...] = ()
    notes: tuple[RowFault, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the counts by their names."""
        return {name: getattr(self, name) for name in COUNTS}

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
            opted_out=self.opted_out + len(page.opted_out),
            converted=self.converted + len(page.converted),
            lost_lines=self.lost_lines + page.lost_lines,
            file=page.file,
            faults=(self.faults + page.faults)[:MAX_REPORTED],
            notes=(self.notes + page.notes)[:MAX_REPORTED],
        )


COUNTS = tuple(each.name for each in fields(ImportReport) if isinstance(each.default, int))
