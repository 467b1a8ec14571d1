"""Plans of the statements of a tick and of a drain on large tables: none reads a whole table."""

from collections.abc import Iterator

import pytest

from bench.testbed import large_tables
from engine import clock
from engine.campaigns import campaigns, enrollments
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import sends, sequence
from tests.faults.extent import extent
from worker import drain
from worker.tasks import followups, upkeep

COUNT = extent(40_000, 2_000_000)  # enrollments


@pytest.fixture
def large(ledger: str) -> None:
    """Large tables, and a campaign that is due."""
    large_tables.fill(ledger, COUNT)


@pytest.fixture
def plans(large: None, inbox: Mailstore, broker: str) -> Iterator[large_tables.Plans]:
    """The plans of the statements of this process on large tables."""
    with large_tables.explained() as plans:
        yield plans


def test_no_statement_of_a_tick_or_a_drain_reads_a_whole_table(plans: large_tables.Plans) -> None:
    followups.call_due()
    upkeep.sweep()
    idle = set(plans)
    with transaction() as session:
        people = sequence.people(session, 40)
        campaign_id = sequence.create(session)
        enrollments.enroll(session, campaign_id, contact_ids=people, now=clock.now())
        campaigns.launch(session, campaign_id, now=clock.now())
        sends.queue(session, 40, now=clock.now(), lane="campaign")
        sends.queue(session, 40, now=clock.now(), lane="transactional")
    plans.clear()
    for lane in ("transactional", "campaign"):
        drain.drain(lane)
    followups.call_due()
    upkeep.sweep()
    assert len(idle) > 5 and len(plans) > len(idle)
    assert plans.scans == []
