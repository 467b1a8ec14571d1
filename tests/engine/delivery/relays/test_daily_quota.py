"""The warm-up plan, and the daily limit shared by the senders."""

from datetime import date

import pytest

from engine.delivery.relays.daily_quota import Calendar, DailyQuota, WarmUp
from engine.delivery.relays.options import Options
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from errors import InvalidInput
from models import ids

NOWHERE = "redis://127.0.0.1:9/0"
START = date(2026, 3, 2)

# 50 × 1.5ⁿ, rounded down: 50, 75, 112.5, 168.75, 253.1, 379.7, 569.5, … 50 × 1.5¹⁰ = 2883.25
PLAN = [
    (-1, 0),
    (0, 50),
    (1, 75),
    (2, 112),
    (3, 168),
    (4, 253),
    (5, 379),
    (6, 569),
    (10, 2_883),
    (11, 3_000),
    (9_999, 3_000),
]


@pytest.mark.parametrize(("age", "limit"), PLAN)
def test_the_limit_grows_by_half_each_day_up_to_the_daily_one(age: int, limit: int) -> None:
    plan = WarmUp(3_000, START, 50, 1.5)
    assert plan.limit_on(date.fromordinal(START.toordinal() + age)) == limit


@pytest.mark.parametrize(
    ("query", "plan"),
    [
        ("", WarmUp()),
        ("daily=500", WarmUp(500)),
        ("warmup=2026-03-02", WarmUp(None, START, 50, 1.5)),
        ("warmup=2026-03-02,100", WarmUp(None, START, 100, 1.5)),
        ("daily=9000&warmup=2026-03-02,100,2", WarmUp(9_000, START, 100, 2.0)),
    ],
)
def test_a_plan_is_parsed_from_options(query: str, plan: WarmUp) -> None:
    assert WarmUp.read(Options(query, "smtp_url")) == plan


@pytest.mark.parametrize(
    "query",
    [
        "daily=0",
        "daily=many",
        "warmup=soon",
        "warmup=2026-03-02,0",
        "warmup=2026-03-02,5,0.5",
        "warmup=2026-03-02,5,2,9",
    ],
)
def test_an_invalid_plan_is_refused_with_what_is_expected(query: str) -> None:
    with pytest.raises(InvalidInput, match=r"smtp_url\.(daily|warmup): expected"):
        WarmUp.read(Options(query, "smtp_url"))


def test_there_is_no_limit_without_a_plan() -> None:
    assert WarmUp().limit_on(START) is None
    assert WarmUp(None, START, 50, 1.5).limit_on(date(2126, 1, 1)) is None  # it has grown beyond any use


def quota(url: str, name: str, *, daily: int = 25, sent: int = 0, day: list[date] | None = None) -> DailyQuota:
    days = day or [START]
    return DailyQuota(Store(url), name, WarmUp(daily), Calendar(lambda: days[0], lambda _: sent), Sender("x", 4))


def take_all(one: DailyQuota, tries: int = 100) -> int:
    return sum(one.take() for _ in range(tries))


def test_processes_share_the_limit_and_never_exceed_it(broker: str) -> None:
    name = ids.new().hex
    one, two = (quota(broker, name) for _ in range(2))
    assert one.take() and two.take()  # each has reserved ten
    assert one.remaining() == 14
    assert take_all(one) + take_all(two) + 2 == 25
    assert (one.remaining(), two.remaining()) == (0, 0)


def test_messages_given_back_can_be_taken_again(broker: str) -> None:
    one = quota(broker, ids.new().hex)
    assert take_all(one) == 25
    one.give_back(3)
    assert one.remaining() == 3
    assert take_all(one) == 3


def test_the_count_starts_again_on_a_new_day(broker: str) -> None:
    day = [START]
    one = quota(broker, ids.new().hex, day=day)
    assert take_all(one) == 25
    day[0] = date(2026, 3, 3)
    assert take_all(one) == 25


def test_the_database_is_read_when_redis_has_no_count(broker: str) -> None:
    assert take_all(quota(broker, ids.new().hex, sent=20)) == 5
    assert take_all(quota(broker, ids.new().hex, sent=200)) == 0


def test_without_redis_each_takes_its_share_of_what_the_database_leaves() -> None:
    """(25 − 5) ÷ 4 processes."""
    assert take_all(quota(NOWHERE, "x", sent=5)) == 5


def test_urgent_messages_are_counted_and_exceed_the_limit(broker: str) -> None:
    one = quota(broker, ids.new().hex)
    assert take_all(one) == 25
    assert one.take(is_urgent=True) and one.take(is_urgent=True)
    assert not one.take()
