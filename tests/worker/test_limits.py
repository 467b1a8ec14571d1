"""Limits as a drain meets them: rates, recipient domains, a ceiling, a campaign's brakes; nothing is lost to them."""

import os
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.campaigns import campaigns
from engine.delivery import audit, outbox
from local.mailstore import Mailstore
from models.session import transaction
from tests import orders, sequence
from tests.conftest import environment
from worker import drain, process

ROOT = Path(__file__).parents[2]


def queue(count: int, **changes: object) -> list[orders.UUID]:
    with transaction() as session:
        return orders.queue(session, count, now=clock.now(), **changes)


def by_status() -> dict[str, int]:
    with transaction() as session:
        account = audit.run(session)
        assert account.findings == ()
        return dict(account.statuses)


def limited(relay: str = "", **others: str) -> AbstractContextManager[None]:
    """The relay of the inbox with more to say of it."""
    url = settings.current().smtp_url.get_secret_value()
    return environment(SMTP_URL=f"{url}?{relay}", **others)


def test_a_drain_takes_what_the_rate_allows_and_no_more(inbox: Mailstore, broker: str) -> None:
    queue(60)
    with limited(relay="rate=20"):
        start = time.monotonic()
        assert drain.drain("transactional") is False
        took_s = time.monotonic() - start
        process.close()
    assert by_status() == {"sent": 60}
    assert 2.5 < took_s < 5.0  # sixty at 20/s, the first few at once


def test_mails_over_their_domains_rate_wait_for_their_turn_and_the_others_go(inbox: Mailstore, broker: str) -> None:
    queue(12, lane="campaign", kind="marketing")
    slow = [orders.order(to=f"persona{n}@gmail.example", lane="campaign", kind="marketing") for n in range(12)]
    with transaction() as session:
        outbox.add(session, slow, now=clock.now())
    with limited(DOMAIN_LIMITS="gmail.example?rate=2"):
        drain.drain("campaign")
        process.close()
    assert by_status() == {"sent": 15, "queued": 9}  # three of the domain at once
    with transaction() as session:
        waits = session.scalars(text("SELECT due_at FROM emails WHERE status = 'queued' ORDER BY due_at")).all()
        assert session.scalar(text("SELECT max(attempts) FROM emails WHERE status = 'queued'")) == 0
    gaps = [(later - sooner).total_seconds() for sooner, later in pairwise(waits)]
    assert gaps == pytest.approx([0.5] * 8, abs=0.05)


def test_a_campaign_waits_at_the_ceiling_and_a_password_reset_does_not(inbox: Mailstore, broker: str) -> None:
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
    ("name", "value", "told"),
    [
        ("SMTP_URL", "smtp://127.0.0.1:9?rate=fast", "SMTP_URL.RATE: expected messages a second"),
        ("SMTP_RELAYS", "smtp://a.example smtp://b.example?weight=0", "SMTP_RELAYS[2].WEIGHT: expected a whole number"),
        ("DOMAIN_LIMITS", "gmail.com", "DOMAIN_LIMITS[1].RATE: is missing"),
    ],
)
def test_a_worker_whose_limits_are_wrong_does_not_start_and_says_why(
    ledger: str, name: str, value: str, told: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker", "worker", "-Q", "campaign", "-c", "1", "-n", "x@%h"],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert told in ended.stderr and "Traceback" not in ended.stderr
