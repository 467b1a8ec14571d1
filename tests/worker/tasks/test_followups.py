"""The sequence's clockwork: rings when something is due, puts off what may not go out, finishes campaigns."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from engine import bell, clock
from engine.campaigns import campaigns
from models.session import transaction
from tests import sequence
from worker.tasks import followups


@pytest.fixture
def rung(ledger: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bells that were rung; nobody hears them."""
    heard: list[str] = []
    monkeypatch.setattr(bell, "ring", heard.append)
    return heard


def _launched(contacts: int, **given: object) -> None:
    with transaction() as session:
        sequence.people(session, contacts)
        campaigns.launch(session, sequence.create(session, **given), now=clock.now())  # type: ignore[arg-type]


def _settle() -> None:
    with transaction() as session:
        sequence.send_due(session, now=clock.now())


def test_call_due_rings_only_while_something_is_due(rung: list[str]) -> None:
    followups.call_due()
    assert rung == []
    _launched(2)
    followups.call_due()
    assert rung == ["campaign"]
    _settle()
    followups.call_due()
    assert rung == ["campaign"]


def test_call_due_puts_off_every_page_of_what_may_not_go_out_now(rung: list[str]) -> None:
    today = clock.now().isoweekday()
    _launched(7, weekdays=(today % 7 + 1,))
    with transaction() as session:
        session.execute(text("UPDATE enrollments SET next_at = :now"), {"now": clock.now()})
    followups.call_due()
    assert rung == []
    with transaction() as session:
        moments = set(session.scalars(text("SELECT next_at FROM enrollments")))
    assert len(moments) == 1
    assert clock.now() < moments.pop() <= clock.now() + timedelta(days=1)


def test_call_due_finishes_a_campaign_when_nobody_is_on_the_way(rung: list[str]) -> None:
    _launched(3, days=(0,))
    followups.call_due()
    _settle()
    followups.call_due()
    with transaction() as session:
        assert session.scalar(text("SELECT state FROM campaigns")) == "finished"
