"""Array parameters arrive in PostgreSQL with the same values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import arrays, ids
from tests import fuzz


def test_uuids_arrive_unchanged(session: Session) -> None:
    known = [ids.new() for _ in range(3)]
    assert session.scalar(text("SELECT CAST(:a AS uuid[])"), {"a": arrays.uuids(known)}) == known
    assert session.scalar(text("SELECT CAST(:a AS uuid[])"), {"a": arrays.uuids([])}) == []


def test_numbers_and_bytes_arrive_unchanged(session: Session) -> None:
    query = text("SELECT CAST(:numbers AS smallint[]), CAST(:blobs AS bytea[])")
    numbers, blobs = [1, None, -3], [b"\x00\\\"{},'", bytes(range(256)), b""]
    row = session.execute(query, {"numbers": arrays.numbers(numbers), "blobs": arrays.blobs(blobs)}).one()
    assert (row[0], [bytes(value) for value in row[1]]) == (numbers, blobs)


def test_moments_arrive_unchanged_and_none_as_null(session: Session) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    given_ = [noon, None, noon.astimezone(timezone(timedelta(hours=-5))), noon + timedelta(microseconds=1)]
    assert session.scalar(text("SELECT CAST(:a AS timestamptz[])"), {"a": arrays.moments(given_)}) == given_


@settings(max_examples=fuzz.examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.none()
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
        | st.sampled_from(["NULL", "null", "", '"', "\\", "{a,b}", "a,b", " x ", "a\r\nb", '250 "queued" as \\n'])
    )
)
def test_words_arrive_unchanged_and_none_as_null(session: Session, words: list[str | None]) -> None:
    assert session.scalar(text("SELECT CAST(:a AS text[])"), {"a": arrays.words(words)}) == words


def test_a_step_has_its_enrollments_id_except_for_two_bits(session: Session) -> None:
    enrollment_id = ids.new_enrollment()
    made = [ids.of_step(enrollment_id, step) for step in (1, 2, 3)]
    assert len({enrollment_id, *made}) == 4
    assert [(ids.enrollment_of(email_id), ids.step_of(email_id)) for email_id in made] == [
        (enrollment_id, step) for step in (1, 2, 3)
    ]
    assert {email_id.version for email_id in made} == {7}


@pytest.mark.parametrize("expression", [ids.NEW_SQL, ids.NEW_ENROLLMENT_SQL])
def test_ids_made_by_the_database_are_version_seven_too(session: Session, expression: str) -> None:
    made = session.scalars(text(f"SELECT {expression} FROM generate_series(1, 200)")).all()  # constants
    assert {made_id.version for made_id in made} == {7}
    assert len(set(made)) == 200
    assert ({made_id.int & 3 for made_id in made} == {0}) == (expression == ids.NEW_ENROLLMENT_SQL)
