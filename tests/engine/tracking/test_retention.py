"""Raw events are pruned by whole months, a few at a time; values derived from them stay."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.engagement import reactions
from engine.tracking import retention
from engine.tracking.events import IncomingEvent
from models import Email
from models.session import transaction
from tests.conftest import environment
from tests.mails import NOW, Mail, mail
from worker.tasks import upkeep

MARCH, APRIL, MAY = (datetime(2025, month, 1, tzinfo=UTC) for month in (3, 4, 5))
SEEN = {"method": "GET", "agent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/127.0", "network": "other"}


def opened(session: Session, of: Mail, at: datetime, *, received_at: datetime | None = None) -> None:
    early_events.record(session, [IncomingEvent(of.id, "opened", at, SEEN)], now=received_at or at)


def count(session: Session) -> int:
    return session.execute(text("SELECT count(*) FROM events")).scalar_one()


def old_mail(session: Session, at: datetime) -> Mail:
    return mail(session, sent_at=at, accepted_at=at)


@pytest.mark.parametrize(
    ("now", "months", "since"),
    [
        (datetime(2025, 5, 31, 23, tzinfo=UTC), 1, APRIL),
        (MAY, 1, APRIL),
        (datetime(2025, 5, 31, tzinfo=UTC), 2, MARCH),
        (datetime(2025, 1, 15, tzinfo=UTC), 1, datetime(2024, 12, 1, tzinfo=UTC)),
        (datetime(2025, 1, 15, tzinfo=UTC), 13, datetime(2023, 12, 1, tzinfo=UTC)),
    ],
)
def test_since_is_the_start_of_a_month(now: datetime, months: int, since: datetime) -> None:
    assert retention.since(now, months) == since


def test_prune_deletes_the_months_before_the_horizon_few_at_a_time(session: Session) -> None:
    sent = old_mail(session, MARCH)
    for day in (1, 10, 30, 31, 40):
        opened(session, sent, MARCH + timedelta(days=day))
    reactions.apply(session, now=MAY)
    assert retention.prune(session) == 0
    retention.set_horizon(session, APRIL)
    assert [retention.prune(session, limit=2) for _ in range(3)] == [2, 1, 0]
    assert count(session) == 2
    assert session.get_one(Email, sent.id).opened_at == MARCH + timedelta(days=1)
    assert session.execute(text("SELECT sum(opened) FROM email_stats")).scalar_one() == 1


def test_prune_keeps_pending_and_late_events(session: Session) -> None:
    sent = old_mail(session, MARCH)
    opened(session, sent, MARCH + timedelta(days=1), received_at=MAY)
    reactions.apply(session, now=MAY)
    opened(session, sent, MARCH + timedelta(days=2))
    retention.set_horizon(session, APRIL)
    assert (retention.prune(session), count(session)) == (0, 2)


def test_a_late_hit_only_moves_a_moment_back_if_others_may_be_pruned(session: Session) -> None:
    sent = old_mail(session, MARCH)
    opened(session, sent, MARCH + timedelta(days=9))
    reactions.apply(session, now=MAY)
    retention.set_horizon(session, MAY)
    assert retention.prune(session) == 1
    for day, first in ((70, 9), (4, 4)):
        opened(session, sent, MARCH + timedelta(days=day), received_at=MAY + timedelta(days=20))
        reactions.apply(session, now=NOW)
        session.expire_all()
        assert session.get_one(Email, sent.id).opened_at == MARCH + timedelta(days=first)


def test_the_horizon_never_goes_back(session: Session) -> None:
    retention.set_horizon(session, MAY)
    retention.set_horizon(session, APRIL)
    opened(session, old_mail(session, MARCH), MARCH + timedelta(days=33))
    reactions.apply(session, now=MAY)
    assert retention.prune(session) == 1


@pytest.mark.parametrize(("months", "left"), [("0", 1), ("1", 0)])
def test_tidying_prunes_when_the_setting_says_so(ledger: str, months: str, left: int) -> None:
    with transaction() as session:
        opened(session, old_mail(session, MARCH), MARCH)
        reactions.apply(session, now=MARCH)
    with environment(EVENTS_KEEP_MONTHS=months):
        upkeep.tidy()
    with transaction() as session:
        assert count(session) == left
