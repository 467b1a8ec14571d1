"""Several queries in one round trip, for pages that are asked for every few seconds.

A round trip costs a page as much CPU as half of its rendering (measured). So the columns of each query are gathered as
arrays, which keep their types, and one statement returns them all.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A query with the names of its columns, none of which is an array, and `read`, which makes a result of its rows.

    The rows are tuples, in the order of the query.
    """

    sql: str
    columns: tuple[str, ...]
    read: Callable[[Sequence[Any]], T]
    values: Mapping[str, Any] = field(default_factory=dict)


def one(session: Session, query: Query[T]) -> T:
    """Return the result of one query."""
    return query.read(session.execute(_single(query.sql), query.values).all())


def all_of(session: Session, *queries: Query[Any]) -> list[Any]:
    """Return the result of each query; one round trip for all."""
    values = {
        f"q{number}_{name}": value for number, query in enumerate(queries) for name, value in query.values.items()
    }
    row = iter(session.execute(_joined(tuple((query.sql, query.columns) for query in queries)), values).one())
    results = []
    for query in queries:
        columns = [next(row) or () for _ in query.columns]
        results.append(query.read(list(zip(*columns, strict=True))))
    return results


@lru_cache(maxsize=64)
def _single(sql: str) -> TextClause:
    return text(sql)


@lru_cache(maxsize=64)
def _joined(queries: tuple[tuple[str, tuple[str, ...]], ...]) -> TextClause:
    """Return a statement that gathers the columns of each query; its parameters are named `q0_…`, `q1_…`."""
    gathered = []
    for number, (sql, columns) in enumerate(queries):
        arrays = ", ".join(f"array_agg({column})" for column in columns)
        named = _PARAMETER.sub(rf":q{number}_\1", sql)
        gathered.append(f"(SELECT {arrays} FROM ({named}) AS listed) AS q{number}")  # noqa: S608  # of constants
    return text(f"SELECT * FROM {' CROSS JOIN '.join(gathered)}")  # noqa: S608  # of constants
