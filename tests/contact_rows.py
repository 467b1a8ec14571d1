"""Files of contacts for tests: their rows, and their import."""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from sqlalchemy.orm import Session

from engine.audience import imports
from engine.audience.files import sheet
from engine.audience.files.columns import Column
from engine.audience.files.rows import Reader, Row
from engine.audience.import_report import ImportReport
from engine.engagement import file_imports


def rows(data: bytes | str, *mapping: str, encoding: str | None = None) -> list[Row]:
    """Return the rows of a file."""
    opened = sheet.read(BytesIO(_bytes(data)), mapping=mapping, encoding=encoding)
    reader = Reader(opened.layout)
    return [reader.row(record) for record in opened.records()]


def row(data: bytes | str, *mapping: str, encoding: str | None = None) -> Row:
    """Return the only row of a file."""
    (only,) = rows(data, *mapping, encoding=encoding)
    return only


def columns(data: bytes | str, *mapping: str) -> dict[str, Column]:
    """Return the columns of a file by their names."""
    return {column.name: column for column in sheet.read(BytesIO(_bytes(data)), mapping=mapping).layout.columns}


def meanings(data: bytes | str, *mapping: str) -> Sequence[str | None]:
    """Return the meaning of each column, in order; of a column without one its attribute."""
    return [column.meaning or column.attribute for column in columns(data, *mapping).values()]


def take_in(
    session: Session, source: BinaryIO, *, now: datetime, max_rows: int = imports.MAX_ROWS, dry_run: bool = False
) -> ImportReport:
    """Import a whole file in this transaction."""
    report = ImportReport()
    for page in imports.pages(source, max_rows=max_rows):
        report = report.plus(page, file_imports.store(session, page, now=now, dry_run=dry_run))
    return report


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
