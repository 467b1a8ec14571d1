"""Plans of the statements of forms and landing pages on large tables: none reads a whole table."""

from datetime import timedelta
from uuid import UUID

import pytest

from bench.testbed import large_tables
from engine import clock
from engine.forms import consents, people
from engine.landing import visits
from engine.tracking import views
from models.session import transaction
from tests.engine.forms import signups
from tests.faults.extent import extent
from worker.tasks import upkeep

COUNT = extent(10_000, 2_000_000)  # of which half are submissions
FIRST = UUID(int=1)


@pytest.fixture
def large(ledger: str) -> None:
    """Large tables."""
    large_tables.fill(ledger, COUNT)
    large_tables.fill_forms(ledger, COUNT)


def test_no_statement_of_forms_and_landing_pages_reads_a_whole_table(large: None, broker: str) -> None:
    with transaction() as session:
        form = signups.create(session)
    since = clock.now() - timedelta(days=1)
    with large_tables.explained() as plans:
        for address in ("ana@empresa.example", "eva@empresa.example"):
            signups.submit(form, address, now=clock.now())
        with transaction() as session:
            [waiting, _] = people.page(session, form.id, "pending")
        signups.confirm(clock.now(), waiting.id)
        with transaction() as session:
            [confirmed] = people.page(session, form.id, "confirmed")
            assert confirmed.contact_id is not None and consents.of(session, confirmed.contact_id)
            assert people.page(session, UUID(int=2), "expired")
            visits.add(session, {views.key(FIRST, "", clock.now()): (1, 0)})
            visits.by_moment(session, FIRST, since=since)
            visits.totals(session, [FIRST], since=since)
        upkeep.tidy()
    assert len(plans) > 30
    assert plans.scans == []
