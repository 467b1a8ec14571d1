"""Several queries in one statement: the same rows as one by one, in their order and with their types."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from models import ids, together
from models.together import Query

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
_VALUES = """
SELECT n AS number, :word || ': ' || n AS word, CAST(:at AS timestamptz) AS at, CAST(:id AS uuid) AS id,
       CASE WHEN n > 1 THEN jsonb_build_object('a', n, 'b', '"x", {y} \\') END AS value
  FROM generate_series(1, :most) AS n ORDER BY n DESC
"""
_COLUMNS = ("number", "word", "at", "id", "value")


def _query(**values: Any) -> Query[list[Any]]:
    return Query(_VALUES, _COLUMNS, lambda rows: [tuple(row) for row in rows], values)


def test_queries_with_the_same_parameters_return_their_own_rows_by_one_statement(session: Session) -> None:
    first, second = ids.new(), ids.new()
    queries = [
        _query(word="ñ", at=NOON, id=first, most=3),
        _query(word="", at=None, id=second, most=0),
        _query(word="x", at=None, id=second, most=1),
    ]
    separately = [together.one(session, query) for query in queries]
    asked: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *given: asked.append(given[2]))
    at_once = together.all_of(session, *queries)
    assert len(asked) == 1
    assert at_once == separately
    assert at_once[0][0] == (3, "ñ: 3", NOON, first, {"a": 3, "b": '"x", {y} \\'})
    assert [row[0] for row in at_once[0]] == [3, 2, 1] and at_once[0][2][4] is None
    assert at_once[1:] == [[], [(1, "x: 1", None, second, None)]]


def test_an_error_of_one_query_is_raised_for_all(session: Session) -> None:
    fails = Query("SELECT 1 / :number AS n", ("n",), len, {"number": 0})
    with pytest.raises(DataError, match="zero"):
        together.all_of(session, _query(word="", at=NOON, id=ids.new(), most=1), fails)
