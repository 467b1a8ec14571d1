"""Faults of a machine: clocks that jump, full disks, and a sleep longer than the lease."""

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from models.session import transaction
from tests import debian, processes
from tests.conftest import environment
from tests.faults.comparison import Report
from tests.faults.extent import extent
from tests.faults.scenarios import ENVIRONMENT, Scenario

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLE = extent(100, 400)


def test_clocks_that_jump(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """Back a day during step 1, forward four days for step 2, back ten, forward forty: each step is sent once."""
    scenario.relay("--delay-s", "0.02")
    with environment(**clock_at(MONDAY)):
        scenario.launch(PEOPLE, days=(0, 3, 4))
    run_at(scenario, MONDAY, until_accepted=PEOPLE // 3)
    run_at(scenario, MONDAY - timedelta(days=1), for_s=1.0)
    run_at(scenario, MONDAY + timedelta(hours=1), until_accepted=PEOPLE)
    run_at(scenario, MONDAY + timedelta(days=4), until_accepted=2 * PEOPLE)
    run_at(scenario, MONDAY - timedelta(days=6), for_s=1.0)
    assert scenario.log.count("accepted") == 2 * PEOPLE  # nothing is sent early
    run_at(scenario, MONDAY + timedelta(days=40), until_accepted=3 * PEOPLE)
    assert audited().statuses == {"sent": 3 * PEOPLE}


def test_a_worker_whose_clock_is_10_s_ahead_of_beats(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """It executes the ticks, sends every step once, and no e-mail is in doubt or late."""
    ahead = {
        "LD_PRELOAD": str(debian.find("libfaketime.so.1")),
        "FAKETIME": "+10s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    scenario.relay()
    with environment(**ahead):
        scenario.processes.worker("sequence,campaign,events")
    scenario.processes.beat()
    scenario.launch(PEOPLE)
    scenario.until_settled()
    processes.until(has_swept, "a tick was executed")
    assert audited().statuses == {"sent": PEOPLE}


def test_no_log_can_be_written(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """The disk is full: neither log file nor console can be written, but every e-mail is sent and recorded."""
    scenario.relay()
    with environment(LOG_FILE="/dev/full"):
        scenario.wrapped_worker("transactional", "--mute")
        scenario.keeper()
        scenario.queue("transactional", extent(200, 2000))
        scenario.until_settled()
    assert audited().statuses == {"sent": scenario.emails}
    assert "empresa.example" not in scenario.processes.log.read_text()  # a failed log line is not written elsewhere


def test_no_recorder_can_be_created(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """Without a recorder a process sends nothing; the e-mails wait without an attempt."""
    recorders = Path(os.environ["RECORDER_DIR"])
    recorders.touch()
    scenario.relay()
    scenario.processes.worker("transactional")
    scenario.keeper()
    scenario.queue("transactional", 100)
    processes.until(lambda: "FileExistsError" in scenario.processes.log.read_text(), "a recorder could not be created")
    with transaction() as session:
        untried = session.scalar(text("SELECT count(*) FROM emails WHERE status = 'queued' AND attempts = 0"))
    assert untried == scenario.emails
    recorders.unlink()
    scenario.until_settled()
    assert audited().statuses == {"sent": scenario.emails}


def test_a_sender_that_slept_past_its_lease(scenario: Scenario, audited: Callable[..., Report]) -> None:
    """Another host recovers its group. When the sender is awake again, it sends nothing more and gives up."""
    scenario.relay("--delay-s", "0.02")
    with environment(LEASE_S="2"):
        sleeper = scenario.processes.worker("transactional")
        scenario.queue("transactional", 400)
        scenario.until_accepted(40)
        (child,) = processes.pool_children(sleeper)
        child.send_signal(signal.SIGSTOP)
        with environment(RECORDER_DIR=str(scenario.folder / "another host")):
            scenario.wrapped_worker("transactional,sequence,events", "--grace-s", "0.5", beat=True)
            scenario.until_settled()
    asleep = scenario.log.count("accepted")
    child.send_signal(signal.SIGCONT)
    processes.until(lambda: "sender_retired" in scenario.processes.log.read_text(), "the sleeper gives up")
    assert scenario.log.count("accepted") == asleep
    scenario.queue("transactional", 50)
    scenario.until_settled()
    report = audited(in_doubt_max=int(ENVIRONMENT["SEND_GROUP_SIZE"]))  # the other host cannot read its recorder
    assert report.statuses["in_doubt"] == sum(report.doubts) > 0


def run_at(scenario: Scenario, product_time: datetime, *, until_accepted: int = 0, for_s: float = 0.0) -> None:
    """Run a worker at this product time; it may still be stopping when the function returns."""
    with environment(**clock_at(product_time)):
        worker = scenario.all_in_one()
        scenario.until_accepted(until_accepted)
        time.sleep(for_s)
        worker.terminate()


def has_swept() -> bool:
    with transaction() as session:
        return bool(session.scalar(text("SELECT EXISTS (SELECT 1 FROM heartbeats WHERE name = 'sweep')")))


def clock_at(product_time: datetime) -> dict[str, str]:
    """Return the settings of a product clock that shows this time now, and runs at rate 2."""
    epoch = 2 * (datetime.now(UTC) - product_time) + product_time
    return {"CLOCK_RATE": "2", "CLOCK_EPOCH": epoch.isoformat()}
