"""A row that cannot be decrypted fails alone; a missing key is a fault of the host, and fails nobody."""

from collections import Counter
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from engine import clock
from engine.campaigns import campaigns
from engine.campaigns.drafting import drafts
from engine.delivery import audit, outbox
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import sends, sequence
from tests.environment import TEST_ENVIRONMENT, environment
from worker import drain

ROTTEN = "overlay(email placing CASE substr(email, 60, 1) WHEN 'A' THEN 'B' ELSE 'A' END from 60 for 1)"


def queue(count: int = 1, **changes: object) -> list[UUID]:
    with transaction() as session:
        return sends.queue(session, count, now=clock.now(), **changes)


def launch(count: int) -> None:
    with transaction() as session:
        sequence.people(session, count)
        campaign = drafts.create(session, sequence.draft(days=(0,)), library=sequence.library(), now=clock.now())
        campaigns.launch(session, campaign, now=clock.now())


def execute(statement: str, **values: object) -> None:
    with transaction() as session:
        session.execute(text(statement), values)


def counted() -> Counter[tuple[str, str | None]]:
    """Count the e-mails by status and reason."""
    with transaction() as session:
        assert audit.run(session).findings == ()
        rows = session.execute(text("SELECT status, reason FROM emails")).all()
    return Counter((row.status, row.reason) for row in rows)


@pytest.mark.parametrize("damage", [ROTTEN, "'rubbish'", "''", "'ñ'", "overlay(email placing 'AAAA' from 4 for 4)"])
def test_a_damaged_address_fails_alone_in_both_lanes(inbox: Mailstore, damage: str) -> None:
    queue(10)
    third = "(SELECT id FROM contacts ORDER BY id LIMIT 1 OFFSET 3)"
    execute(f"UPDATE contacts SET email = {damage} WHERE id = {third}")
    drain.drain("transactional")
    assert counted() == {("sent", None): 9, ("failed", "undecryptable"): 1}
    execute("UPDATE contacts SET listed_at = now()")
    with transaction() as session:
        campaign = drafts.create(session, sequence.draft(days=(0,)), library=sequence.library(), now=clock.now())
        campaigns.launch(session, campaign, now=clock.now())
    drain.drain("campaign")
    assert counted() == {("sent", None): 18, ("failed", "undecryptable"): 2}
    assert len(list(inbox.since(0))) == 18
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM suppressions")) == 0
        assert session.scalar(text("SELECT state FROM campaigns")) in ("running", "finished")


def test_damaged_variables_fail_their_email_alone(inbox: Mailstore, caplog: pytest.LogCaptureFixture) -> None:
    bad, *good = queue(5)
    execute(f"UPDATE emails SET variables = {ROTTEN.replace('email', 'variables')} WHERE id = :id", id=bad)
    drain.drain("transactional")
    with transaction() as session:
        assert sends.statuses(session, [bad, *good]) == ["failed"] + ["sent"] * 4
        details = outbox.details(session, bad)
    assert (details.reason, details.attempts) == ("undecryptable", 1)
    assert details.response == "its address or its variables are damaged and cannot be decrypted"
    assert "undecryptable damaged=1 without_key=0" in caplog.messages
    assert any(line.startswith(f"Error sending email: {ids.public(bad)} failed") for line in caplog.messages)


def test_a_missing_key_fails_nobody_and_blocks_no_other(inbox: Mailstore) -> None:
    old, key = queue(30), Fernet.generate_key().decode()
    with environment(FERNET_KEYS=key):
        new = queue(5, to="nueva@empresa.example")
        drain.drain("transactional")
        with transaction() as session:
            assert set(sends.statuses(session, old)) == {"queued"}
            assert sends.statuses(session, new) == ["sent"] * 5
            details = outbox.details(session, old[0])
        assert (details.attempts, details.reason) == (0, "untried")
        assert details.response == "no key in FERNET_KEYS of this host decrypts its address or its variables"
        assert details.due_at > clock.now()
    execute("UPDATE emails SET due_at = accepted_at WHERE status = 'queued'")
    with environment(FERNET_KEYS=f"{key},{TEST_ENVIRONMENT['FERNET_KEYS']}"):
        drain.drain("transactional")
    assert counted() == {("sent", None): 35}


@pytest.mark.parametrize("count", [2, 3])
def test_few_emails_of_a_missing_key_do_not_fail_either(inbox: Mailstore, count: int) -> None:
    queue(count)
    with environment(FERNET_KEYS=Fernet.generate_key().decode()):
        queue(3, to="nueva@empresa.example")
        drain.drain("transactional")
    assert counted() == {("sent", None): 3, ("queued", "untried"): count}


def test_the_first_emails_of_a_new_key_do_not_fail_where_it_is_missing(inbox: Mailstore) -> None:
    """The usual mistake: the web server has a new key already, and a worker lacks it."""
    queue(3)
    old = TEST_ENVIRONMENT["FERNET_KEYS"]
    for count in (1, 2):
        with environment(FERNET_KEYS=f"{Fernet.generate_key().decode()},{old}"):
            queue(1, to=f"nueva{count}@empresa.example")
        drain.drain("transactional")
        assert counted() == {("sent", None): 3, ("queued", "untried"): count}
