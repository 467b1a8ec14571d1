"""kill -9 of sending processes in mid-batch: nothing is lost, and nobody is mailed twice."""

import email
import os
import random
import time
from collections import Counter
from email import policy
from pathlib import Path

import pytest
from sqlalchemy import text

from engine import bell, clock
from engine.delivery import audit, outbox
from local.mailstore import Mailstore
from models.session import transaction
from tests import orders, processes
from tests.conftest import environment

# The short form runs with all tests, the long one by `make faults`.
MAILS, KILLS = (5000, 40) if os.environ.get("FAULTS") == "long" else (1500, 6)
IN_FLIGHT = 4  # one body on each connection of the killed child


@pytest.mark.fault
def test_killed_children_lose_nothing_and_mail_nobody_twice(broker: str, inbox: Mailstore, tmp_path: Path) -> None:
    chance = random.Random(11)
    with environment(TICK_S="0.3", SEND_GROUP_SIZE="50"), processes.running(tmp_path / "processes.log") as started:
        with transaction() as session:
            email_ids = orders.queue(session, MAILS, now=clock.now())
        worker = started.worker("transactional", concurrency=2)
        started.worker("sequence")
        started.beat()
        bell.ring("transactional")
        processes.until(lambda: inbox.last > 50, "the first mails arrive")
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 0.4))
            processes.until(lambda: processes.pool_children(worker), "the worker has children again")
            chance.choice(processes.pool_children(worker)).kill()
        processes.until(lambda: _on_the_way() == 0, "every mail has its end", within_s=90)
    arrived = _arrived(inbox)
    with transaction() as session:
        account = audit.run(session)
        statuses = dict(zip(email_ids, orders.statuses(session, email_ids), strict=True))
    assert account.findings == ()
    assert account.statuses.keys() <= {"sent", "in_doubt"}
    assert account.total == MAILS
    assert max(arrived.values()) == 1
    sent = {f"<{outbox.message_id(email_id)}>" for email_id, status in statuses.items() if status == "sent"}
    doubts = {f"<{outbox.message_id(email_id)}>" for email_id, status in statuses.items() if status == "in_doubt"}
    assert sent <= arrived.keys() <= sent | doubts
    assert len(doubts) <= KILLS * IN_FLIGHT


def _on_the_way() -> int:
    with transaction() as session:
        return int(session.scalar(text("SELECT count(*) FROM emails WHERE status IN ('queued', 'claimed', 'sending')")))


def _arrived(inbox: Mailstore) -> Counter[str]:
    parsed = (email.message_from_bytes(mail.raw, policy=policy.default) for mail in inbox.since(0))
    return Counter(str(message["Message-ID"]) for message in parsed)
