"""A sender dies at each named point of a send, in both lanes; a control test shows that the audit notices."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests import processes
from tests.faults.comparison import Report
from tests.faults.extent import LANES, SEED, extent
from tests.faults.scenarios import Scenario
from tests.faults.worker import BY_GROUP, POINTS

EACH = extent(1, 8)
AFTER_THE_DOT = extent(2, 12)
EMAILS_PER_DEATH = 50


@pytest.mark.parametrize("lane", LANES)
def test_death_at_each_point_of_a_send(scenario: Scenario, audited: Callable[[], Report], lane: str) -> None:
    plan = plan_deaths(random.Random(SEED))
    due = Counter(point for _, point in plan) + Counter({"after the dot": AFTER_THE_DOT})
    scenario.relay("--kill-at", kill_at(AFTER_THE_DOT))
    scenario.points(plan, lane)
    scenario.keeper()
    scenario.queue(lane, EMAILS_PER_DEATH * (due.total() + 4))
    processes.until(lambda: dead(scenario) >= due, "senders died at all points", within_s=extent(60, 500))
    scenario.until_settled(within_s=extent(60, 300))
    scenario.kills = dead(scenario)
    audited()


def test_marking_the_dot_after_writing_it_sends_emails_twice(scenario: Scenario) -> None:
    """The control: without the mark before the write, e-mails are sent twice."""
    scenario.relay("--kill-at", kill_at(AFTER_THE_DOT))
    scenario.wrapped_worker("transactional", "--mark-late")
    scenario.keeper()
    scenario.queue("transactional", EMAILS_PER_DEATH * (AFTER_THE_DOT + 2))
    deaths = extent(60, 500)
    processes.until(lambda: scenario.log.count("killed") == AFTER_THE_DOT, "the senders died", within_s=deaths)
    scenario.until_settled(within_s=extent(60, 300))
    assert scenario.compare("control").twice >= 1


def plan_deaths(chance: random.Random) -> list[tuple[int, str]]:
    """Return each point equally often and in random order, with the number of the group or e-mail to die at."""
    points = [point for point in POINTS for _ in range(EACH)]
    chance.shuffle(points)
    return [(chance.randint(1, 2 if point in BY_GROUP else 40), point) for point in points]


def kill_at(deaths: int) -> str:
    """Return the numbers of the messages whose sender dies after the dot and before the reply."""
    return ",".join(str(EMAILS_PER_DEATH * (number + 1)) for number in range(deaths))


def dead(scenario: Scenario) -> Counter[str]:
    """Count the deaths so far, by point."""
    kills = scenario.plan.with_suffix(".kills")
    return Counter(kills.read_text().splitlines() if kills.exists() else []) + Counter(
        {"after the dot": scenario.log.count("killed")}
    )
