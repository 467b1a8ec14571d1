"""Rollups add up in any order, also with several writers at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone
from random import Random
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.analytics.rollups import Key
from models import EmailStats, ids
from models.session import transaction
from tests.mails import HOUR, NOW

FULL_HOUR = NOW.replace(minute=0)


def table(session: Session) -> list[dict[str, object]]:
    rows = session.execute(text("SELECT * FROM email_stats ORDER BY campaign_id, step, variant, hour")).mappings()
    return [{name: value for name, value in row.items() if value not in (0, "")} for row in rows]


def test_add_counts_in_the_hour_and_for_the_campaign(session: Session) -> None:
    campaign_id = ids.new()
    key = Key(campaign_id, 2, "b", NOW)
    rollups.add(session, {key: {"sent": 3, "opened": 1}})
    rollups.add(session, {key: {"sent": 2}, Key(campaign_id, 2, "b", NOW + HOUR): {"clicked": 1}})
    place = {"campaign_id": campaign_id, "step": 2, "variant": "b"}
    assert table(session) == [
        place | {"hour": FULL_HOUR, "sent": 5, "opened": 1},
        place | {"hour": FULL_HOUR + HOUR, "clicked": 1},
    ]


def test_add_merges_keys_of_the_same_row(session: Session) -> None:
    in_kolkata = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    keys = [Key(None, None, None, NOW), Key(rollups.NO_CAMPAIGN, 0, "", FULL_HOUR), Key(None, 0, None, in_kolkata)]
    rollups.add(session, {key: {"sent": 1} for key in keys})
    assert table(session) == [{"campaign_id": UUID(int=0), "hour": FULL_HOUR, "sent": 3}]


def test_add_moves_a_count_by_a_negative_one(session: Session) -> None:
    rollups.add(session, {Key(None, 1, None, NOW): {"opened": 1}})
    rollups.add(session, {Key(None, 1, None, NOW): {"opened": -1}, Key(None, 1, None, NOW - HOUR): {"opened": 1}})
    assert [(row.hour, row.opened) for row in session.query(EmailStats).order_by("hour")] == [
        (FULL_HOUR - HOUR, 1),
        (FULL_HOUR, 0),
    ]


def test_add_inserts_no_row_when_all_counts_are_zero(session: Session) -> None:
    rollups.add(session, {})
    rollups.add(session, {Key(None, 1, None, NOW): Counter(opened=0)})
    assert table(session) == []


def test_add_neither_loses_nor_deadlocks_when_many_add_at_once(ledger: str) -> None:
    campaign_id = ids.new()
    keys = [Key(campaign_id, step, None, NOW + hour * HOUR) for step in (1, 2, 3) for hour in range(4)]

    def add_all(seed: int) -> None:
        for _ in range(10):
            shuffled = Random(seed).sample(keys, len(keys))
            with transaction() as session:
                rollups.add(session, {key: {"sent": 1} for key in shuffled})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_all, range(4)))
    with transaction() as session:
        assert [row["sent"] for row in table(session)] == [40] * 12
