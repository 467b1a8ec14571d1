"""The task that queues follow-ups: drains what is due, shares with a second run, finishes campaigns."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from engine import clock
from engine.campaigns import campaigns, due
from models.session import transaction
from tests import sequence
from worker.tasks import followups


def _launched(contacts: int, **given: object) -> None:
    with transaction() as session:
        sequence.people(session, contacts)
        campaigns.launch(session, sequence.create(session, **given), now=clock.now())  # type: ignore[arg-type]


def _counts() -> tuple[int, int]:
    with transaction() as session:
        queued = session.scalar(text("SELECT count(*) FROM emails")) or 0
        mailed = session.scalar(text("SELECT count(DISTINCT contact_id) FROM emails")) or 0
    return queued, mailed


def test_queue_due_drains_every_page_when_more_is_due_than_fits_one(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _launched(50)
    monkeypatch.setattr(due.queue_due, "__kwdefaults__", {"limit": 21})  # seven for each step: eight pages
    followups.queue_due()
    assert _counts() == (50, 50)


def test_queue_due_mails_each_contact_once_when_it_runs_twice_at_once(ledger: str) -> None:
    _launched(200)
    with ThreadPoolExecutor(2) as pool:
        for run in [pool.submit(followups.queue_due) for _ in range(2)]:
            run.result()
    assert _counts() == (200, 200)


def test_queue_due_finishes_a_campaign_when_nobody_is_on_the_way(ledger: str) -> None:
    _launched(3, days=(0,))
    followups.queue_due()
    with transaction() as session:
        sequence.settle(session, now=clock.now())
    followups.queue_due()
    with transaction() as session:
        assert session.scalar(text("SELECT state FROM campaigns")) == "finished"
