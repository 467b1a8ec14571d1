"""A host is lost with its disk: its senders die in the middle of a campaign, and their recorders are gone."""

import shutil
from collections.abc import Callable

from sqlalchemy import text

from engine import bell, clock
from engine.campaigns import advance
from engine.delivery import in_doubt
from models.session import transaction
from tests.conftest import environment
from tests.faults.comparison import Report
from tests.faults.extent import extent
from tests.faults.scenarios import Scenario
from tests.faults.test_processes import kill_worker
from worker.drain import GROUP_LEAST

EMAILS = extent(800, 8000)
HOSTS = extent(1, 4)

# A sender adapts the size of its groups to the speed of those before.
_PER_S = text("""
SELECT max(answered / extract(epoch FROM ended_at - started_at)) FROM send_groups WHERE state = 'settled'
""")


def test_a_host_that_is_lost_with_its_recorders(scenario: Scenario, audited: Callable[..., Report]) -> None:
    """Another host recovers its group. A person compares the e-mails in doubt with the relay's log, and decides."""
    scenario.relay("--delay-s", "0.01")
    scenario.queue("campaign", EMAILS)
    for number in range(HOSTS):
        lose_a_host(scenario, f"host {number}")
    scenario.wrapped_worker("campaign,sequence,events", "--grace-s", "0.5", beat=True)
    scenario.until_settled(within_s=extent(60, 300))
    with transaction() as session:
        claimed_in_a_second = max(GROUP_LEAST, int(session.scalar(_PER_S) or 0))
    assert 0 < decide_by_the_log(scenario) <= HOSTS * claimed_in_a_second
    scenario.until_settled()
    report = audited(in_doubt_max=claimed_in_a_second)
    assert report.statuses == {"sent": EMAILS}
    assert len(report.doubts) == HOSTS


def lose_a_host(scenario: Scenario, name: str) -> None:
    """Kill a worker that is sending, with its children, and remove its folder."""
    folder = scenario.folder / name
    # In a long slice the sender always has an open group.
    with environment(RECORDER_DIR=str(folder), LEASE_S="2", SEND_GROUP_SIZE="2000", DRAIN_SLICE_S="60"):
        worker = scenario.processes.worker("campaign")
    bell.ring("campaign")
    scenario.until_more_accepted(300)
    assert len(list(folder.glob("*.rec"))) == 1
    kill_worker(scenario, worker, spare_children=False)
    shutil.rmtree(folder)


def decide_by_the_log(scenario: Scenario) -> int:
    """Close the e-mails in doubt that the relay has accepted, send the others again, and return their number."""
    accepted = {name.partition("@")[0] for name in scenario.log.accepted}
    with transaction() as session:
        doubts = in_doubt.listed(session)
        arrived = [email_id for email_id in doubts if email_id.hex in accepted]
        advance.prove(session, arrived, now=clock.now(), reason="closed by an operator")
        in_doubt.resend(session, sorted(set(doubts) - set(arrived)), now=clock.now())
    return len(doubts)
