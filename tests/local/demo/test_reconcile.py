"""The demo's audit: what it finds when the ledger, the inbox and the recipients do not agree."""

import re
from collections.abc import Mapping
from datetime import datetime

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
    """The inbox after a campaign of one mail to four people, none of whom reacted."""
    with transaction() as session:
        sequence.people(session, PEOPLE)
        campaigns.launch(session, sequence.create(session, days=[0]), now=NOW)
    drain.drain("campaign", time=StillClock())
    return inbox


def found(store: Mailstore, deeds: Mapping[str, set[str]] | None = None) -> list[str]:
    with transaction() as session:
        return reconcile.findings(session, store, deeds or {})


def change(statement: str) -> None:
    with transaction() as session:
        session.execute(text(statement))


def first_message_id(store: Mailstore) -> str:
    mail = store.read(1)
    assert mail is not None
    [message_id] = re.findall(rb"(?im)^Message-ID: (<[^>]+>)", mail.raw)
    return str(message_id.decode())


def react(message_id: str, event_type: str) -> None:
    email_id = ids.parse(message_id[1:33])
    assert email_id is not None
    with transaction() as session:
        early_events.record(session, [IncomingEvent(email_id, event_type, NOW, source="human")], now=NOW)
    with transaction() as session:
        reactions.apply(session, now=NOW)


def test_nothing_is_found_when_all_agree(delivered: Mailstore) -> None:
    assert delivered.last == PEOPLE
    assert found(delivered) == []


def test_a_mail_is_found_when_the_inbox_has_it_twice(delivered: Mailstore) -> None:
    mail = delivered.read(1)
    assert mail is not None
    delivered.add(mail.raw, sender=mail.sender, recipients=mail.recipients, received_at=mail.received_at)
    [finding] = found(delivered)
    assert finding.endswith("recorded as sent, arrived 2 times")


def test_a_mail_is_found_when_the_inbox_lacks_it(delivered: Mailstore) -> None:
    (delivered.folder / "00000002.eml").unlink()
    [finding] = found(delivered)
    assert finding.endswith("recorded as sent, arrived 0 times")


def test_a_mail_is_found_when_it_went_to_another_person(delivered: Mailstore) -> None:
    mail = delivered.read(1)
    assert mail is not None
    (delivered.folder / "00000001.eml").unlink()
    stranger = ["otra.persona@empresa.example"]
    delivered.add(mail.raw, sender=mail.sender, recipients=stranger, received_at=mail.received_at)
    missing, unknown = found(Mailstore(delivered.folder))
    assert missing.endswith("arrived 0 times")
    assert unknown.endswith("the ledger does not know of it")


def test_a_deed_is_found_when_the_ledger_lost_it(delivered: Mailstore) -> None:
    told = found(delivered, {first_message_id(delivered): {"opened"}})
    assert [finding.partition(": ")[2] for finding in told] == [
        "opened done, and opened_at tells otherwise",
        "its contact's flag email_1_opened tells otherwise",
    ]


def test_a_deed_is_found_when_nobody_did_it(delivered: Mailstore) -> None:
    message_id = first_message_id(delivered)
    react(message_id, "opened")
    assert found(delivered, {message_id: {"opened"}}) == []
    assert len(found(delivered)) == 2


def test_an_event_is_found_when_it_was_never_applied(delivered: Mailstore) -> None:
    message_id = first_message_id(delivered)
    react(message_id, "opened")
    change("UPDATE events SET applied_at = NULL")
    [finding] = found(delivered, {message_id: {"opened"}})
    assert finding.endswith("never applied")


def test_a_contact_is_found_when_its_sequence_never_ended(delivered: Mailstore) -> None:
    change("UPDATE enrollments SET state = 'active' WHERE id = (SELECT min(id::text)::uuid FROM enrollments)")
    assert any("nobody can say how its campaign ended" in finding for finding in found(delivered))


def test_a_mail_in_hand_when_the_stop_came_is_in_order(delivered: Mailstore) -> None:
    change("UPDATE enrollments SET state = 'stopped', stop_reason = 'replied', stopped_at = now()")
    assert found(delivered) == []


def test_mails_are_found_when_they_were_taken_in_hand_after_the_stop(delivered: Mailstore) -> None:
    change("UPDATE enrollments SET state = 'stopped', stop_reason = 'replied', stopped_at = now()")
    change("UPDATE send_groups SET started_at = now() + interval '1 minute'")
    told = found(delivered)
    assert len(told) == PEOPLE
    assert all(finding.endswith("taken in hand after its sequence was stopped") for finding in told)
