"""What a machine does to its processes: clocks that jump, disks that are full, a sleep longer than any lease."""

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from models.session import transaction
from tests import processes
from tests.conftest import environment
from tests.faults.accounts import Verdict
from tests.faults.extent import extent
from tests.faults.place import ENVIRONMENT, Place

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLE = extent(100, 400)


def test_clocks_that_jump(here: Place, audited: Callable[[], Verdict]) -> None:
    """Back a day in the middle of step 1, on four days for step 2, back ten days, on forty: each step once."""
    here.relay("--delay-s", "0.02")
    with environment(**clock_at(MONDAY)):
        here.launch(PEOPLE, days=(0, 3, 4))
    run_at(here, MONDAY, until_taken=PEOPLE // 3)
    run_at(here, MONDAY - timedelta(days=1), for_s=1.0)
    run_at(here, MONDAY + timedelta(hours=1), until_taken=PEOPLE)
    run_at(here, MONDAY + timedelta(days=4), until_taken=2 * PEOPLE)
    run_at(here, MONDAY - timedelta(days=6), for_s=1.0)
    assert here.log.count("taken") == 2 * PEOPLE  # nothing comes early
    run_at(here, MONDAY + timedelta(days=40), until_taken=3 * PEOPLE)
    assert audited().statuses == {"sent": 3 * PEOPLE}


def test_no_log_can_be_written(here: Place, audited: Callable[[], Verdict]) -> None:
    """The disk is full: neither the file nor the console takes a line, and every mail goes out and is recorded."""
    here.relay()
    with environment(LOG_FILE="/dev/full"):
        here.strange_worker("transactional", "--mute")
        here.keeper()
        here.queue("transactional", extent(200, 2000))
        here.until_settled()
    assert audited().statuses == {"sent": here.mails}
    assert "empresa.example" not in here.processes.log.read_text()  # what could not be logged is not told elsewhere


def test_no_recorder_can_be_made(here: Place, audited: Callable[[], Verdict]) -> None:
    """Without its recorder a process sends nothing; the mails wait, and no attempt is charged."""
    recorders = Path(os.environ["RECORDER_DIR"])
    recorders.touch()
    here.relay()
    here.processes.worker("transactional")
    here.keeper()
    here.queue("transactional", 100)
    processes.until(lambda: "FileExistsError" in here.processes.log.read_text(), "the recorder was missed")
    with transaction() as session:
        assert (
            session.scalar(text("SELECT count(*) FROM emails WHERE status = 'queued' AND attempts = 0")) == here.mails
        )
    recorders.unlink()
    here.until_settled()
    assert audited().statuses == {"sent": here.mails}


def test_a_sender_that_slept_past_its_lease(here: Place, audited: Callable[..., Verdict]) -> None:
    """Another host takes its group over; awake again, it lets no more dots follow, and gives up."""
    here.relay("--delay-s", "0.02")
    with environment(LEASE_S="2"):
        sleeper = here.processes.worker("transactional")
        here.queue("transactional", 400)
        here.until_taken(40)
        (child,) = processes.pool_children(sleeper)
        child.send_signal(signal.SIGSTOP)
        with environment(RECORDER_DIR=str(here.folder / "another host")):
            here.strange_worker("transactional,sequence,events", "--grace-s", "0.5", beat=True)
            here.until_settled()
    asleep = here.log.count("taken")
    child.send_signal(signal.SIGCONT)
    processes.until(lambda: "sender_retired" in here.processes.log.read_text(), "the sleeper gives up")
    assert here.log.count("taken") == asleep
    here.queue("transactional", 50)
    here.until_settled()
    verdict = audited(in_doubt_max=int(ENVIRONMENT["SEND_GROUP_SIZE"]))  # nobody else can read its recorder
    assert verdict.statuses["in_doubt"] == sum(verdict.doubts) > 0


def run_at(here: Place, product_time: datetime, *, until_taken: int = 0, for_s: float = 0.0) -> None:
    """Run the whole of the sequence from this moment on; whoever comes next need not wait until it has stopped."""
    with environment(**clock_at(product_time)):
        worker = here.all_in_one()
        here.until_taken(until_taken)
        time.sleep(for_s)
        worker.terminate()


def clock_at(product_time: datetime) -> dict[str, str]:
    """A product clock that shows this time now: at rate 2 it is as far behind its epoch's mirror as it should be."""
    epoch = 2 * (datetime.now(UTC) - product_time) + product_time
    return {"CLOCK_RATE": "2", "CLOCK_EPOCH": epoch.isoformat()}
