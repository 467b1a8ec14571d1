"""Clean stops: after SIGTERM at any moment nothing is claimed, nothing is in doubt, and nothing is sent twice."""

import random
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from models.session import transaction
from tests import processes
from tests.faults.comparison import Report
from tests.faults.extent import LANES_OF_LONG, SEED, extent
from tests.faults.scenarios import Scenario

STOPS = extent(2, 10)
EMAILS_PER_STOP = 150
DOCKER_WAITS_S = 10.0

_UNSETTLED = text(
    "SELECT (SELECT count(*) FROM send_groups WHERE state = 'open') "
    "+ (SELECT count(*) FROM emails WHERE status IN ('claimed', 'sending', 'in_doubt'))"
)


@pytest.mark.parametrize("lane", LANES_OF_LONG)
def test_stopping_in_mid_group(scenario: Scenario, audited: Callable[[], Report], lane: str) -> None:
    """The current group is finished and recorded, the rest is left to others, and the recorders are removed."""
    chance = random.Random(SEED)
    scenario.relay("--delay-s", "0.1")
    scenario.keeper()
    scenario.queue(lane, STOPS * EMAILS_PER_STOP)
    for _ in range(STOPS):
        worker = scenario.processes.worker(lane, concurrency=2)
        scenario.until_more_accepted(10)
        time.sleep(chance.uniform(0.0, 0.3))
        assert scenario.is_busy()
        assert processes.stop(worker, within_s=DOCKER_WAITS_S) == 0
        assert unsettled() == 0
        assert list((scenario.folder / "recorders").iterdir()) == []
    scenario.processes.worker(lane, concurrency=2)
    scenario.until_settled()
    assert audited().statuses == {"sent": scenario.emails}


def test_stopping_while_the_relay_is_slow(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """E-mails that would take longer than Docker waits are left to others, untried."""
    scenario.relay("--delay-s", "1.5")
    scenario.keeper()
    scenario.queue("campaign", 30)
    worker = scenario.processes.worker("campaign")
    scenario.until_more_accepted(1)
    assert scenario.is_busy()
    assert processes.stop(worker, within_s=DOCKER_WAITS_S) == 0
    assert unsettled() == 0
    assert scenario.is_busy()
    scenario.processes.worker("campaign", concurrency=2)
    scenario.until_settled()
    assert audited().statuses == {"sent": scenario.emails}


def test_workers_come_and_go(scenario: Scenario, audited: Callable[[], Report]) -> None:
    """Workers start and stop at any moment, also while they are starting."""
    chance = random.Random(SEED)
    scenario.relay("--delay-s", "0.05")
    scenario.keeper()
    scenario.queue("campaign", STOPS * EMAILS_PER_STOP)
    working = [scenario.processes.worker("campaign")]
    scenario.until_more_accepted(5)
    for _ in range(STOPS):
        working.append(scenario.processes.worker("campaign"))
        time.sleep(chance.uniform(0.0, 2.5))
        leaving = working.pop(chance.randrange(len(working)))
        processes.stop(leaving, within_s=DOCKER_WAITS_S)
    scenario.until_settled()
    assert audited().statuses == {"sent": scenario.emails}


def unsettled() -> int:
    """Return the number of open groups and of e-mails that are claimed, sending or in doubt."""
    with transaction() as session:
        return int(session.scalar(_UNSETTLED) or 0)
