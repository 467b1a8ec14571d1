"""The command that judges anew: what it changes, what it tells, and that a dry run only tells."""

from datetime import timedelta

from flask import Flask
from sqlalchemy import text

from engine.delivery import early_events
from engine.engagement import reactions
from engine.tracking.events import Arrival
from models import Email
from models.session import transaction
from tests.mails import NOW, Mail, mail

SEEN = {"method": "HEAD", "agent": "curl/8.5.0", "network": "other", "link": 1}
SPAN = ("--since", f"{NOW - timedelta(days=1):%Y-%m-%d}", "--until", f"{NOW + timedelta(days=1):%Y-%m-%dT%H:%M}")


def taken_for_a_person(app: Flask) -> Mail:
    """A mail whose click by a machine was once thought a person's."""
    with transaction() as session:
        sent = mail(session)
        early_events.record(session, [Arrival(sent.id, "clicked", NOW - timedelta(minutes=5), SEEN)], now=NOW)
        reactions.apply(session, now=NOW)
        session.execute(text("UPDATE events SET source = 'human', reasons = '{}'"))
        session.execute(text("UPDATE emails SET clicked_at = machine_clicked_at, machine_clicked_at = NULL"))
    return sent


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=["events", "rejudge", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_rejudge_mends_and_tells_what_it_did(app: Flask) -> None:
    sent = taken_for_a_person(app)
    told = run(app, *SPAN)
    assert "1 opens and clicks judged, 1 verdicts changed" in told
    assert "human -> machine: 1, head 1, library 1" in told
    with transaction() as session:
        row = session.get_one(Email, sent.id)
        assert (row.clicked_at, row.machine_clicked_at) == (None, NOW - timedelta(minutes=5))
    assert "0 verdicts changed" in run(app, *SPAN)


def test_rejudge_writes_nothing_when_it_is_dry(app: Flask) -> None:
    sent = taken_for_a_person(app)
    told = run(app, *SPAN, "--dry-run")
    assert "human -> machine: 1" in told
    assert "nothing was written" in told
    with transaction() as session:
        assert session.get_one(Email, sent.id).machine_clicked_at is None
