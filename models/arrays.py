"""PostgreSQL array literals for statements that take columns; a list of UUIDs costs the driver ten times as much."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def uuids(values: Iterable[UUID]) -> str:
    """`{…}` for a parameter that is cast to uuid[]."""
    return "{" + ",".join([value.hex for value in values]) + "}"


def words(values: Iterable[str | None]) -> str:
    """`{…}` for a parameter that is cast to text[], of any text without a NUL character."""
    return "{" + ",".join([_quoted(value) for value in values]) + "}"


def numbers(values: Iterable[int | None]) -> str:
    """`{…}` for a parameter that is cast to an array of numbers."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def blobs(values: Iterable[bytes]) -> str:
    """`{…}` for a parameter that is cast to bytea[]."""
    return "{" + ",".join([rf'"\\x{value.hex()}"' for value in values]) + "}"


def moments(values: Iterable[datetime | None]) -> str:
    """`{…}` for a parameter that is cast to timestamptz[]; many are equal, and each is written out once."""
    written: dict[datetime | None, str] = {None: "NULL"}
    return "{" + ",".join([written.get(value) or _written(written, value) for value in values]) + "}"


def _written(known: dict[datetime | None, str], value: datetime | None) -> str:
    known[value] = word = "NULL" if value is None else value.isoformat()
    return word


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
