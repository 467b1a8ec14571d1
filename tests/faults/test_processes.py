"""SIGKILL at random moments: of sending children, of whole workers, of beat."""

import random
import time
from collections.abc import Callable

import psutil
import pytest

from tests import processes
from tests.conftest import environment
from tests.faults.comparison import Report
from tests.faults.extent import OTHER_LANES_OF_LONG, SEED, extent
from tests.faults.scenarios import Scenario
from tests.forkserver import Child

CHILDREN = extent(6, 60)
WORKERS = extent(2, 12)
BEATS = extent(3, 15)
DAYS = (0, extent(3, 20), extent(4, 25))  # a day is a second here, and the sequence lasts longer than the beats
EMAILS_PER_KILL = 120


@pytest.mark.parametrize("lane", OTHER_LANES_OF_LONG)
def test_killed_children(scenario: Scenario, audited: Callable[[], Report], lane: str) -> None:
    chance = random.Random(SEED)
    scenario.relay("--delay-s", "0.02")
    worker = scenario.processes.worker(lane, concurrency=2)
    scenario.keeper()
    scenario.queue(lane, CHILDREN * EMAILS_PER_KILL)
    for _ in range(CHILDREN):
        scenario.until_more_accepted(10)
        time.sleep(chance.uniform(0.0, 0.2))
        scenario.kill_child(worker, chance)
    scenario.until_settled(within_s=extent(90, 300))
    audited()


@pytest.mark.parametrize("orphaned", [False, True], ids=["with_their_children", "leaving_their_children"])
def test_killed_workers(scenario: Scenario, audited: Callable[[], Report], orphaned: bool) -> None:
    """Kill the parent alone, or with its children, as the kernel kills a container."""
    chance = random.Random(SEED)
    scenario.relay("--delay-s", "0.02")
    scenario.keeper()
    scenario.queue("campaign", WORKERS * EMAILS_PER_KILL)
    for _ in range(WORKERS):
        worker = scenario.processes.worker("campaign", concurrency=2)
        scenario.until_more_accepted(20)
        time.sleep(chance.uniform(0.0, 0.2))
        kill_worker(scenario, worker, spare_children=orphaned)
    scenario.processes.worker("campaign", concurrency=2)
    scenario.until_settled(within_s=extent(90, 300))
    audited()


def test_killed_beats_and_two_beats_at_once(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """A sequence of three steps, with a day every second: each step is sent once."""
    chance = random.Random(SEED)
    with environment(CLOCK_RATE="86400", CLOCK_EPOCH="2026-11-02T09:00:00Z"):
        scenario.relay("--delay-s", "0.02")
        scenario.processes.worker("sequence,campaign,events", concurrency=2)
        scenario.launch(extent(100, 400), days=DAYS)
        for _ in range(BEATS):
            beats = [scenario.processes.beat(), scenario.processes.beat()]
            time.sleep(chance.uniform(1.5, 2.5))
            for beat in beats:
                scenario.kill("beat", beat)
        scenario.processes.beat()
        scenario.until_settled(within_s=extent(90, 300))
        report = audited()
    assert report.emails == scenario.emails


def kill_worker(scenario: Scenario, worker: Child, *, spare_children: bool) -> None:
    """Kill the parent first, so that it cannot replace its children."""
    children = processes.pool_children(worker)
    scenario.kill("worker", worker)
    worker.wait()
    if spare_children:
        psutil.wait_procs(children, timeout=10)
        return
    for child in children:
        child.kill()
