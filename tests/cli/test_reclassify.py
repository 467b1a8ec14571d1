"""`cadencia events reclassify`: its changes and its report; a dry run only reports."""

from datetime import timedelta

from sqlalchemy import text

from engine.delivery import early_events
from engine.engagement import reactions
from engine.tracking.events import IncomingEvent
from models import Email
from models.session import transaction
from tests.cli.conftest import Run
from tests.mails import NOW, Mail, mail

SEEN = {"method": "HEAD", "agent": "curl/8.5.0", "network": "other", "link": 1}
SPAN = ("--since", f"{NOW - timedelta(days=1):%Y-%m-%d}", "--until", f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M}")


def create_misclassified() -> Mail:
    """Create an e-mail with a machine's click that was classified as a person's."""
    with transaction() as session:
        sent = mail(session)
        early_events.record(session, [IncomingEvent(sent.id, "clicked", NOW - timedelta(minutes=5), SEEN)], now=NOW)
        reactions.apply(session, now=NOW)
        session.execute(text("UPDATE events SET source = 'human', reasons = '{}'"))
        session.execute(text("UPDATE emails SET clicked_at = machine_clicked_at, machine_clicked_at = NULL"))
    return sent


def reclassify(run: Run, *options: str) -> str:
    return run("events", "reclassify", *SPAN, *options).stdout


def test_reclassify_corrects_and_reports_what_it_did(run: Run) -> None:
    sent = create_misclassified()
    report = reclassify(run)
    assert "1 opens and clicks classified, 1 classifications changed" in report
    assert "human -> machine: 1, head 1, library 1" in report
    with transaction() as session:
        row = session.get_one(Email, sent.id)
        assert (row.clicked_at, row.machine_clicked_at) == (None, NOW - timedelta(minutes=5))
    assert "0 classifications changed" in reclassify(run)


def test_a_dry_run_writes_nothing(run: Run) -> None:
    sent = create_misclassified()
    report = reclassify(run, "--dry-run")
    assert "human -> machine: 1" in report
    assert "nothing was written" in report
    with transaction() as session:
        assert session.get_one(Email, sent.id).machine_clicked_at is None
