"""Opt-outs and conversions in files stop sequences at once."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns
from engine.delivery import audit
from models.session import transaction
from tests import contact_rows, sends, sequence
from tests.sequence import NOW

FILE = b"""Email,Baja,Convertido,Fecha de conversi\xc3\xb3n
contacto0@empresa.example,s\xc3\xad,,
contacto1@empresa.example,,1,2026-10-01
contacto2@empresa.example,no,no,
persona0@empresa.example,x,,
"""


@pytest.fixture
def started(session: Session) -> None:
    """A running campaign with three contacts who got its first e-mail, and a queued e-mail to another person."""
    sequence.people(session, 3)
    campaigns.launch(session, sequence.create(session), now=NOW)
    sequence.send_due(session, now=NOW)
    sends.queue(session, now=NOW)


@pytest.mark.usefixtures("started")
def test_an_opt_out_and_a_conversion_stop_sequences_and_cancel_queued_emails(session: Session) -> None:
    report = contact_rows.take_in(session, BytesIO(FILE), now=NOW)
    assert (report.opted_out, report.converted) == (2, 1)
    states = session.execute(text("SELECT state, stop_reason, stopped_at FROM enrollments ORDER BY stop_reason"))
    converted_at = datetime(2026, 10, 1, tzinfo=UTC)
    assert states.all() == [
        ("stopped", "converted", converted_at),
        ("stopped", "unsubscribed", NOW),
        ("active", None, None),
    ]
    assert session.scalar(text("SELECT count(*) FROM emails WHERE status = 'cancelled'")) == 1
    again = contact_rows.take_in(session, BytesIO(FILE), now=NOW)
    assert (again.unchanged, again.opted_out) == (4, 2)
    session.connection().connection.commit()
    with transaction() as auditing:
        assert [str(finding) for finding in audit.run(auditing).findings] == []


@pytest.mark.usefixtures("started")
def test_a_dry_run_counts_and_changes_nothing(session: Session) -> None:
    state = text("""SELECT (SELECT count(*) FROM suppressions), (SELECT count(*) FROM contacts WHERE converted),
                           (SELECT count(*) FROM enrollments WHERE state = 'active')""")
    before = session.execute(state).one()
    dry = contact_rows.take_in(session, BytesIO(FILE), now=NOW, dry_run=True)
    assert session.execute(state).one() == before == (0, 0, 3)
    assert contact_rows.take_in(session, BytesIO(FILE), now=NOW) == dry
