"""A campaign pauses itself after too many bounces or refusals, until a person resumes it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.campaigns import advance, auto_pause, campaigns
from engine.delivery import early_events, settle
from engine.delivery.claim import Group
from engine.delivery.outcomes import Deferred, Outcome, Phase, Rejected, Sent
from engine.delivery.settle import OpenGroup
from engine.engagement import reactions
from engine.tracking.events import IncomingEvent
from models.session import transaction
from tests import sequence
from tests.conftest import environment
from tests.sequence import NOW

DEAD = Rejected(Phase.RCPT, 550, "5.1.1", "550 5.1.1 nobody", dead_address=True)
REFUSED = replace(DEAD, status="5.7.1", response="550 5.7.1 blocked", dead_address=False)
BUSY = Deferred(Phase.RCPT, 450, "4.2.1", "450 4.2.1 busy")
OK = Sent("250 ok", 0)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def running(session: Session) -> UUID:
    """Return a launched campaign to 600 people."""
    sequence.people(session, 600)
    campaign_id = sequence.create(session, days=(0,))
    campaigns.launch(session, campaign_id, now=NOW)
    return campaign_id


def finish(session: Session, group: Group, outcomes: Sequence[Outcome], *, minutes: int = 0) -> None:
    now = NOW + minutes * MINUTE
    results = list(zip(group.emails, outcomes, strict=True))
    settled = settle.settle(session, OpenGroup(group.id, group.step), results, now=now)
    advance.apply(session, settled, now=now)


def mixed(count: int, **losing: int) -> list[Outcome]:
    """Return `count` outcomes, that many of them dead or refused."""
    lost = [DEAD] * losing.get("dead", 0) + [REFUSED] * losing.get("refused", 0)
    return [*lost, *[OK] * (count - len(lost))]


def state(session: Session, campaign_id: UUID) -> tuple[str, str | None]:
    view = campaigns.view(session, campaign_id)
    return view.state, view.reason


@pytest.mark.parametrize(
    ("losing", "reason"),
    [
        ({"dead": 11}, "bounce rate 5.5 % of 200 e-mails, limit 5 %"),  # 11 ÷ 200
        ({"dead": 10}, None),  # 5.0 % is not over 5 %
        ({"refused": 21}, "refusal rate 10.5 % of 200 e-mails, limit 10 %"),
        ({"refused": 20}, None),
        ({"dead": 10, "refused": 20}, None),
    ],
)
def test_a_campaign_pauses_once_a_limit_is_passed(
    session: Session, running: UUID, losing: dict[str, int], reason: str | None
) -> None:
    first, *_ = sequence.take(session, now=NOW, limit=200)
    finish(session, first, mixed(200, **losing))
    assert state(session, running) == (("paused", reason) if reason else ("running", None))


def test_claims_find_nothing_after_an_automatic_pause(session: Session, running: UUID) -> None:
    first, *_ = sequence.take(session, now=NOW, limit=200)
    finish(session, first, mixed(200, dead=30))
    assert state(session, running)[0] == "paused"
    assert sequence.take(session, now=NOW + timedelta(days=1)) == []


def test_a_deferred_email_is_not_counted_yet(session: Session, running: UUID) -> None:
    first, *_ = sequence.take(session, now=NOW, limit=200)
    finish(session, first, [DEAD] * 10 + [BUSY] * 190)
    assert state(session, running) == ("running", None)
    assert auto_pause.losses(session, [running], [NOW]) == [auto_pause.Losses(running, 10, 10, 0)]


def test_few_emails_pause_only_when_later_ones_cannot_bring_the_rate_down(session: Session, running: UUID) -> None:
    """10 of 50 may still become 10 of 200, which is 5 %; 11 may not."""
    first, second = sequence.take(session, now=NOW, limit=50)[:2]
    finish(session, first, mixed(50, dead=10))
    assert state(session, running) == ("running", None)
    finish(session, second, mixed(50, dead=3))
    assert state(session, running) == ("paused", "bounce rate 13.0 % of 100 e-mails, limit 5 %")


def test_losses_before_a_resumption_do_not_count(session: Session, running: UUID) -> None:
    first, second, third = sequence.take(session, now=NOW, limit=200)
    finish(session, first, mixed(200, dead=100))
    campaigns.resume(session, running, now=NOW + MINUTE)
    finish(session, second, mixed(200, dead=8), minutes=2)
    assert state(session, running) == ("running", None)
    assert auto_pause.losses(session, [running], [NOW]) == [auto_pause.Losses(running, 200, 8, 0)]
    finish(session, third, mixed(200, dead=32), minutes=90)
    assert state(session, running) == ("paused", "bounce rate 10.0 % of 400 e-mails, limit 5 %")  # (8 + 32) ÷ 400


def test_a_sudden_fault_pauses_after_many_deliveries(session: Session, running: UUID) -> None:
    """20 of 200 in the last hours are 10 %, of all 600 they are 3.3 %."""
    first, second, third = sequence.take(session, now=NOW, limit=200)
    finish(session, first, mixed(200))
    finish(session, second, mixed(200), minutes=60)
    finish(session, third, mixed(200, dead=20), minutes=300)
    assert state(session, running) == ("paused", "bounce rate 10.0 % of 200 e-mails, limit 5 %")


def test_a_slow_campaign_is_measured_over_a_week(session: Session, running: UUID) -> None:
    """Four dead addresses in 50 e-mails on each of three days are 12: more than 5 % of 200."""
    for day, group in enumerate(sequence.take(session, now=NOW, limit=50)[:3]):
        assert state(session, running) == ("running", None)
        finish(session, group, mixed(50, dead=4), minutes=day * 24 * 60)
    assert state(session, running) == ("paused", "bounce rate 8.0 % of 150 e-mails, limit 5 %")


def test_zero_switches_a_limit_off(session: Session, running: UUID) -> None:
    first, *_ = sequence.take(session, now=NOW, limit=200)
    session.commit()
    with environment(PAUSE_BOUNCE_PERCENT="0"), transaction() as other:
        finish(other, first, mixed(200, dead=200))
        assert state(other, running) == ("running", None)


def test_two_senders_at_once_pause_a_campaign_once(session: Session, running: UUID) -> None:
    first, *_ = sequence.take(session, now=NOW, limit=200)
    finish(session, first, mixed(200, dead=11))
    campaigns.resume(session, running, now=NOW)
    session.commit()
    with transaction() as one, transaction() as two:
        campaigns.pause(one, running, "somebody was first", now=NOW)
        key = rollups.Key(running, 1, None, NOW)
        rollups.add(two, {key: {"sent": 100, "bounced": 300}})
        assert auto_pause.check(two, {key: {"bounced": 300}}) == []  # and does not wait for the other
    with transaction() as after:
        assert state(after, running) == ("paused", "somebody was first")


def test_a_group_within_the_limits_reads_no_rollups(session: Session, running: UUID) -> None:
    """Rollups are read only if the group's own counts exceed the limit; here the rollups alone exceed it."""
    key = rollups.Key(running, 1, None, NOW)
    rollups.add(session, {key: {"sent": 1_000, "bounced": 900}})
    assert auto_pause.check(session, {key: {"sent": 250, "failed": 12, "bounced": 12}}) == []  # 4.6 %
    assert auto_pause.check(session, {key: {"sent": 250, "failed": 14, "bounced": 14}}) == [running]  # 5.3 %


def test_later_bounces_count_too(session: Session, running: UUID) -> None:
    first, *_ = sequence.take(session, now=NOW, limit=200)
    finish(session, first, mixed(200))
    back = [IncomingEvent(email.email_id, "bounced", NOW + MINUTE, {"hard": True}) for email in first.emails[:11]]
    early_events.record(session, back[:10], now=NOW + MINUTE)
    reactions.apply(session, now=NOW + MINUTE)
    assert state(session, running) == ("running", None)
    early_events.record(session, back[10:], now=NOW + MINUTE)
    reactions.apply(session, now=NOW + MINUTE)
    assert state(session, running) == ("paused", "bounce rate 5.5 % of 200 e-mails, limit 5 %")
