"""The score follows its documented weights, in Python and in SQL alike."""

from itertools import product

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience.contact_flags import STATUSES
from engine.scoring import rules

FLAGS = [f"email_{step}_{what}" for what in ("opened", "clicked") for step in rules.STEPS] + ["converted"]
NONE = dict.fromkeys(FLAGS, False)
ALL = dict.fromkeys(FLAGS, True)
COMBINATIONS = [
    (dict(zip(FLAGS, values, strict=True)), status)
    for values in product((False, True), repeat=len(FLAGS))
    for status in STATUSES
]


@pytest.mark.parametrize(
    ("flags", "status", "expected"),
    [
        (NONE, "new", 0),
        (NONE | {"email_1_opened": True}, "email_1_sent", 5),
        (NONE | {"email_1_opened": True, "email_1_clicked": True}, "email_2_sent", 5 + 20),
        (NONE | {"email_1_opened": True, "email_2_opened": True, "email_3_opened": True}, "email_3_sent", 3 * 5),
        (NONE | {"email_1_opened": True}, "replied", 5 + 25),
        (ALL | {"converted": False}, "email_3_sent", 3 * (5 + 20)),
        (ALL | {"converted": False}, "replied", 3 * (5 + 20) + 25),
        (NONE | {"converted": True}, "converted", 100),
        (ALL, "unsubscribed", 0),
        (ALL, "bounced", 0),
        (ALL, "complained", 0),
    ],
)
def test_points_add_up_as_documented(flags: dict[str, bool], status: str, expected: int) -> None:
    assert rules.points(flags, status) == expected


def test_points_are_between_0_and_100_for_all_contacts() -> None:
    assert {rules.points(*combination) for combination in COMBINATIONS} <= set(range(101))


def test_sql_agrees_with_points_over_all_combinations(session: Session) -> None:
    columns = {name: [flags[name] for flags, _ in COMBINATIONS] for name in FLAGS}
    statuses = [status for _, status in COMBINATIONS]
    arrays = ", ".join(f"CAST(:{name} AS boolean[])" for name in FLAGS)
    names = ", ".join(FLAGS)
    query = f"""SELECT {rules.sql("given")} FROM unnest({arrays}, CAST(:statuses AS text[])) WITH ORDINALITY
                AS given ({names}, email_followup_status, place) ORDER BY place"""  # names of the test's own
    scores = session.scalars(text(query), {**columns, "statuses": statuses}).all()
    assert len(scores) == 2**7 * len(STATUSES)
    assert scores == [rules.points(flags, status) for flags, status in COMBINATIONS]


def test_the_parts_of_a_score_name_what_counts() -> None:
    flags = NONE | {"email_1_opened": True, "email_2_opened": True, "email_1_clicked": True}
    assert rules.parts(flags, "replied") == (("opened", 2, 10), ("clicked", 1, 20), ("replied", 1, 25))
    assert rules.parts(ALL, "complained") == (("complained", 1, 0),)
    assert rules.parts(ALL, "replied") == (("converted", 1, 100),)
    assert rules.parts(NONE, "new") == ()
