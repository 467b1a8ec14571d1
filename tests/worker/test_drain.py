"""Draining a lane into a real mail server: each e-mail arrives once, and the database agrees."""

import email
import logging
import os
import threading
import time
from collections import Counter
from dataclasses import replace
from email import policy
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.audience import addresses
from engine.campaigns import agenda
from engine.delivery import audit, outbox
from engine.delivery.claim import Claimant
from engine.delivery.recorder import Recorder
from engine.delivery.smtp.prefetch import PrefetchSizes
from engine.messages import compose, variables
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import sends
from tests.conftest import environment
from tests.engine.delivery.smtp.servers import Server
from worker import drain, process

LANE = "transactional"


def queue(count: int = 1, **changes: object) -> list[UUID]:
    with transaction() as session:
        return sends.queue(session, count, now=clock.now(), **changes)


def statuses(email_ids: list[UUID]) -> list[str]:
    with transaction() as session:
        return sends.statuses(session, email_ids)


def arrived(inbox: Mailstore) -> Counter[str]:
    """Count how often each Message-ID arrived."""
    parsed = [email.message_from_bytes(mail.raw, policy=policy.default) for mail in inbox.since(0)]
    return Counter(message["Message-ID"] for message in parsed)


def test_every_email_arrives_once_and_is_recorded_as_sent(inbox: Mailstore) -> None:
    email_ids = queue(60)
    assert drain.drain(LANE) is False
    assert statuses(email_ids) == ["sent"] * 60
    assert arrived(inbox) == Counter({f"<{outbox.message_id(email_id)}>": 1 for email_id in email_ids})
    with transaction() as session:
        report = audit.run(session)
        assert (report.findings, report.statuses) == ((), {"sent": 60})


def test_the_message_contains_its_variables(inbox: Mailstore) -> None:
    queue(variables={"nombre": "Lucía", "industria": "Logística", "link_calendly": "https://cal.example/x"})
    drain.drain(LANE)
    (mail,) = inbox.since(0)
    message = email.message_from_bytes(mail.raw, policy=policy.default)
    assert mail.recipients == ("persona0@empresa.example",)
    assert "Lucía" in message.get_body(("plain",)).get_content()
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_dead_address_fails_and_is_suppressed(inbox: Mailstore) -> None:
    (email_id,) = queue(to="rebota.1@empresa.example")
    drain.drain(LANE)
    with transaction() as session:
        details = outbox.details(session, email_id)
        assert (details.status, details.reason) == ("failed", "hard_bounce")
        assert "rebota" not in (details.response or "")
        assert session.scalar(text("SELECT reason FROM suppressions")) == "hard_bounce"
        assert session.scalar(text("SELECT email_followup_status FROM contacts")) == "bounced"


def test_a_non_ascii_address_receives_its_email(inbox: Mailstore) -> None:
    email_ids = queue(to="begoña.núñez@empresa.example") + queue(to=addresses.normalise("iñaki@ñandú.example"))
    drain.drain(LANE)
    assert statuses(email_ids) == ["sent", "sent"]
    recipients = {mail.recipients[0]: mail.raw for mail in inbox.since(0)}
    assert recipients.keys() == {"begoña.núñez@empresa.example", "iñaki@xn--and-6ma2c.example"}
    for recipient, raw in recipients.items():
        message = email.message_from_string(raw.decode(), policy=policy.SMTPUTF8)
        assert message["To"].addresses[0].addr_spec == recipient


def test_without_smtputf8_a_non_ascii_address_fails_with_a_reason_and_is_not_suppressed(ledger: str) -> None:
    with Server(features=("PIPELINING", "8BITMIME")).running() as server, environment(SMTP_URL=server.url):
        email_ids = queue(to="begoña@empresa.example") + queue(to="ana@empresa.example")
        drain.drain(LANE)
        process.close()
    with transaction() as session:
        details = outbox.details(session, email_ids[0])
        assert session.scalar(text("SELECT count(*) FROM suppressions")) == 0
    assert (details.status, details.reason) == ("failed", "refused")
    assert details.response == "553 5.6.7 the relay takes no address outside ASCII"
    assert statuses(email_ids) == ["failed", "sent"]
    assert not any("bego" in command for command in server.commands)


