"""The servers die under a running campaign: the broker forgets, the database crashes."""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from models import session as database
from tests import processes
from tests.faults.accounts import Verdict
from tests.faults.extent import LANES, LANES_OF_LONG, SEED, extent
from tests.faults.place import Place

BROKER = extent(1, 12)
DATABASE = extent(1, 8)
MAILS_A_KILL = 200
MAILS_A_FATE = 800  # of the broker, whose death holds no sender up


def kill_broker(here: Place, chance: random.Random) -> None:
    """kill -9, and back after a while."""
    here.servers.valkey.kill()
    here.kills["valkey"] += 1
    time.sleep(chance.uniform(0.0, 1.0))
    here.servers.valkey.start()


def freeze_broker(here: Place, chance: random.Random) -> None:
    """It answers nobody for a while, and goes on as if nothing had been."""
    pid = here.servers.valkey.pid or 0
    os.kill(pid, signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 2.0))
    os.kill(pid, signal.SIGCONT)


def empty_broker(here: Place, _chance: random.Random) -> None:
    """FLUSHALL."""
    here.servers.flush()
    here.kills["flushall"] += 1


@pytest.mark.parametrize("lane", LANES_OF_LONG)
def test_a_broker_that_dies_and_forgets(here: Place, audited: Callable[[], Verdict], lane: str) -> None:
    chance = random.Random(SEED)
    here.relay("--delay-s", "0.02")
    here.processes.worker(lane, concurrency=2)
    here.keeper()
    here.queue(lane, 3 * BROKER * MAILS_A_FATE)
    here.until_taken(20)
    fates = [kill_broker, empty_broker, freeze_broker] * BROKER
    chance.shuffle(fates)
    for fate in fates:
        assert here.is_busy()
        fate(here, chance)
        time.sleep(chance.uniform(0.1, 0.5))
    here.until_settled(within_s=extent(90, 300))
    assert audited().statuses == {"sent": here.mails}  # nothing else is in the broker's power


def crash(here: Place) -> None:
    """kill -9 of the postmaster and all its children."""
    here.servers.postgres.kill()
    here.servers.postgres.start()


def shut_down_at_once(here: Place) -> None:
    """An immediate shutdown: recovery from the log at the next start."""
    os.kill(here.servers.postgres.pid or 0, signal.SIGQUIT)
    processes.until(lambda: here.servers.postgres.pid is None, "the postmaster is gone")
    here.servers.postgres.kill()
    here.servers.postgres.start()


def kill_backend(here: Place) -> None:
    """kill -9 of one backend, for which PostgreSQL breaks the connections of all."""
    backends = here.servers.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'cadencia' ORDER BY pid")
    os.kill(int(str(backends[-1][0])), signal.SIGKILL)
    processes.until(lambda: here.servers.answers(), "the database answers")


@pytest.mark.parametrize("lane", LANES)
def test_a_database_that_dies(here: Place, audited: Callable[[], Verdict], lane: str) -> None:
    chance = random.Random(SEED)
    here.relay("--delay-s", "0.02")
    here.processes.worker(lane, concurrency=2)
    here.keeper()
    fates = {"postmaster killed": crash, "immediate shutdown": shut_down_at_once, "backend killed": kill_backend}
    here.queue(lane, len(fates) * DATABASE * MAILS_A_KILL)
    for name in chance.sample([*fates] * DATABASE, len(fates) * DATABASE):
        here.until_more_is_taken(20)
        time.sleep(chance.uniform(0.0, 0.1))
        assert here.is_busy()
        fates[name](here)
        database.engine().dispose()
        here.kills[name] += 1
    here.until_settled(within_s=extent(90, 300))
    audited()
