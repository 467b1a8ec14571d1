"""PostgreSQL arrays for statements that take columns, in the server's own binary form.

The driver takes ten times as long over a list of UUIDs, and the server 0.6 µs longer over the text of each, 0.5 over
that of a moment (measured: least of 300 statements with 1,000). The form is array_send's, in PostgreSQL's
arrayfuncs.c: dimensions, whether there are nulls, the elements' type, their number, the first index; then each
element with its length before it, -1 for a null.
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
    """An array in its binary form, ready for the server."""

    element: int  # the type of its elements and its own, as pg_type.dat numbers them
    oid: int


class Uuids(Column):
    """A uuid[]."""

    element, oid = 2950, 2951


class Words(Column):
    """A text[]."""

    element, oid = 25, 1009


class Numbers(Column):
    """A bigint[]; cast, it becomes an array of other numbers."""

    element, oid = 20, 1016


class Blobs(Column):
    """A bytea[]."""

    element, oid = 17, 1001


class Moments(Column):
    """A timestamptz[]."""

    element, oid = 1184, 1185


def uuids(values: Iterable[UUID]) -> Uuids:
    """A parameter of type uuid[]."""
    return _column(Uuids, [_OF_UUID + value.int.to_bytes(16) for value in values])


def words(values: Iterable[str | None]) -> Words:
    """A parameter of type text[], of any text without a NUL character; many are equal, and each is encoded once."""
    return _column(Words, [*map(_Written(_word).__getitem__, values)])


def numbers(values: Iterable[int | None]) -> Numbers:
    """A parameter of type bigint[]."""
    return _column(Numbers, [_NULL if value is None else _long(8, value) for value in values])


def blobs(values: Iterable[bytes]) -> Blobs:
    """A parameter of type bytea[]."""
    return _column(Blobs, [_length(len(value)) + value for value in values])


def moments(values: Iterable[datetime | None]) -> Moments:
    """A parameter of type timestamptz[]; many are equal, and each is worked out once."""
    return _column(Moments, [*map(_Written(_microseconds).__getitem__, values)])


class _Written(dict[Value | None, bytes], Generic[Value]):
    """Values as elements, each written at its first use."""

    def __init__(self, write: Callable[[Value], bytes]) -> None:
        self._write: Callable[[Value], bytes] = write

    def __missing__(self, value: Value | None) -> bytes:
        self[value] = written = _NULL if value is None else self._write(value)
        return written


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