def test_a_non_ascii_address_is_redacted_from_a_reply(ledger: str) -> None:
    words = "550 5.1.1 user begoña unknown".encode()
    with (
        Server(lambda event, _: words if event == "RCPT" else None).running() as server,
        environment(SMTP_URL=server.url),
    ):
        (email_id,) = queue(to="begoña@empresa.example")
        drain.drain(LANE)
        process.close()
    with transaction() as session:
        assert outbox.details(session, email_id).response == "550 5.1.1 user [address] unknown"


def test_a_busy_mailbox_is_tried_again_later(inbox: Mailstore) -> None:
    (email_id,) = queue(to="ocupado.1@empresa.example")
    drain.drain(LANE)
    with transaction() as session:
        details = outbox.details(session, email_id)
    assert (details.status, details.attempts, details.reason) == ("queued", 1, "deferred")
    assert details.due_at > clock.now()


def test_an_email_that_cannot_be_composed_fails_with_its_reason(inbox: Mailstore) -> None:
    bad, good = queue(2)
    with transaction() as session:
        session.execute(
            text("UPDATE emails SET variables = :none WHERE id = :id"), {"id": bad, "none": variables.seal({})}
        )
    drain.drain(LANE)
    assert statuses([bad, good]) == ["failed", "sent"]
    with transaction() as session:
        assert "email_1_roi" in (outbox.details(session, bad).response or "")


@pytest.mark.usefixtures("ledger")
def test_an_unavailable_relay_leaves_everything_queued_without_an_attempt() -> None:
    email_ids = queue(3)
    assert drain.drain(LANE) is False
    assert statuses(email_ids) == ["queued"] * 3
    with transaction() as session:
        assert session.scalar(text("SELECT max(attempts) FROM emails")) == 0
        assert session.scalar(text("SELECT count(*) FROM send_groups WHERE state = 'open'")) == 0
    process.close()


def test_the_log_contains_ids_and_no_addresses(inbox: Mailstore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sent, refused = queue(1)[0], queue(1, to="rebota.2@empresa.example")[0]
        drain.drain(LANE)
    assert f"Email sent: {ids.public(sent)}" in caplog.messages
    assert any(line.startswith(f"Error sending email: {ids.public(refused)} failed") for line in caplog.messages)
    [group] = [line for line in caplog.messages if line.startswith("group_settled lane=transactional campaign=none")]
    assert "relay=127.0.0.1:" in group and group.endswith("sent=1 again=0 failed=1 in_doubt=0")
    assert "@" not in caplog.text.replace("user@host", "")


def test_a_fenced_sender_stops_and_another_continues(inbox: Mailstore) -> None:
    email_ids = queue(1)
    drain.drain(LANE)
    with transaction() as session:
        session.execute(text("UPDATE senders SET fenced_at = now()"))
    more = queue(1)
    with pytest.raises(Exception, match="fenced"):
        drain.drain(LANE)
    drain.drain(LANE)  # with a new sender
    assert statuses([*email_ids, *more]) == ["sent", "sent"]
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM senders")) == 2


def test_the_drain_ends_with_its_time_slice(inbox: Mailstore) -> None:
    with environment(DRAIN_SLICE_S="0.001"):
        queue(60)
        assert drain.drain(LANE) is True
        with transaction() as session:
            assert audit.run(session).statuses == {"queued": 35, "sent": 25}


class CountingComposer(compose.Composer):
    """A composer that counts its messages until they are sent."""

    def __init__(self, composer: compose.Composer) -> None:
        self.waiting = 0
        self.waiting_most = 0
        self._composer = composer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._composer, name)

    def compose(self, *args: Any, **options: Any) -> Any:
        self.waiting += 1
        self.waiting_most = max(self.waiting_most, self.waiting)
        return self._composer.compose(*args, **options)


