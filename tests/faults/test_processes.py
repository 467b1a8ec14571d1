"""kill -9 at random moments: of sending children, of whole workers, of beat."""

import random
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest

from tests import processes
from tests.conftest import environment
from tests.faults.accounts import Verdict
from tests.faults.extent import LANES, SEED, extent
from tests.faults.place import Place

CHILDREN = extent(6, 60)
WORKERS = extent(2, 12)
BEATS = extent(3, 15)
DAYS = (0, extent(3, 20), extent(4, 25))  # a day is a second here, and the sequence outlives the beats
MAILS_A_KILL = 120


@pytest.mark.parametrize("lane", LANES)
def test_killed_children(here: Place, audited: Callable[[], Verdict], lane: str) -> None:
    chance = random.Random(SEED)
    here.relay("--delay-s", "0.02")
    worker = here.processes.worker(lane, concurrency=2)
    here.keeper()
    here.queue(lane, CHILDREN * MAILS_A_KILL)
    for _ in range(CHILDREN):
        here.until_more_is_taken(10)
        time.sleep(chance.uniform(0.0, 0.2))
        here.kill_child(worker, chance)
    here.until_settled(within_s=extent(90, 300))
    audited()


@pytest.mark.parametrize("orphaned", [False, True], ids=["with_their_children", "leaving_their_children"])
def test_killed_workers(here: Place, audited: Callable[[], Verdict], orphaned: bool) -> None:
    """The parent alone, its children left to find out; or the whole family, as the kernel does to a container."""
    chance = random.Random(SEED)
    here.relay("--delay-s", "0.02")
    here.keeper()
    here.queue("campaign", WORKERS * MAILS_A_KILL)
    for _ in range(WORKERS):
        worker = here.processes.worker("campaign", concurrency=2)
        here.until_more_is_taken(20)
        time.sleep(chance.uniform(0.0, 0.2))
        kill_worker(here, worker, spare_children=orphaned)
    here.processes.worker("campaign", concurrency=2)
    here.until_settled(within_s=extent(90, 300))
    audited()


def test_killed_beats_and_two_beats_at_once(here: Place, audited: Callable[[], Verdict]) -> None:
    """A sequence of three steps, a day every second: each step once, the late ones too."""
    chance = random.Random(SEED)
    with environment(CLOCK_RATE="86400", CLOCK_EPOCH="2026-11-02T09:00:00Z"):
        here.relay("--delay-s", "0.02")
        here.processes.worker("sequence,campaign,events", concurrency=2)
        here.launch(extent(100, 400), days=DAYS)
        for _ in range(BEATS):
            beats = [here.processes.beat(), here.processes.beat()]
            time.sleep(chance.uniform(1.5, 2.5))
            for beat in beats:
                here.kill("beat", beat)
        here.processes.beat()
        here.until_settled(within_s=extent(90, 300))
        verdict = audited()
    assert verdict.messages == here.mails


def kill_worker(here: Place, worker: subprocess.Popen[bytes], *, spare_children: bool) -> None:
    """The parent first, so that it cannot put others in its children's places."""
    children = processes.pool_children(worker)
    here.kill("worker", worker)
    worker.wait()
    if spare_children:
        psutil.wait_procs(children, timeout=10)
        return
    for child in children:
        child.kill()
