"""The figures of applying events, and the ledger they are measured in."""

import argparse
import json
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from bench import events
from bench.events import Rates
from bench.lag import Lags
from bench.testbed import backlog, readers
from engine import clock
from engine.engagement import reactions
from models.session import transaction
from tests.bench.test_load import server


def test_batches_are_over_the_mean_of_both_looks_and_a_lag_is_that_of_99_in_100() -> None:
    options = argparse.Namespace(stored=1_000, seconds=1)
    rates = Rates(naive=10, before=900, large=640, after=700)
    lags = Lags([float(number) for number in range(100)])
    batches, stored, shown = map(json.loads, events.figure_lines([rates], [lags], options))
    assert batches["value"] == 80 and stored["value"] == 0.8 and stored["messages"] == [10_000, 1_000]
    assert shown["value"] == 99 and shown["p50_s"] == 50


@pytest.mark.parametrize("stored", [40, 4_000])
def test_a_backlog_has_the_events_asked_for_and_all_of_them_apply(ledger: str, stored: int) -> None:
    made = backlog.make(stored, 200)
    made.hit(80)
    made.hit(120)
    with transaction() as session:
        assert reactions.apply(session, now=clock.now()) == 200
        assert session.scalar(text("SELECT count(*) FROM events")) == stored + 200
        opened = session.scalar(
            text("SELECT count(*) FROM emails WHERE opened_at < now() OR machine_opened_at < now()")
        )
        assert opened == 100  # two hits on each; the stored events were never applied
    with pytest.raises(ValueError, match="no mails are left"):
        made.hit(2)


def test_readers_ask_for_all_each_at_its_moment(tmp_path: Path) -> None:
    (tmp_path / "paths").write_text("\n".join(f"/o/{number}.gif" for number in range(100)))
    with server(200) as (port, bodies):
        begins = time.time() + 1
        measured = readers.result(readers.start(port, tmp_path / "paths", rate=200, at=begins))
        assert time.time() - begins >= 99 / 200
    assert (measured.answers, measured.refused, len(bodies)) == (100, 0, 100)
