"""A sender claims nothing while a reader's wish waits in the spool of its host."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.engagement import consent
from engine.ingest import drain as draining
from engine.ingest.spool import CONSENT_SUFFIX, Spool
from errors import Unavailable
from local.mail.mailstore import Mailstore
from models.session import retrying, transaction
from tests import orders
from tests.conftest import environment
from worker import drain, wishes


@pytest.fixture
def kept(inbox: Mailstore) -> Iterator[Spool]:
    """A web process has kept that the reader of a queued mail wants no more mail."""
    with transaction() as session:
        (email_id,) = orders.queue(session, now=clock.now())
    own = Spool(settings.current().spool_dir, 10_000, CONSENT_SUFFIX)
    own.add([consent.wish("unsubscribed", email_id, now=clock.now())])
    own.seal()
    yield own
    drain_spool(own)


def drain_spool(own: Spool) -> None:
    draining.spools(settings.current().spool_dir, [own], run=retrying, now=clock.now())


def statuses() -> list[str]:
    with transaction() as session:
        return [row.status for row in session.execute(text("SELECT status FROM emails"))]


def test_an_unsubscribing_that_waits_is_granted_before_anything_is_claimed(kept: Spool, inbox: Mailstore) -> None:
    took = threading.Timer(0.4, drain_spool, [kept])
    took.start()
    drain.drain("transactional")
    took.join()
    assert (statuses(), list(inbox.since(0))) == (["cancelled"], [])


def test_a_wish_that_nobody_grants_holds_up_a_sender_once(
    kept: Spool, inbox: Mailstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wishes, "PATIENCE_S", 0.3)
    spent = []
    for _ in range(2):
        began = time.monotonic()
        wishes.await_granted()
        spent.append(time.monotonic() - began)
    assert spent[0] > 0.3 > 0.1 > spent[1]
    drain.drain("transactional")
    assert statuses() == ["sent"]


def test_while_the_ledger_is_away_no_patience_is_spent(kept: Spool) -> None:
    folder = Path(settings.current().spool_dir)
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"), pytest.raises(Unavailable):
        wishes.await_granted()
    assert wishes._left.isdisjoint(folder.iterdir())
