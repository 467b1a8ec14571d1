"""Draining a lane into a real mail server: each mail once, and the ledger agrees."""

import email
import logging
import os
import threading
import time
from collections import Counter
from email import policy

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.audience import addresses
from engine.delivery import audit, outbox
from engine.delivery.smtp import prefetch as rows
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import orders
from tests.conftest import environment
from tests.engine.delivery.smtp.servers import Server
from worker import drain, process, rescue

LANE = "transactional"


def queue(count: int = 1, **changes: object) -> list[orders.UUID]:
    with transaction() as session:
        return orders.queue(session, count, now=clock.now(), **changes)


def statuses(email_ids: list[orders.UUID]) -> list[str]:
    with transaction() as session:
        return orders.statuses(session, email_ids)


def arrived(inbox: Mailstore) -> Counter[str]:
    """How often each Message-ID arrived."""
    parsed = [email.message_from_bytes(mail.raw, policy=policy.default) for mail in inbox.since(0)]
    return Counter(message["Message-ID"] for message in parsed)


def test_every_mail_arrives_once_and_is_recorded_as_sent(inbox: Mailstore) -> None:
    email_ids = queue(60)
    assert drain.drain(LANE) is False
    assert statuses(email_ids) == ["sent"] * 60
    assert arrived(inbox) == Counter({f"<{outbox.message_id(email_id)}>": 1 for email_id in email_ids})
    with transaction() as session:
        account = audit.run(session)
        assert (account.findings, account.statuses) == ((), {"sent": 60})


def test_the_mail_says_what_was_ordered(inbox: Mailstore) -> None:
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


def test_a_person_whose_address_is_outside_ascii_gets_the_mail(inbox: Mailstore) -> None:
    email_ids = queue(to="begoña.núñez@empresa.example") + queue(to=addresses.normalise("iñaki@ñandú.example"))
    drain.drain(LANE)
    assert statuses(email_ids) == ["sent", "sent"]
    recipients = {mail.recipients[0]: mail.raw for mail in inbox.since(0)}
    assert recipients.keys() == {"begoña.núñez@empresa.example", "iñaki@xn--and-6ma2c.example"}
    for recipient, raw in recipients.items():
        message = email.message_from_string(raw.decode(), policy=policy.SMTPUTF8)
        assert message["To"].addresses[0].addr_spec == recipient


def test_a_relay_without_smtputf8_fails_such_a_mail_with_the_reason_and_no_suppression(ledger: str) -> None:
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


def test_what_a_server_says_of_a_name_outside_ascii_is_kept_without_it(ledger: str) -> None:
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


def test_a_mail_that_cannot_be_composed_fails_with_its_reason(inbox: Mailstore) -> None:
    bad, good = queue(2)
    with transaction() as session:
        session.execute(text("UPDATE emails SET variables = :none WHERE id = :id"), {"id": bad, "none": sealed({})})
    drain.drain(LANE)
    assert statuses([bad, good]) == ["failed", "sent"]
    with transaction() as session:
        assert "email_1_roi" in (outbox.details(session, bad).response or "")


def sealed(variables: dict[str, object]) -> str:
    from engine.messages import variables as sealing

    return sealing.seal(variables)


@pytest.mark.usefixtures("ledger")
def test_a_relay_that_is_down_leaves_everything_queued_and_uncharged() -> None:
    email_ids = queue(3)
    assert drain.drain(LANE) is False
    assert statuses(email_ids) == ["queued"] * 3
    with transaction() as session:
        assert session.scalar(text("SELECT max(attempts) FROM emails")) == 0
        assert session.scalar(text("SELECT count(*) FROM send_groups WHERE state = 'open'")) == 0
    process.close()


