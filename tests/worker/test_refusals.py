"""A relay that refuses us fails no contact: its e-mails return to the queue with the reason, and leave later."""

import logging
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import text

from engine import clock
from engine.campaigns import campaigns, explain
from engine.delivery import audit, outbox
from models.session import transaction
from tests import sends, sequence
from tests.conftest import environment
from tests.engine.delivery.smtp.dialogue import Drop, Visit
from tests.engine.delivery.smtp.servers import Server
from worker import drain, process

DENIED = b"550 relay not permitted, authenticate first"
TOO_MUCH = b"450 4.7.1 Error: too much mail from 192.0.2.9"


class Moody:
    """A rule of a server that answers `event` with `reply` until it is `content`."""

    def __init__(self, event: str, reply: bytes | Drop) -> None:
        self.content = False
        self._event, self._reply = event, reply

    def __call__(self, event: str, _visit: Visit) -> bytes | Drop | None:
        return self._reply if event == self._event and not self.content else None


def launch(count: int) -> UUID:
    with transaction() as session:
        sequence.people(session, count)
        campaign_id = sequence.create(session, days=(0, 3))
        campaigns.launch(session, campaign_id, now=clock.now())
    return campaign_id


def enrollments() -> dict[tuple[str, int], int]:
    with transaction() as session:
        rows = session.execute(text("SELECT state, next_step, count(*) FROM enrollments GROUP BY 1, 2"))
        return {(state, step): count for state, step, count in rows}


def untried_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("emails_untried")]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    process.close()


@pytest.mark.parametrize(
    ("event", "reply"),
    [
        ("RCPT", DENIED),
        ("RCPT", b"554 5.7.1 <x@y.example>: Relay access denied"),
        ("MAIL", TOO_MUCH),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_a_campaign_waits_for_a_relay_that_refuses_us(
    event: str, reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    moody = Moody(event, reply)
    with Server(moody).running() as server, environment(SMTP_URL=server.url):
        launch(60)
        for _ in range(3):  # the relay's breaker is open, so only the first drain tries it
            drain.drain("campaign")
        assert enrollments() == {("active", 1): 60}
        assert sum(command.startswith("MAIL") for command in server.commands) <= 6
        [line] = untried_lines(caplog)
        assert "count=60" in line and f"127.0.0.1:{server.port}" in line and reply[:3].decode() in line
        assert 20 < float(line.partition("next_attempt_in_s=")[2].split()[0]) <= 60
        assert any(
            record.levelno == logging.ERROR
            and record.getMessage().startswith(f"relay_open relay=127.0.0.1:{server.port}")
            for record in caplog.records
        )
        assert "y.example" not in caplog.text
        with transaction() as session:
            contact_id = session.scalars(text("SELECT contact_id FROM enrollments ORDER BY id LIMIT 1")).one()
            [journey] = explain.why(session, contact_id, now=clock.now())
            assert "step 1 is due on" in journey.sentence and reply[:3].decode() in journey.sentence
            assert session.scalar(text("SELECT count(*) FROM emails")) == 0
        moody.content = True
        process.close()  # a new process has no breaker that is open
        with transaction() as session:
            session.execute(text("UPDATE enrollments SET next_at = now() - interval '1 second'"))
        drain.drain("campaign")
        process.close()
        assert len({mail.recipient for mail in server.accepted}) == len(server.accepted) == 60
    assert enrollments() == {("active", 2): 60}
    with transaction() as session:
        assert audit.run(session).findings == ()


@pytest.mark.parametrize(
    ("event", "reply", "reason"),
    [
        ("RCPT", DENIED, "it refuses our mail (550 relay not permitted, authenticate first)"),
        ("MAIL", TOO_MUCH, f"it takes no mail from us for now ({TOO_MUCH.decode()})"),
        ("EHLO", b"550 5.7.1 we do not know you", "it refused EHLO"),
        ("BANNER", Drop(), "it closed the connection"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_an_email_returned_to_the_queue_shows_the_reason(
    event: str, reply: bytes | Drop, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(Moody(event, reply)).running() as server, environment(SMTP_URL=server.url):
        with transaction() as session:
            email_ids = sends.queue(session, 60, now=clock.now())
        drain.drain("transactional")
        process.close()
        name = f"127.0.0.1:{server.port}"
    with transaction() as session:
        details = [outbox.details(session, email_id) for email_id in email_ids]
    assert {(each.status, each.attempts, each.reason) for each in details} == {("queued", 0, "untried")}
    replies = {each.decode() for each in (DENIED, TOO_MUCH)}  # of those that were tried
    responses = {each.response or "" for each in details} - replies
    assert [f"mail relay {name} unavailable: {reason}" in response for response in responses] == [True]
    [line] = untried_lines(caplog)
    assert line.startswith("emails_untried count=60 lane=transactional relay=") and name in line


@pytest.mark.usefixtures("ledger")
def test_an_email_that_waited_has_no_reason_once_it_was_sent() -> None:
    moody = Moody("RCPT", DENIED)
    with Server(moody).running() as server, environment(SMTP_URL=server.url):
        with transaction() as session:
            [email_id] = sends.queue(session, 1, now=clock.now())
        drain.drain("transactional")
        moody.content = True
        process.close()
        with transaction() as session:
            session.execute(text("UPDATE emails SET due_at = now() - interval '1 second'"))
        drain.drain("transactional")
        process.close()
        assert len(server.accepted) == 1
    with transaction() as session:
        details = outbox.details(session, email_id)
    assert (details.status, details.attempts, details.reason) == ("sent", 1, None)
    assert details.response is not None and details.response.startswith("250")
