"""Ticks are executed with any clock of the worker; piled-up ones cost one statement each."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from engine import heartbeats
from models.session import engine, transaction
from tests import processes
from worker.tasks import figures, followups, ticks, upkeep


def test_a_worker_whose_clock_is_10_s_ahead_executes_ticks(ledger: str, broker: str, tmp_path: Path) -> None:
    """The messages are those of a beat whose clock is 10 s behind the worker's, sent through a real broker."""
    from worker.app import app

    for entry in app.conf.beat_schedule.values():
        options = dict(entry.get("options", {}))
        if "expires" in options:
            options["expires"] = datetime.now(UTC) + timedelta(seconds=options["expires"] - 10)
        app.send_task(entry["task"], **options)
    with processes.running(tmp_path / "processes.log") as started:
        started.worker("sequence")
        processes.until(lambda: began() >= {"call_due began", "sweep began", "tidy began"}, "every tick was executed")


def test_a_hundred_ticks_that_piled_up_cost_one_statement_each(ledger: str) -> None:
    started = time.monotonic()
    with Statements() as statements:
        for _ in range(100):
            ticks.sweep()
    took_s = time.monotonic() - started
    assert statements.count("FROM again") == 100
    assert 1 <= statements.count("AS lanes") <= 1 + took_s / 0.1  # one for each sweep that did its work


def test_a_tick_without_work_opens_one_connection_for_few_statements(ledger: str) -> None:
    figures.refresh()  # so that none is overdue
    for work, most in ((followups.call_due, 1), (upkeep.sweep, 5), (figures.refresh, 3)):
        with Statements() as statements:
            work()
        assert (len(statements.texts) <= most, statements.connections) == (True, 1), statements.texts


@pytest.mark.parametrize(("age_s", "begins"), [(0.0, False), (9.0, False), (11.0, True), (-60.0, True)])
def test_a_task_begins_again_after_the_pause_and_after_the_databases_clock_was_set_back(
    session: Session, age_s: float, begins: bool
) -> None:
    assert heartbeats.begin(session, "sweep", pause_s=10.0)
    moment = text("UPDATE heartbeats SET beaten_at = clock_timestamp() - make_interval(secs => :age)")
    session.execute(moment, {"age": age_s})
    assert heartbeats.begin(session, "sweep", pause_s=10.0) is begins


def began() -> set[str]:
    with transaction() as session:
        return set(session.scalars(text("SELECT name FROM heartbeats")))


class Statements:
    """The statements that this process executes during the block."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.connections = 0  # taken from the pool

    def __enter__(self) -> "Statements":
        event.listen(engine(), "before_cursor_execute", self._note)
        event.listen(engine(), "checkout", self._count)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(engine(), "before_cursor_execute", self._note)
        event.remove(engine(), "checkout", self._count)

    def count(self, words: str) -> int:
        return sum(words in each for each in self.texts)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.texts.append(statement)

    def _count(self, *_: object) -> None:
        self.connections += 1
