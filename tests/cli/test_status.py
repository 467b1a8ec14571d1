"""`cadencia status` and `cadencia audit ledger`: their lines and their exit status."""

from sqlalchemy import text

from models.session import transaction
from tests import sends, sequence
from tests.cli.conftest import Run


def test_status_ends_with_1_while_a_lane_or_the_sweep_is_late(run: Run) -> None:
    with transaction() as session:
        session.execute(text("INSERT INTO heartbeats (name, beaten_at) VALUES ('sweep', now())"))
    assert run("status").stdout.splitlines()[1:] == [
        "transactional\ton time\tnothing due\tnot worked on in the last week",
        "campaign\ton time\tnothing due\tnot worked on in the last week",
        "spool\ton time\tnothing waits",
    ]
    with transaction() as session:
        sends.queue(session, 2)
    expected = "transactional\tlate\t2 due since 2026-03-02T09:00:00Z\tnot worked on in the last week"
    assert expected in run("status", status=1).stdout
    with transaction() as session:
        session.execute(text("DELETE FROM emails"))
        session.execute(text("DELETE FROM heartbeats"))
    assert run("status", status=1).stdout.startswith("sweep\tlate\tnot run")


def test_the_audit_prints_findings_up_to_its_limit_and_ends_with_1(run: Run) -> None:
    with transaction() as session:
        sends.queue(session, 3, lane="campaign", now=sequence.NOW)
        sequence.send_due(session, now=sequence.NOW)
    clean = run("audit", "ledger")
    assert clean.stdout.splitlines()[-2:] == ["         3  accepted in all", "clean: every e-mail is accounted for"]
    with transaction() as session:
        session.execute(text("UPDATE emails SET message_id = 'x'"))
    errors = run("audit", "ledger", "--limit", "2", status=1).stderr.splitlines()
    assert sum("has another Message-ID" in line for line in errors) == 2
    assert errors[-1] == "inconsistent: e-mails: 1 more"
