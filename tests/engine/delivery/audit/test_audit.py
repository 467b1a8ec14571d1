"""The audit names the row of each tampering once, and finds nothing in a ledger that nobody changed."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import upkeep
from engine.delivery import audit
from engine.tracking import retention
from models import ids
from models.session import transaction
from tests import databases
from tests.conftest import environment
from tests.engine.delivery.audit import ledger
from tests.engine.delivery.audit.ledger import CONVERTED, DEAD_LATER, READER, RETURNED, UNSUBSCRIBED, Ledger
from tests.sequence import NOW

# A status that was changed alone, and together with the other columns of its row.
_STATUS = "UPDATE emails SET status = '{}', reason = 'x' WHERE id = :id"
_ROW = """UPDATE emails SET status = '{}', reason = 'x', sent_at = NULL, response = '550 no', attempts = 1, claim = NULL
           WHERE id = :id"""
_NOT_SENT = ("failed", "cancelled", "queued", "in_doubt")


def findings(session: Session, statement: str, **values: object) -> list[str]:
    """Return the findings of the audit after this change, which is undone."""
    savepoint = session.begin_nested()
    assert session.execute(text(statement), values).rowcount > 0  # type: ignore[attr-defined]
    texts = [str(finding) for finding in audit.read(session).findings]
    savepoint.rollback()
    return texts


def one(texts: Sequence[str]) -> str:
    assert len(texts) == 1, texts
    return texts[0]


@pytest.fixture(scope="module")
def stored(databases: databases.Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, Ledger]]:
    """Return an open transaction with a ledger in it, for all tests of this module."""
    folder, url = tmp_path_factory.mktemp("audit"), databases.fresh()
    with environment(DATABASE_URL=url, LOG_FILE=str(folder / "log")), transaction() as opened:
        yield opened, ledger.make(opened)


@pytest.fixture
def session(stored: tuple[Session, Ledger]) -> Iterator[Session]:
    """Return the transaction; a test's changes are undone."""
    session, _ = stored
    savepoint = session.begin_nested()
    yield session
    savepoint.rollback()


@pytest.fixture
def made(session: Session, stored: tuple[Session, Ledger]) -> Ledger:
    assert audit.read(session).findings == ()
    return stored[1]


@pytest.mark.parametrize("status", _NOT_SENT)
def test_a_sent_email_that_is_said_to_be_something_else_is_named(session: Session, made: Ledger, status: str) -> None:
    for email_id in (made.emails[READER], made.single):
        finding = one(findings(session, _STATUS.format(status), id=email_id))
        assert finding.startswith(f"{ids.public(email_id)} is {status}, but has a sent_at")
        assert "but a server accepted it" in finding


def test_a_whole_row_that_was_rewritten_is_found_by_others(session: Session, made: Ledger) -> None:
    """The e-mail or its contact is named once; besides, the counts of the step differ."""
    email_id, contact_id = made.emails[READER], made.contacts[READER]
    for status in _NOT_SENT:
        texts = findings(session, _ROW.format(status), id=email_id)
        assert sum(f"contact {contact_id} has the flag email_1_sent" in each for each in texts) == 1
        assert any(each.startswith(f"counts of campaign {made.campaign_id}, step 1 have") for each in texts)
        named = sum(each.startswith(f"{ids.public(email_id)} ") for each in texts)
        assert named == (status != "failed")  # a failure does not end a sequence, so that alone cannot show it
    assert "counts of" in " ".join(findings(session, _ROW.format("failed"), id=made.single))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE email_stats SET sent = sent + 1 WHERE campaign_id = :id AND step = 1 AND sent > 0",
        "UPDATE email_stats SET hour = hour - interval '1 hour' WHERE campaign_id = :id AND step = 1 AND sent > 1",
        "UPDATE email_stats SET failed = failed - 1 WHERE campaign_id = :id AND step = 1 AND failed > 0",
        "UPDATE email_stats SET clicked = clicked + 1 WHERE campaign_id = :id AND step = 1 AND clicked > 0",
        "DELETE FROM email_stats WHERE campaign_id = :id AND step = 1 AND sent > 0",
    ],
)
def test_counts_that_are_wrong_or_gone_are_named(session: Session, made: Ledger, statement: str) -> None:
    finding = one(findings(session, statement, id=made.campaign_id))
    assert finding.startswith(f"counts of campaign {made.campaign_id}, step 1 have ")


def test_a_deleted_suppression_is_named(session: Session, made: Ledger) -> None:
    delete = "DELETE FROM suppressions USING contacts c WHERE c.id = :id AND c.email_index = suppressions.email_index"
    for who in (0, UNSUBSCRIBED, ledger.COMPLAINER, DEAD_LATER, CONVERTED):
        finding = one(findings(session, delete, id=made.contacts[who]))
        assert finding.startswith(f"contact {made.contacts[who]} is not suppressed, but ")


def test_a_changed_message_id_is_named(session: Session, made: Ledger) -> None:
    for name in ("'x' || message_id", "replace(message_id, '@', '')", "overlay(message_id placing 'zz' from 4)"):
        finding = one(findings(session, f"UPDATE emails SET message_id = {name} WHERE id = :id", id=made.single))
        assert finding == f"{ids.public(made.single)} has another Message-ID than its id gives"


@pytest.mark.parametrize("who", [READER, UNSUBSCRIBED, RETURNED, ledger.COMPLAINER, DEAD_LATER, CONVERTED, 3, 13, 14])
def test_a_deleted_applied_event_is_named(session: Session, made: Ledger, who: int) -> None:
    """Only events that set a moment of an e-mail can be missed; a second open sets none."""
    email_id: UUID = made.emails[who]
    finding = one(findings(session, "DELETE FROM events WHERE email_id = :id AND applied_at IS NOT NULL", id=email_id))
    assert finding.startswith(f"{ids.public(email_id)} has ") and "_at, but no event of that moment" in finding


def test_an_active_enrollment_of_a_finished_campaign_is_named(session: Session, made: Ledger) -> None:
    running = session.execute(
        text("SELECT id, contact_id FROM enrollments WHERE campaign_id = :id AND state = 'active'"),
        {"id": made.campaign_id},
    ).all()
    texts = findings(session, "UPDATE campaigns SET state = 'finished' WHERE id = :id", id=made.campaign_id)
    waiting = [each for each in texts if "is waiting" in each]
    assert len(running) + len(waiting) == len(texts)
    for enrollment_id, contact_id in running:
        expected = f"enrollment {enrollment_id} of contact {contact_id} is active, but its campaign is finished"
        assert texts.count(expected) == 1


def test_rows_that_retention_deletes_are_no_finding(session: Session, made: Ledger) -> None:
    retention.set_horizon(session, NOW + timedelta(minutes=6))
    while retention.prune(session):
        pass
    session.execute(text("UPDATE send_groups SET ended_at = ended_at - interval '8 days' WHERE state <> 'open'"))
    upkeep.tidy(session)
    assert audit.read(session).findings == ()
    email_id = made.emails[UNSUBSCRIBED]  # its event is younger than the horizon
    assert ids.public(email_id) in one(findings(session, "DELETE FROM events WHERE email_id = :id", id=email_id))


def test_findings_are_counted_and_bounded(session: Session, made: Ledger) -> None:
    emails = session.scalar(text("SELECT count(*) FROM emails"))
    session.execute(text("UPDATE emails SET message_id = 'x'"))
    [checked] = [each for each in audit.checks(session, limit=2) if each.total]
    assert (checked.name, checked.total, len(checked.findings)) == ("e-mails", emails, 2)
    assert emails > 5
