"""From a sent e-mail to its answer and its bounce, when the relay replaced our Message-ID."""

import email
from email import policy

import pytest

from engine import clock
from engine.engagement import reactions
from engine.inbound import incoming
from local.mail.mailstore import Mailstore
from models.session import retrying, transaction
from tests import sends
from tests.conftest import environment
from tests.engine.inbound.test_bounces import report
from worker import drain


@pytest.mark.parametrize("kind", ["marketing", "transactional"])
def test_the_addresses_of_an_email_find_it_again(inbox: Mailstore, kind: str) -> None:
    with environment(RETURN_PATH="bounces@cadencia.example", REPLY_TO="Ana <ventas@cadencia.example>", REPLY_TAGS="1"):
        with transaction() as session:
            email_ids = sends.queue(session, 2, now=clock.now(), kind=kind)
        drain.drain("transactional")
        [first, second] = inbox.since(0)
        by_sender, by_reply = (
            _recorded(b"Subject: Re: x\r\n" + _to(_reply_to(first.raw))),
            _recorded(report("a@b.example", headers=f"Delivered-To: {second.sender}\n")),
        )
        with transaction() as session:
            reactions.apply(session, now=clock.now())
            statuses = sends.statuses(session, email_ids)
    assert (by_sender.event_type, by_reply.event_type) == ("replied", "bounced")
    assert {by_sender.email_id, by_reply.email_id} == set(email_ids)
    assert sorted(statuses) == ["bounced", "sent"]
    assert first.sender.startswith("bounces+") and first.sender != second.sender


def test_without_the_settings_all_emails_have_the_same_addresses(inbox: Mailstore) -> None:
    with transaction() as session:
        sends.queue(session, 1, now=clock.now())
    drain.drain("transactional")
    [mail] = inbox.since(0)
    assert mail.sender == "hola@cadencia.example" and b"Reply-To" not in mail.raw


def _reply_to(raw: bytes) -> str:
    message = email.message_from_bytes(raw, policy=policy.default)
    assert message["Reply-To"].addresses[0].display_name == "Ana"
    return str(message["Reply-To"].addresses[0].addr_spec)


def _to(address: str) -> bytes:
    return f"From: otra@otra.example\r\nTo: {address}\r\n\r\nHola".encode()


def _recorded(raw: bytes) -> incoming.Recorded:
    recorded = incoming.handle(raw, "message", run=retrying, now=clock.now())
    assert recorded is not None
    return recorded
