"""The lists of e-mails and of relays."""

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from engine import clock
from engine.campaigns import agenda
from engine.delivery import settle
from engine.delivery.claim import Claimant
from engine.delivery.outcomes import Sent
from engine.delivery.relays import redis_store, status
from engine.delivery.relays.breaker import RelayStatus
from engine.delivery.relays.status import StatusBoard
from engine.delivery.settle import OpenGroup
from engine.tracking import events
from engine.tracking.events import IncomingEvent
from models import ids
from models.session import transaction
from tests import sends, sequence
from tests.cli.conftest import Run
from tests.conftest import environment
from tests.engine.delivery.smtp.dialogue import PIPELINING
from tests.engine.delivery.smtp.servers import Server


@pytest.fixture
def relays(run: Run) -> Run:
    """Return a function that runs `cadencia outbox relays`."""
    return partial(run, "outbox", "relays")


def carry(relay: str) -> None:
    """Record two e-mails that this relay accepted now, and one two days ago."""
    with transaction() as session:
        for count, ago in ((2, timedelta(0)), (1, timedelta(days=2))):
            sends.queue(session, count, now=clock.now() - ago)
            claimant = Claimant(sends.sender(session), "transactional", 60, is_connected=True)
            group = agenda.claim_queued(session, claimant, limit=count, now=clock.now())
            assert group is not None
            results = [(email, Sent("250 ok")) for email in group.emails]
            settle.settle(session, OpenGroup(group.id, relay=relay), results, now=clock.now() - ago)


def test_relays_are_listed_with_their_limits_and_states(relays: Run, broker: str) -> None:
    urls = "smtp://ana:secret@b.example?weight=3&rate=1200/m&connections=20&daily=500"
    with environment(SMTP_URL="smtps://a.example", SMTP_RELAYS=urls):
        for state, why in (("closed", ""), ("closed", ""), ("open", "it refused the credentials")):
            StatusBoard(redis_store.configured(), ids.new().hex).publish(RelayStatus("b.example:587", state, why, 12.0))
        carry("b.example:587")
        shown = relays()
    assert shown.stdout.splitlines() == [
        "a.example:465\tnot used recently\tweight 1\t0 in 24 h",
        "b.example:587\topen in 1, closed in 2\tweight 3, 20/s, 20 connections, 500 a day\t500 left today\t2 in 24 h",
        "\tit refused the credentials",
    ]
    assert "secret" not in shown.output and "ana" not in shown.output


def test_one_line_says_that_redis_is_unavailable(relays: Run) -> None:
    assert relays(status=1).stderr.endswith("Error: redis: does not answer (ConnectionError)\n")


def test_a_trial_reports_relays_that_cannot_be_used(relays: Run) -> None:
    with (
        Server().running() as works,
        Server(lambda event, _: b"535 5.7.8 no" if event == "AUTH" else None, features=(*PIPELINING, "AUTH PLAIN"))
        .running() as refuses,
    ):  # fmt: skip
        account = refuses.url.replace("smtp://", "smtp://ana:secret@") + "?starttls=optional&auth=plaintext"
        with environment(SMTP_URL=works.url):
            good = relays("--try")
        with environment(SMTP_URL=works.url, SMTP_RELAYS=account):
            bad = relays("--try", status=1)
    assert good.stdout == f"127.0.0.1:{works.port}\tcan be used\n"
    assert (
        f"127.0.0.1:{refuses.port}\tmail relay 127.0.0.1:{refuses.port} unavailable: it refused the credentials"
        in bad.output
    )
    assert "secret" not in bad.output
    assert works.accepted == refuses.accepted == []


