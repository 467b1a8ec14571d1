"""A sender dies at each named point of a send, in both lanes; and the control that must not survive it."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests import processes
from tests.faults.accounts import Verdict
from tests.faults.extent import LANES, SEED, extent
from tests.faults.place import Place
from tests.faults.worker import BY_GROUP, POINTS

EACH = extent(1, 8)
AFTER_THE_DOT = extent(2, 12)
MAILS_A_LIFE = 50


@pytest.mark.parametrize("lane", LANES)
def test_death_at_each_point_of_a_send(here: Place, audited: Callable[[], Verdict], lane: str) -> None:
    plan = plan_deaths(random.Random(SEED))
    due = Counter(point for _, point in plan) + Counter({"after the dot": AFTER_THE_DOT})
    here.relay("--kill-at", kill_at(AFTER_THE_DOT))
    here.points(plan, lane)
    here.keeper()
    here.queue(lane, MAILS_A_LIFE * (due.total() + 4))
    processes.until(lambda: dead(here) >= due, "senders died at all points", within_s=30 + 2 * due.total())
    here.until_settled(within_s=extent(60, 300))
    here.kills = dead(here)
    audited()


def test_marking_the_dot_after_it_was_written_mails_people_twice(here: Place) -> None:
    """The control: what keeps people from a second mail is the mark before the write, and nothing else."""
    here.relay("--kill-at", kill_at(AFTER_THE_DOT))
    here.strange_worker("transactional", "--mark-late")
    here.keeper()
    here.queue("transactional", MAILS_A_LIFE * (AFTER_THE_DOT + 2))
    processes.until(lambda: here.log.count("killed") == AFTER_THE_DOT, "the senders died")
    here.until_settled()
    assert here.judge("control").twice >= 1


def plan_deaths(chance: random.Random) -> list[tuple[int, str]]:
    """Each point so often, in random order: which of its groups or messages a child does not survive."""
    points = [point for point in POINTS for _ in range(EACH)]
    chance.shuffle(points)
    return [(chance.randint(1, 2 if point in BY_GROUP else 40), point) for point in points]


def kill_at(deaths: int) -> str:
    """The messages whose sender dies after their dot and before their reply."""
    return ",".join(str(MAILS_A_LIFE * (number + 1)) for number in range(deaths))


def dead(here: Place) -> Counter[str]:
    """Who died so far, and where."""
    kills = here.plan.with_suffix(".kills")
    return Counter(kills.read_text().splitlines() if kills.exists() else []) + Counter(
        {"after the dot": here.log.count("killed")}
    )
