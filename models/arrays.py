"""PostgreSQL array parameters in binary form.

The driver takes ten times as long for a list of UUIDs. The server takes 0.6 µs more for a UUID as text, 0.5 µs for a
timestamp (measured: least of 300 statements with 1,000). The form is that of array_send in PostgreSQL's arrayfuncs.c:
dimensions, a flag for nulls, the elements' type, their number, the first index; then each element after its length,
-1 for a null.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Generic, TypeVar
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_head = Struct(">iiIii").pack
_empty = Struct(">iiI").pack
_length = Struct(">i").pack
_long = Struct(">iq").pack
_NULL = _length(-1)
_OF_UUID = _length(16)
Kind = TypeVar("Kind", bound="Column")
Value = TypeVar("Value", str, datetime)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Column(bytes):
    """An array in binary form."""

    element: int  # the OIDs in pg_type.dat: of the elements, and of the array
    oid: int


class Uuids(Column):
    """A uuid[]."""

    element, oid = 2950, 2951


class Words(Column):
    """A text[]."""

    element, oid = 25, 1009


class Numbers(Column):
    """A bigint[]; a cast makes it an array of another integer type."""

    element, oid = 20, 1016


class Blobs(Column):
    """A bytea[]."""

    element, oid = 17, 1001


class Moments(Column):
    """A timestamptz[]."""

    element, oid = 1184, 1185


def uuids(values: Iterable[UUID | None]) -> Uuids:
    """Return a parameter of type uuid[]."""
    return _column(Uuids, [_NULL if value is None else _OF_UUID + value.int.to_bytes(16) for value in values])


def words(values: Iterable[str | None]) -> Words:
    """Return a parameter of type text[]; no NUL characters. Encodes equal texts once."""
    return _column(Words, [*map(_Elements(_word).__getitem__, values)])


def numbers(values: Iterable[int | None]) -> Numbers:
    """Return a parameter of type bigint[]."""
    return _column(Numbers, [_NULL if value is None else _long(8, value) for value in values])


def blobs(values: Iterable[bytes]) -> Blobs:
    """Return a parameter of type bytea[]."""
    return _column(Blobs, [_length(len(value)) + value for value in values])


def moments(values: Iterable[datetime | None]) -> Moments:
    """Return a parameter of type timestamptz[]. Encodes equal moments once."""
    return _column(Moments, [*map(_Elements(_microseconds).__getitem__, values)])


class _Elements(dict[Value | None, bytes], Generic[Value]):
    """Cache of values as elements."""

    def __init__(self, write: Callable[[Value], bytes]) -> None:
        self._write: Callable[[Value], bytes] = write

    def __missing__(self, value: Value | None) -> bytes:
        self[value] = element = _NULL if value is None else self._write(value)
        return element


def _word(value: str) -> bytes:
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def _microseconds(value: datetime) -> bytes:
    return _long(8, (value - _EPOCH) // _MICROSECOND)


def _column(kind: type[Kind], elements: Sequence[bytes]) -> Kind:
    if not elements:
        return kind(_empty(0, 0, kind.element))
    return kind(_head(1, 1, kind.element, len(elements), 1) + b"".join(elements))


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Column) -> Column:
        return obj


for _kind in (Uuids, Words, Numbers, Blobs, Moments):
    psycopg.adapters.register_dumper(_kind, type(f"{_kind.__name__}Dumper", (_Dumper,), {"oid": _kind.oid}))
