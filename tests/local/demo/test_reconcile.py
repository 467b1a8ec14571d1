"""The audit of the demo: findings when the ledger, the inbox and the recipients disagree."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.campaigns import campaigns
from engine.delivery import early_events
from engine.engagement import reactions
from engine.tracking.events import IncomingEvent
from local.demo import reconcile
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import sequence
from tests.engine.forms import signups
from tests.sequence import NOW
from worker import drain

PEOPLE = 4


class StillClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def at(self, _: int, /) -> datetime:
        return NOW


@pytest.fixture
def delivered(inbox: Mailstore) -> Mailstore:
    """The inbox after a campaign of one e-mail to four people, none of whom reacted."""
    with transaction() as session:
        sequence.people(session, PEOPLE)
        campaigns.launch(session, sequence.create(session, days=[0]), now=NOW)
    drain.drain("campaign", time=StillClock())
    return inbox


def findings(store: Mailstore, actions: Mapping[str, set[str]] | None = None) -> list[str]:
    with transaction() as session:
        return reconcile.findings(session, store, actions or {})


def change(statement: str) -> None:
    with transaction() as session:
        session.execute(text(statement))


def first_message_id(store: Mailstore) -> str:
    stored = store.read(1)
    assert stored is not None
    [message_id] = re.findall(rb"(?im)^Message-ID: (<[^>]+>)", stored.raw)
    return str(message_id.decode())


def react(message_id: str, event_type: str) -> None:
    email_id = ids.parse(message_id[1:33])
    assert email_id is not None
    with transaction() as session:
        early_events.record(session, [IncomingEvent(email_id, event_type, NOW, source="human")], now=NOW)
    with transaction() as session:
        reactions.apply(session, now=NOW)


def test_no_finding_when_all_agree(delivered: Mailstore) -> None:
    assert delivered.last == PEOPLE
    assert findings(delivered) == []


def test_finding_when_the_inbox_has_an_email_twice(delivered: Mailstore) -> None:
    stored = delivered.read(1)
    assert stored is not None
    delivered.add(stored.raw, sender=stored.sender, recipients=stored.recipients, received_at=stored.received_at)
    [finding] = findings(delivered)
    assert finding.endswith("recorded as sent, arrived 2 times")


def test_finding_when_the_inbox_lacks_an_email(delivered: Mailstore) -> None:
    (delivered.folder / "00000002.eml").unlink()
    [finding] = findings(delivered)
    assert finding.endswith("recorded as sent, arrived 0 times")


def test_findings_when_an_email_went_to_another_person(delivered: Mailstore) -> None:
    stored = delivered.read(1)
    assert stored is not None
    (delivered.folder / "00000001.eml").unlink()
    stranger = ["otra.persona@empresa.example"]
    delivered.add(stored.raw, sender=stored.sender, recipients=stranger, received_at=stored.received_at)
    missing, unknown = findings(Mailstore(delivered.folder))
    assert missing.endswith("arrived 0 times")
    assert unknown.endswith("the ledger has no row of it")


def test_findings_when_the_ledger_lacks_an_action(delivered: Mailstore) -> None:
    inconsistencies = findings(delivered, {first_message_id(delivered): {"opened"}})
    assert [each.partition(": ")[2] for each in inconsistencies] == [
        "opened done, but opened_at says otherwise",
        "its contact's flag email_1_opened says otherwise",
    ]


def test_findings_when_the_ledger_has_an_action_that_nobody_did(delivered: Mailstore) -> None:
    message_id = first_message_id(delivered)
    react(message_id, "opened")
    assert findings(delivered, {message_id: {"opened"}}) == []
    assert len(findings(delivered)) == 2


def test_finding_when_an_event_was_never_applied(delivered: Mailstore) -> None:
    message_id = first_message_id(delivered)
    react(message_id, "opened")
    change("UPDATE events SET applied_at = NULL")
    [finding] = findings(delivered, {message_id: {"opened"}})
    assert finding.endswith("never applied")


def test_finding_when_a_sequence_never_ended(delivered: Mailstore) -> None:
    change("UPDATE enrollments SET state = 'active' WHERE id = (SELECT min(id::text)::uuid FROM enrollments)")
    assert any("its campaign has no recorded end" in finding for finding in findings(delivered))


def test_no_finding_when_an_email_was_claimed_before_the_stop(delivered: Mailstore) -> None:
    change("UPDATE enrollments SET state = 'stopped', stop_reason = 'replied', stopped_at = now()")
    assert findings(delivered) == []


def test_findings_when_emails_were_claimed_after_the_stop(delivered: Mailstore) -> None:
    change("UPDATE enrollments SET state = 'stopped', stop_reason = 'replied', stopped_at = now()")
    change("UPDATE send_groups SET started_at = now() + interval '1 minute'")
    inconsistencies = findings(delivered)
    assert len(inconsistencies) == PEOPLE
    assert all(each.endswith("claimed after its sequence was stopped") for each in inconsistencies)


def test_a_sign_up_that_was_confirmed_too_late_is_counted_and_no_finding(ledger: str, tmp_path: Path) -> None:
    with transaction() as session:
        form = signups.create(session)
    signups.submit(form)
    lateness = text("UPDATE emails SET clicked_at = accepted_at + interval '7 days' + make_interval(secs => :late_s)")
    for late_s, late, expected in ((-1, 0, True), (1, 1, False)):
        with transaction() as session:
            session.execute(lateness, {"late_s": late_s})
            assert reconcile.late_signups(session) == late
        is_finding = any("was not confirmed" in each for each in findings(Mailstore(tmp_path / "inbox")))
        assert is_finding is expected