@pytest.mark.parametrize(
    ("event", "reply", "fault"),
    [
        ("RCPT", b"550 relay not permitted, authenticate first", "it refuses our mail (RCPT: 550 relay not permitted"),
        ("RCPT", b"554 5.7.1 <postmaster@example.com>: Relay access denied", "it refuses our mail (RCPT: 554 5.7.1"),
        ("MAIL", b"450 4.7.1 Error: too much mail from 192.0.2.9", "it takes no mail from us for now (MAIL: 450 4.7.1"),
        ("RCPT", b"550 5.7.1 go away", "it refuses our mail (RCPT: 550 5.7.1 go away)"),
        ("RCPT", b"550 5.1.1 no such user", ""),
        ("RCPT", b"556 5.1.10 null MX", ""),
    ],
)
def test_a_trial_asks_each_relay_to_take_an_email(relays: Run, event: str, reply: bytes, fault: str) -> None:
    with (
        Server(lambda current, _: reply if current == event else None).running() as server,
        environment(SMTP_URL=server.url),
    ):
        shown = relays("--try", status=1 if fault else 0)
    name = f"127.0.0.1:{server.port}"
    assert shown.stdout.startswith(
        f"{name}\tmail relay {name} unavailable: {fault}" if fault else f"{name}\tcan be used"
    )
    verbs = [command.split()[0] for command in server.commands]
    assert "DATA" not in verbs and ("RSET" in verbs) == (not fault)
    assert server.accepted == []


def test_a_trial_names_a_recipient_that_is_no_address(relays: Run) -> None:
    assert "'nobody' is no address" in relays("--try", "--to", "nobody", status=1).output


def test_a_relay_that_was_removed_from_the_settings_is_not_listed(relays: Run, broker: str) -> None:
    with environment(SMTP_URL="smtp://a.example"):
        StatusBoard(redis_store.configured(), "one").publish(RelayStatus("gone.example:25", "closed", "", 0.0))
        shown = relays()
        assert "gone.example:25" in status.read(redis_store.configured())
    assert "gone.example" not in shown.output


def test_emails_are_listed_by_campaign_contact_status_and_template(run: Run) -> None:
    with transaction() as session:
        queued = sends.queue(session, 3, subject="Begoña, tu factura")
        sends.queue(session, 1, template="email_2_caso")
        session.execute(text("UPDATE emails SET status = 'failed' WHERE id = :id"), {"id": queued[1]})
        sequence.create(session, "Otoño")
    by_address = run("outbox", "list", "--contact", "persona1@empresa.example").stdout.splitlines()
    assert by_address == [f"{ids.public(queued[1])}\tfailed\temail_1_roi\t-\tBegoña, tu factura"]
    assert run("outbox", "list", "--status", "failed").stdout.splitlines() == by_address
    assert len(run("outbox", "list", "--template", "email_2_caso").stdout.splitlines()) == 1
    assert len(run("outbox", "list", "--limit", "2").stdout.splitlines()) == 2
    assert run("outbox", "list", "--campaign", "Otoño").stdout == ""
    assert (
        "'failled' is not known; did you mean failed?" in run("outbox", "list", "--status", "failled", status=1).stderr
    )
    assert "'otono' is not known; did you mean Otoño?" in run("outbox", "list", "--campaign", "otono", status=1).stderr


def test_the_story_of_an_email_is_shown(run: Run) -> None:
    with transaction() as session:
        [email_id] = sends.queue(session, subject="Begoña, tu factura")
        event = events.prepare(IncomingEvent(email_id, "opened", sends.NOW, {}, "human"), now=sends.NOW)
        events.insert(session, {event.dedupe_key: event})
    shown = run("outbox", "show", ids.public(email_id)).stdout.splitlines()
    assert shown[:3] == ["status\tqueued", "subject\tBegoña, tu factura", "template\temail_1_roi"]
    assert "accepted_at\t2026-03-02 09:00:00 UTC" in shown and not any(line.startswith("sent_at") for line in shown)
    assert shown[-1] == "event\t2026-03-02 09:00:00 UTC\topened\thuman"
    assert "there is no e-mail" in run("outbox", "show", ids.public(ids.new()), status=1).stderr
    assert "'7' is not an e-mail id" in run("outbox", "show", "7", status=1).stderr
