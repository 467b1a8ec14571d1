"""A relay that does all that relays do: tarpits, refuses, hangs up at any moment, takes mail and never says so."""

import random
import time
from collections.abc import Callable

import pytest

from tests.faults.accounts import IN_FLIGHT_MAX, Verdict
from tests.faults.extent import LANES, SEED, extent
from tests.faults.place import ENVIRONMENT, Place
from tests.faults.relay import FAULTS

MAILS = extent(300, 4000)
KILLS = extent(2, 20)


@pytest.mark.parametrize("lane", LANES)
def test_a_relay_that_does_it_all(here: Place, audited: Callable[..., Verdict], lane: str) -> None:
    """Children are killed on top of it. Only what got no reply may be in doubt; only what was refused may fail."""
    chance = random.Random(SEED)
    here.relay("--rate", "0.02", "--faults", ",".join(FAULTS), "--seed", str(SEED))
    worker = here.processes.worker(lane, concurrency=2)
    here.keeper()
    here.queue(lane, MAILS)
    for _ in range(KILLS):
        here.until_more_is_taken(5)
        time.sleep(chance.uniform(0.0, 0.3))
        here.kill_child(worker, chance)
    here.until_settled(within_s=extent(90, 600))
    verdict = audited(in_doubt_max=int(ENVIRONMENT["SEND_GROUP_SIZE"]))  # the relay's own are among a dead sender's
    in_flight = KILLS * IN_FLIGHT_MAX
    assert verdict.statuses["in_doubt"] <= here.log.unanswered.total() + in_flight
    assert 0 <= here.log.faults["550@RCPT"] - verdict.statuses["failed"] <= in_flight
