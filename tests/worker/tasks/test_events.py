"""The task applies all waiting events, however often it runs."""

import threading
from datetime import timedelta

from sqlalchemy import text

from engine import clock
from engine.delivery import early_events
from engine.tracking.events import IncomingEvent
from models.session import transaction
from tests import bells
from tests.conftest import environment
from tests.mails import mail
from worker.tasks import events as tasks


def report(opens: int) -> None:
    """Report that many opens of one e-mail, a second apart."""
    with transaction() as session:
        email_id, now = mail(session).id, clock.now()
        moments = [now - timedelta(seconds=second) for second in range(opens)]
        early_events.record(session, [IncomingEvent(email_id, "opened", moment) for moment in moments], now=now)


def waiting() -> int:
    with transaction() as session:
        return session.execute(text("SELECT count(*) FROM events WHERE applied_at IS NULL")).scalar_one()


def test_apply_drains_all_batches(ledger: str) -> None:
    report(35)
    tasks.apply_batches(10)
    assert waiting() == 0
    tasks.apply()


def test_apply_shares_the_work_when_it_runs_twice_at_once(ledger: str) -> None:
    for _ in range(4):
        report(50)
    runs = [threading.Thread(target=tasks.apply_batches, args=(10,)) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert waiting() == 0
    with transaction() as session:
        assert session.execute(text("SELECT sum(opened) FROM email_stats")).scalar_one() == 4


def test_apply_stops_and_rings_again_when_its_time_is_over(ledger: str, broker: str) -> None:
    for _ in range(35):
        report(1)
    rung = bells.listen(broker)
    with environment(DRAIN_SLICE_S="0.000001"):
        tasks.apply_batches(10)
    assert (waiting(), rung()) == (25, ["events"])
