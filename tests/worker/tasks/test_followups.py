"""The task rings when a step is due, postpones steps outside their window, and finishes campaigns."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text

from engine import clock
from engine.campaigns import campaigns
from models.session import transaction
from tests import bells, sequence
from worker.tasks import followups


@pytest.fixture
def rung(ledger: str, broker: str) -> Callable[[], list[str]]:
    """A function that returns the bells rung since its last call."""
    return bells.listen(broker)


def _launched(contacts: int, **options: object) -> None:
    with transaction() as session:
        sequence.people(session, contacts)
        campaigns.launch(session, sequence.create(session, **options), now=clock.now())  # type: ignore[arg-type]


def _settle() -> None:
    with transaction() as session:
        sequence.send_due(session, now=clock.now())


def test_call_due_rings_only_while_something_is_due(rung: Callable[[], list[str]]) -> None:
    followups.call_due()
    assert rung() == []
    _launched(2)
    followups.call_due()
    assert rung() == ["campaign"]
    _settle()
    followups.call_due()
    assert rung() == []


def test_call_due_postpones_all_steps_outside_their_window(rung: Callable[[], list[str]]) -> None:
    today = clock.now().isoweekday()
    _launched(7, weekdays=(today % 7 + 1,))
    with transaction() as session:
        session.execute(text("UPDATE enrollments SET next_at = :now"), {"now": clock.now()})
    followups.call_due()
    assert rung() == []
    with transaction() as session:
        moments = set(session.scalars(text("SELECT next_at FROM enrollments")))
    assert len(moments) == 1
    assert clock.now() < moments.pop() <= clock.now() + timedelta(days=1)


def test_call_due_finishes_a_campaign_with_nothing_left_to_send(ledger: str) -> None:
    _launched(3, days=(0,))
    followups.call_due()
    _settle()
    followups.call_due()
    with transaction() as session:
        assert session.scalar(text("SELECT state FROM campaigns")) == "finished"
