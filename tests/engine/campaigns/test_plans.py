"""Plans of the statements of a tick and of a drain on large tables: none reads a whole table."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from bench.testbed import large_tables
from engine import clock
from engine.campaigns import campaigns, enrollments, explain
from engine.campaigns.reports import people, timeline
from engine.delivery import email_pages, emails
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


def test_no_page_of_emails_reads_a_whole_table(plans: large_tables.Plans) -> None:
    values: dict[str, Any] = {"campaign_id": UUID(int=2)}
    rare: dict[str, Any] = {"status": "failed"}
    for conditions in ({}, values, {"contact_id": UUID(int=7)}, {"status": "sent"}, {"template": "email_1_roi"}):
        with transaction() as session:
            assert email_pages.page(session, email_pages.Filter(**conditions), limit=50).emails, conditions
    for conditions in (rare, {"template": "email_2_caso"}, {**values, **rare}, {**values, "status": "queued"}):
        with transaction() as session:
            assert not email_pages.page(session, email_pages.Filter(**conditions), limit=50).emails, conditions
    assert len(plans) == 4 and plans.scans == []


def test_no_page_of_a_contact_reads_a_whole_table(plans: large_tables.Plans) -> None:
    with transaction() as session:
        assert timeline.page(session, UUID(int=7)).entries and explain.why(session, UUID(int=7), now=clock.now())
        assert not enrollments.are_held(session, UUID(int=2), now=clock.now())
    assert len(plans) == 4 and plans.scans == []


def test_no_page_of_waiting_people_reads_a_whole_table(plans: large_tables.Plans) -> None:
    with transaction() as session:
        wait = """
            UPDATE enrollments SET state = 'waiting', next_at = NULL WHERE id IN (
                SELECT id FROM enrollments WHERE campaign_id = :id AND state = 'active' ORDER BY id LIMIT 2000)"""
        session.execute(text(wait), {"id": UUID(int=2)})
        session.execute(text("ANALYZE enrollments"))
        plans.clear()
        people.of_step(session, UUID(int=2), people.StepFact(1, "queued"))
    assert len(plans) == 1 and plans.scans == []


def test_no_statement_of_a_tick_or_a_drain_reads_a_whole_table(plans: large_tables.Plans) -> None:
    followups.call_due()
    upkeep.sweep()
    idle = set(plans)
    launch()
    plans.clear()
    tick_and_drain()
    assert len(idle) > 5 and len(plans) > len(idle)
    assert plans.scans == []
    with transaction() as session:  # as a control
        session.execute(text("SELECT 1 FROM emails WHERE subject = :none"), {"none": ""})
    assert [scan.partition(":")[0] for scan in plans.scans] == ["emails"]


def test_no_statement_compares_all_pairs_of_rows_before_the_first_analyze(
    ledger: str, inbox: Mailstore, broker: str
) -> None:
    """A table has no statistics in its first minute, in which a large campaign may be launched, paused and resumed."""
    with large_tables.explained() as plans:
        campaign_id = launch(1_500)
        with transaction() as session:
            campaigns.pause(session, campaign_id, "lunch", now=clock.now())
            session.execute(text("UPDATE emails SET due_at = :parked, campaign_id = :id WHERE lane = 'campaign'"),
                            {"parked": emails.PARKED, "id": campaign_id})  # fmt: skip
            campaigns.resume(session, campaign_id, now=clock.now())
        tick_and_drain()
        assert len(plans) > 20
        assert plans.pairs == []


def launch(count: int = 40) -> UUID:
    """Launch a campaign, and queue as many e-mails in each lane; return the campaign's id."""
    with transaction() as session:
        people = sequence.people(session, count)
        campaign_id = sequence.create(session)
        enrollments.enroll(session, campaign_id, contact_ids=people, now=clock.now())
        campaigns.launch(session, campaign_id, now=clock.now())
        sends.queue(session, count, now=clock.now(), lane="campaign")
        sends.queue(session, count, now=clock.now(), lane="transactional")
    return campaign_id


def tick_and_drain() -> None:
    for lane in ("transactional", "campaign"):
        drain.drain(lane)
    followups.call_due()
    upkeep.sweep()
