"""Clean stops: SIGTERM at any moment leaves nothing in hand, nothing in doubt, and nobody mailed twice."""

import random
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from models.session import transaction
from tests import processes
from tests.faults.accounts import Verdict
from tests.faults.extent import LANES_OF_LONG, SEED, extent
from tests.faults.place import Place

STOPS = extent(2, 10)
MAILS_A_STOP = 150
DOCKER_WAITS_S = 10.0

_IN_HAND = text(
    "SELECT (SELECT count(*) FROM send_groups WHERE state = 'open') "
    "+ (SELECT count(*) FROM emails WHERE status IN ('claimed', 'sending', 'in_doubt'))"
)


@pytest.mark.parametrize("lane", LANES_OF_LONG)
def test_stopping_in_mid_group(here: Place, audited: Callable[[], Verdict], lane: str) -> None:
    """The group in hand is finished and recorded, the rest is left to others, the recorders are gone."""
    chance = random.Random(SEED)
    here.relay("--delay-s", "0.1")
    here.keeper()
    here.queue(lane, STOPS * MAILS_A_STOP)
    for _ in range(STOPS):
        worker = here.processes.worker(lane, concurrency=2)
        here.until_more_is_taken(10)
        time.sleep(chance.uniform(0.0, 0.3))
        assert here.is_busy()
        assert processes.stop(worker, within_s=DOCKER_WAITS_S) == 0
        assert in_hand() == 0
        assert list((here.folder / "recorders").iterdir()) == []
    here.processes.worker(lane, concurrency=2)
    here.until_settled()
    assert audited().statuses == {"sent": here.mails}


def test_stopping_while_the_relay_is_slow(here: Place, audited: Callable[[], Verdict]) -> None:
    """What the relay would take longer for than Docker waits is left to others, untouched."""
    here.relay("--delay-s", "1.5")
    here.keeper()
    here.queue("campaign", 30)
    worker = here.processes.worker("campaign")
    here.until_more_is_taken(1)
    assert here.is_busy()
    assert processes.stop(worker, within_s=DOCKER_WAITS_S) == 0
    assert in_hand() == 0
    assert here.is_busy()
    here.processes.worker("campaign", concurrency=2)
    here.until_settled()
    assert audited().statuses == {"sent": here.mails}


def test_workers_come_and_go(here: Place, audited: Callable[[], Verdict]) -> None:
    """One starts, another ends, at any moment, also while it is only starting."""
    chance = random.Random(SEED)
    here.relay("--delay-s", "0.05")
    here.keeper()
    here.queue("campaign", STOPS * MAILS_A_STOP)
    working = [here.processes.worker("campaign")]
    here.until_more_is_taken(5)
    for _ in range(STOPS):
        working.append(here.processes.worker("campaign"))
        time.sleep(chance.uniform(0.0, 2.5))
        leaving = working.pop(chance.randrange(len(working)))
        processes.stop(leaving, within_s=DOCKER_WAITS_S)
    here.until_settled()
    assert audited().statuses == {"sent": here.mails}


def in_hand() -> int:
    """Open groups, and mails that are neither waiting nor decided."""
    with transaction() as session:
        return int(session.scalar(_IN_HAND) or 0)
