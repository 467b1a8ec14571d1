"""The broker and the database die during a campaign."""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from models import session as database
from tests import processes
from tests.faults.comparison import Report
from tests.faults.extent import LANES_OF_LONG, OTHER_LANES_OF_LONG, SEED, extent
from tests.faults.scenarios import Scenario

BROKER = extent(1, 12)
DATABASE = extent(1, 8)
EMAILS_PER_KILL = 200
EMAILS_PER_FAILURE = 800  # of the broker, whose death delays no sender


def kill_broker(scenario: Scenario, chance: random.Random) -> None:
    """Kill the broker, and start it again after a while."""
    scenario.servers.valkey.kill()
    scenario.kills["valkey"] += 1
    time.sleep(chance.uniform(0.0, 1.0))
    scenario.servers.valkey.start()


def freeze_broker(scenario: Scenario, chance: random.Random) -> None:
    """Stop the broker (SIGSTOP), and continue it after a while."""
    pid = scenario.servers.valkey.pid or 0
    os.kill(pid, signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 2.0))
    os.kill(pid, signal.SIGCONT)


def empty_broker(scenario: Scenario, _chance: random.Random) -> None:
    """Delete everything in the broker (FLUSHALL)."""
    scenario.servers.flush()
    scenario.kills["flushall"] += 1


@pytest.mark.parametrize("lane", LANES_OF_LONG)
def test_a_broker_that_dies_and_forgets(scenario: Scenario, audited: Callable[[], Report], lane: str) -> None:
    chance = random.Random(SEED)
    scenario.relay("--delay-s", "0.02")
    scenario.processes.worker(lane, concurrency=2)
    scenario.keeper()
    scenario.queue(lane, 3 * BROKER * EMAILS_PER_FAILURE)
    scenario.until_accepted(20)
    failures = [kill_broker, empty_broker, freeze_broker] * BROKER
    chance.shuffle(failures)
    for failure in failures:
        assert scenario.is_busy()
        failure(scenario, chance)
        time.sleep(chance.uniform(0.1, 0.5))
    scenario.until_settled(within_s=extent(90, 600))
    assert audited().statuses == {"sent": scenario.emails}  # the broker can affect nothing else


def crash(scenario: Scenario) -> None:
    """Kill the postmaster and all its children."""
    scenario.servers.postgres.kill()
    scenario.servers.postgres.start()


def shut_down_at_once(scenario: Scenario) -> None:
    """Shut down immediately, so that the next start recovers from the write-ahead log."""
    os.kill(scenario.servers.postgres.pid or 0, signal.SIGQUIT)
    processes.until(lambda: scenario.servers.postgres.pid is None, "the postmaster is gone")
    scenario.servers.postgres.kill()
    scenario.servers.postgres.start()


def kill_backend(scenario: Scenario) -> None:
    """Kill one backend: PostgreSQL then ends all connections."""
    backends = scenario.servers.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'cadencia' ORDER BY pid"
    )
    os.kill(int(str(backends[-1][0])), signal.SIGKILL)
    processes.until(lambda: scenario.servers.answers(), "the database answers")


@pytest.mark.parametrize("lane", OTHER_LANES_OF_LONG)
def test_a_database_that_dies(scenario: Scenario, audited: Callable[[], Report], lane: str) -> None:
    chance = random.Random(SEED)
    scenario.relay("--delay-s", "0.02")
    scenario.processes.worker(lane, concurrency=2)
    scenario.keeper()
    failures = {"postmaster killed": crash, "immediate shutdown": shut_down_at_once, "backend killed": kill_backend}
    scenario.queue(lane, len(failures) * DATABASE * EMAILS_PER_KILL)
    for name in chance.sample([*failures] * DATABASE, len(failures) * DATABASE):
        scenario.until_more_accepted(20)
        time.sleep(chance.uniform(0.0, 0.1))
        assert scenario.is_busy()
        failures[name](scenario)
        database.engine().dispose()
        scenario.kills[name] += 1
    scenario.until_settled(within_s=extent(90, 600))
    audited()
