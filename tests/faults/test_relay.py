"""A relay with every fault: it delays, refuses, disconnects at any moment, and accepts messages without a reply."""

import random
import time
from collections.abc import Callable

import pytest

from tests.faults.comparison import IN_FLIGHT_MAX, Report
from tests.faults.extent import LANES_OF_LONG, SEED, extent
from tests.faults.relay import FAULTS
from tests.faults.scenarios import ENVIRONMENT, Scenario

EMAILS = extent(300, 4000)
KILLS = extent(2, 20)


@pytest.mark.parametrize("lane", LANES_OF_LONG)
def test_a_relay_with_every_fault(scenario: Scenario, audited: Callable[..., Report], lane: str) -> None:
    """Children are killed meanwhile. Only e-mails without a reply may be in doubt; only refused ones may fail."""
    chance = random.Random(SEED)
    scenario.relay("--rate", "0.02", "--faults", ",".join(FAULTS), "--seed", str(SEED))
    worker = scenario.processes.worker(lane, concurrency=2)
    scenario.keeper()
    scenario.queue(lane, EMAILS)
    for _ in range(KILLS):
        scenario.until_more_accepted(5)
        time.sleep(chance.uniform(0.0, 0.3))
        scenario.kill_child(worker, chance)
    scenario.until_settled(within_s=extent(90, 600))
    report = audited(in_doubt_max=int(ENVIRONMENT["SEND_GROUP_SIZE"]))  # a dead sender also has those of the relay
    in_flight = KILLS * IN_FLIGHT_MAX
    assert report.statuses["in_doubt"] <= scenario.log.unanswered.total() + in_flight
    assert 0 <= scenario.log.faults["550@RCPT"] - report.statuses["failed"] <= in_flight