class CountingRecorder(Recorder):
    """A recorder that counts the messages of a group; a slow group gives back messages composed ahead."""

    composer: CountingComposer

    def begin(self, *args: Any, **options: Any) -> None:
        self.composer.waiting = 0
        super().begin(*args, **options)

    def complete(self, slot: int) -> None:
        self.composer.waiting -= 1
        super().complete(slot)


def counting_sender(group_size: int) -> tuple[process.Sender, CountingComposer]:
    """Create a sender whose composed and unsent messages are counted."""
    sender = process.open_sender()
    sender.recorder.close()
    recorder = CountingRecorder(settings.current().recorder_dir, sender.sender_id, group_size)
    recorder.composer = CountingComposer(sender.composer)
    return replace(sender, composer=recorder.composer, recorder=recorder, group_size=group_size), recorder.composer


def test_messages_are_prefetched_within_a_limit(inbox: Mailstore) -> None:
    count = 400
    email_ids = queue(count)
    with environment(SEND_GROUP_SIZE=str(count)):
        sender, composer = counting_sender(count)
        drain.Drain(sender, LANE).run()
        sender.close()
    assert statuses(email_ids) == ["sent"] * count
    size = max(len(mail.raw) for mail in inbox.since(0)) - 100  # without the headers of the mail server
    sizes = PrefetchSizes()
    most = (sizes.limit + sizes.block) // size + 1 + settings.current().smtp_connections
    assert 2 < composer.waiting_most <= most < count


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_group_gives_back_after_a_second_what_has_not_left(ledger: str, *, is_stopped: bool) -> None:
    def slow(event: str, _: object) -> None:
        if event == "DOT":
            time.sleep(0.1)
            if is_stopped:
                process.stop.set()

    options = {"SMTP_CONNECTIONS": "2", "DRAIN_SLICE_S": "0.01"}
    with Server(slow).running() as server, environment(SMTP_URL=server.url, **options):
        email_ids = queue(100)  # which take 5 s
        try:
            assert drain.drain(LANE) is not is_stopped
            assert process.current().group_size == process.GROUP_FIRST // 2  # the loss of a host costs less next time
        finally:
            process.stop.clear()
        process.close()
    counts = Counter(statuses(email_ids))
    assert set(counts) == {"sent", "queued"}
    assert 8 <= counts["sent"] == len(server.accepted) < 60
    with transaction() as session:
        assert audit.run(session).findings == ()
        assert session.scalar(text("SELECT sum(attempts) FROM emails")) == counts["sent"]


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux has batch scheduling")
def test_only_the_campaign_lane_uses_batch_scheduling(inbox: Mailstore) -> None:
    policies = []
    for lane in ("campaign", "transactional"):
        drain.drain(lane)
        policies.append(os.sched_getscheduler(0))
    assert policies == [os.SCHED_BATCH, os.SCHED_OTHER]


def test_orphans_are_recovered_before_the_first_send(inbox: Mailstore) -> None:
    email_ids = queue(10)
    sender = process.current()
    with transaction() as session:
        agenda.claim_queued(
            session, Claimant(sender.sender_id, LANE, 60, is_connected=False), limit=10, now=clock.now()
        )
    process.retire()  # as after a death: the recorder stays and its lock is free
    assert statuses(email_ids) == ["claimed"] * 10
    drain.drain(LANE)
    assert statuses(email_ids) == ["sent"] * 10


def test_concurrent_drains_share_the_work(inbox: Mailstore) -> None:
    """Threads take the place of processes: each has a sender, connections and a recorder of its own."""
    email_ids = queue(100)
    senders = [process.open_sender() for _ in range(2)]
    threads = [threading.Thread(target=drain.Drain(sender, LANE).run) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sender in senders:
        sender.close()
    assert statuses(email_ids) == ["sent"] * 100
    assert max(arrived(inbox).values()) == 1