def test_the_log_names_mails_by_id_and_nobody_by_address(inbox: Mailstore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sent, refused = queue(1)[0], queue(1, to="rebota.2@empresa.example")[0]
        drain.drain(LANE)
    assert f"Email sent: {ids.public(sent)}" in caplog.messages
    assert any(line.startswith(f"Error sending email: {ids.public(refused)} failed") for line in caplog.messages)
    assert "@" not in caplog.text.replace("user@host", "")


def test_a_sender_that_was_fenced_stops_and_its_work_goes_on_elsewhere(inbox: Mailstore) -> None:
    email_ids = queue(1)
    drain.drain(LANE)
    with transaction() as session:
        session.execute(text("UPDATE senders SET fenced_at = now()"))
    more = queue(1)
    with pytest.raises(Exception, match="fenced"):
        drain.drain(LANE)
    drain.drain(LANE)  # under a new name
    assert statuses([*email_ids, *more]) == ["sent", "sent"]
    with transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM senders")) == 2


def test_the_drain_ends_with_its_time_slice(inbox: Mailstore) -> None:
    with environment(DRAIN_SLICE_S="0.001"):
        queue(60)
        assert drain.drain(LANE) is True
        with transaction() as session:
            assert audit.run(session).statuses == {"queued": 35, "sent": 25}


def test_letters_are_composed_a_few_ahead_and_no_more(inbox: Mailstore, monkeypatch: pytest.MonkeyPatch) -> None:
    email_ids = queue(60)
    sending = process.current()
    waiting: list[int] = [0]  # composed and not yet on their way, after each step

    def made(*args: object, **options: object) -> object:
        waiting.append(waiting[-1] + 1)
        return composed(*args, **options)

    def complete(slot: int) -> None:
        waiting.append(waiting[-1] - 1)
        completed(slot)

    composed, completed = sending.composer.compose, sending.recorder.complete
    monkeypatch.setattr(sending.composer, "compose", made)
    monkeypatch.setattr(sending.recorder, "complete", complete)
    monkeypatch.setattr(rows, "_IN_A_ROW_BYTES", 20_000)
    monkeypatch.setattr(rows, "_MEANWHILE_BYTES", 5_000)
    monkeypatch.setattr(rows, "_AHEAD_BYTES", 20_000)
    drain.drain(LANE)
    assert statuses(email_ids) == ["sent"] * 60
    assert waiting[-1] == 0
    size = max(len(mail.raw) for mail in inbox.since(0))
    ahead = 25_000 // (size - 100) + 1  # what makes them enough is composed, too
    assert 2 < max(waiting) <= ahead + settings.current().smtp_connections


def test_a_stop_leaves_the_rest_of_a_group_whose_server_is_slow(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(event: str, _: object) -> None:
        if event == "DOT":
            time.sleep(0.1)

    monkeypatch.setattr(drain, "_FINISH_S", 0.5)
    with Server(slow).running() as server, environment(SMTP_URL=server.url, SMTP_CONNECTIONS="2"):
        email_ids = queue(100)
        began = time.monotonic()
        monkeypatch.setattr(process, "is_stopping", lambda: time.monotonic() > began + 0.5)
        assert drain.drain(LANE) is False
        took = time.monotonic() - began
        process.close()
    told = Counter(statuses(email_ids))
    assert set(told) == {"sent", "queued"}
    assert told["sent"] == len(server.accepted) >= 8
    assert 1.0 <= took < 3.5  # all 100 take 5
    with transaction() as session:
        assert audit.run(session).findings == ()
        assert session.scalar(text("SELECT sum(attempts) FROM emails")) == told["sent"]


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux alone has batch scheduling")
def test_a_sender_of_campaigns_interrupts_nobody_and_one_of_urgent_mail_may(inbox: Mailstore) -> None:
    policies = []
    for lane in ("campaign", "transactional"):
        drain.drain(lane)
        policies.append(os.sched_getscheduler(0))
    assert policies == [os.SCHED_BATCH, os.SCHED_OTHER]


def test_orphans_are_sorted_before_the_first_send(inbox: Mailstore) -> None:
    email_ids = queue(10)
    sending = process.current()
    with transaction() as session:
        drain._Drain(sending, LANE)._claim(session, clock.now(), 10)
    process.retire()  # as a death would: the recorder stays, its lock is free
    assert statuses(email_ids) == ["claimed"] * 10
    assert rescue.orphans() == 1
    assert statuses(email_ids) == ["queued"] * 10


def test_two_processes_worth_of_drains_share_the_work(inbox: Mailstore) -> None:
    """Threads stand for processes here: each has its own sender, connections and recorder."""
    email_ids = queue(100)
    senders = [process._open() for _ in range(2)]
    threads = [threading.Thread(target=drain._Drain(sender, LANE).run) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sender in senders:
        sender.close()
    assert statuses(email_ids) == ["sent"] * 100
    assert max(arrived(inbox).values()) == 1
