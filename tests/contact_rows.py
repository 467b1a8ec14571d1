"""Rows of a file of contacts, for tests of its readers."""

from collections.abc import Sequence
from io import BytesIO

from engine.audience.files import sheet
from engine.audience.files.columns import Column
from engine.audience.files.rows import Reader, Row


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


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
