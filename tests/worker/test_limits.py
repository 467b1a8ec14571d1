"""Limits during a drain: rates, recipient domains, daily quota, automatic pause. No e-mail is lost."""

import time
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.campaigns import campaigns
from engine.delivery import audit, outbox
from local.mail.mailstore import Mailstore
from models.session import transaction
from tests import processes, sends, sequence
from tests.conftest import environment
from tests.engine.delivery.smtp.dialogue import Visit
from tests.engine.delivery.smtp.servers import Server
from worker import drain, process


def queue(count: int, **changes: object) -> list[UUID]:
    with transaction() as session:
        return sends.queue(session, count, now=clock.now(), **changes)


def by_status() -> dict[str, int]:
    with transaction() as session:
        report = audit.run(session)
        assert report.findings == ()
        return dict(report.statuses)


def limited(relay: str = "", **others: str) -> AbstractContextManager[None]:
    """Add options to the relay of the inbox."""
    url = settings.current().smtp_url.get_secret_value()
    return environment(SMTP_URL=f"{url}?{relay}", **others)


def test_a_drain_sends_what_the_rate_allows_and_no_more(inbox: Mailstore, broker: str) -> None:
    queue(60)
    with limited(relay="rate=20"):
        began = time.monotonic()
        assert drain.drain("transactional") is False
        took_s = time.monotonic() - began
        process.close()
    assert by_status() == {"sent": 60}
    assert took_s > 2.5  # 60 at 20/s, the first few at once


def queue_at(domain: str, count: int) -> None:
    """Queue that many e-mails of the campaign lane to contacts at a domain."""
    slow = [sends.request(to=f"persona{n}@{domain}", lane="campaign", kind="marketing") for n in range(count)]
    with transaction() as session:
        outbox.add(session, slow, now=clock.now())


def test_emails_over_the_rate_of_a_domain_wait_and_the_others_are_sent(inbox: Mailstore, broker: str) -> None:
    queue(12, lane="campaign", kind="marketing")
    queue_at("gmail.example", 10)
    with limited(DOMAIN_LIMITS="gmail.example?rate=60/m"):
        assert drain.drain("campaign") is False
        process.close()
    assert by_status() == {"sent": 13, "queued": 9}
    with transaction() as session:
        waits = session.scalars(text("SELECT due_at FROM emails WHERE status = 'queued' ORDER BY due_at")).all()
        assert session.scalar(text("SELECT max(attempts) FROM emails WHERE status = 'queued'")) == 0
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(waits)]
    assert gaps == pytest.approx([1.0] * 8, abs=0.5)


def drain_all(count: int) -> None:
    """Drain the campaign lane as the bell and the ticks do, until all e-mails are sent."""
    until = time.monotonic() + 30
    while by_status() != {"sent": count}:
        assert time.monotonic() < until, by_status()
        if not drain.drain("campaign"):
            time.sleep(0.1)
    process.close()


class Times:
    """A rule of a server that records when each message arrived, and its domain; it accepts those of one slowly."""

    def __init__(self, slow_domain: str = "") -> None:
        self.arrivals: list[tuple[str, float]] = []
        self._slow_domain = slow_domain

    def __call__(self, event: str, visit: Visit) -> None:
        if event == "DOT":
            domain = visit.recipient.rpartition("@")[2]
            if domain == self._slow_domain:
                time.sleep(0.01)
            self.arrivals.append((domain, time.monotonic()))


def test_the_rate_of_a_domain_is_even_within_a_second_and_the_others_do_not_wait(ledger: str, broker: str) -> None:
    """120 to one domain at 50/s are due first, then 300 to others."""
    queue_at("correo.example", 120)
    queue_at("empresa.example", 300)
    times = Times()
    limits = {"SMTP_CONNECTIONS": "2", "DOMAIN_LIMITS": "correo.example?rate=50", "SEND_GROUP_SIZE": "100"}
    with Server(times).running() as server, environment(SMTP_URL=server.url, **limits):
        began = time.monotonic()
        drain_all(420)
    slow = [at - began for domain, at in times.arrivals if domain == "correo.example"]
    assert max(at - began for domain, at in times.arrivals if domain == "empresa.example") < max(slow)
    at_once = 20  # 12 to make up for a quarter of a second, a tenth's 5, 2.5 ahead
    early = [number for number, at in enumerate(slow) if at < (number - at_once) / 50]
    assert early == []  # arrivals may be late on a busy machine, but none is early


def test_the_connection_limit_of_a_domain_holds_and_all_its_emails_are_sent(ledger: str, broker: str) -> None:
    queue_at("buzon.example", 40)
    queue_at("empresa.example", 200)
    times = Times("buzon.example")
    limits = {"SMTP_CONNECTIONS": "6", "DOMAIN_LIMITS": "buzon.example?connections=1", "SEND_GROUP_SIZE": "100"}
    with Server(times).running() as server, environment(SMTP_URL=server.url, **limits):
        drain_all(240)
    slow = [at for domain, at in times.arrivals if domain == "buzon.example"]
    assert min(later - sooner for sooner, later in pairwise(slow)) >= 0.009
    assert max(at for domain, at in times.arrivals if domain == "empresa.example") < max(slow)


def test_the_daily_quota_stops_a_campaign_but_not_a_password_reset(inbox: Mailstore, broker: str) -> None:
    queue(30, lane="campaign", kind="marketing")
    queue(1, to="olvido@empresa.example")
    with limited(relay="daily=20"):
        drain.drain("campaign")
        drain.drain("transactional")
        process.close()
    assert by_status() == {"sent": 21, "queued": 10}


def test_a_campaign_that_bounces_pauses_itself_and_goes_on_when_resumed(inbox: Mailstore) -> None:
    with transaction() as session:
        sequence.people(session, 30, prefix="rebota")
        sequence.people(session, 270)
        campaign_id = sequence.create(session, days=(0,))
        campaigns.launch(session, campaign_id, now=clock.now())
    with environment(PAUSE_AFTER_MAILS="100", SEND_GROUP_SIZE="50"):
        drain.drain("campaign")
        with transaction() as session:
            stopped = campaigns.view(session, campaign_id)
        assert (stopped.state, len(list(inbox.since(0))) < 270) == ("paused", True)
        assert stopped.reason is not None and stopped.reason.startswith("bounce rate ")
        with transaction() as session:
            campaigns.resume(session, campaign_id, now=clock.now())
        drain.drain("campaign")
        process.close()
    with transaction() as session:
        assert campaigns.view(session, campaign_id).state == "running"
    assert by_status() == {"sent": 270, "failed": 30}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SMTP_URL", "smtp://127.0.0.1:9?rate=fast", "SMTP_URL.RATE: expected messages a second"),
        ("SMTP_RELAYS", "smtp://a.example smtp://b.example?weight=0", "SMTP_RELAYS[2].WEIGHT: expected a whole number"),
        ("DOMAIN_LIMITS", "gmail.com", "DOMAIN_LIMITS[1].RATE: is missing"),
    ],
)
def test_a_worker_with_invalid_limits_does_not_start_and_says_why(
    ledger: str, tmp_path: Path, name: str, value: str, message: str
) -> None:
    log = tmp_path / "processes.log"
    with environment(**{name: value}), processes.running(log) as started:
        assert started.worker("campaign").wait(60) == 2
    assert message in log.read_text() and "Traceback" not in log.read_text()
