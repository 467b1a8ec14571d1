"""The calendar counts what was sent and is due by day, step and campaign, each day in the campaign's zone."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from engine import figures
from engine.campaigns import campaigns
from engine.campaigns.reports import calendar
from tests import sequence
from tests.sequence import NOW

NOVEMBER = date(2026, 11, 1)


def test_a_month_has_what_was_sent_and_is_due_by_step_and_campaign(session: Session) -> None:
    sequence.people(session, 3)
    late = NOW.replace(hour=23, minute=30)  # the third of November in Madrid
    campaign_id = sequence.create(session, timezone="Europe/Madrid", days=(0, 3, 40))
    campaigns.launch(session, campaign_id, now=late)
    sequence.send_due(session, now=late)
    days = calendar.count(session, NOVEMBER, now=late)["days"]
    assert days == {
        "2026-11-03": {"sent": {"1": 3}, "campaigns": {str(campaign_id): {"sent": 3}}},
        "2026-11-06": {"due": {"2": 3}, "campaigns": {str(campaign_id): {"due": 3}}},
    }
    assert calendar.count(session, date(2026, 10, 1), now=late) == {"days": {}}
    sequence.send_due(session, now=late + timedelta(days=3))
    december = calendar.count(session, date(2026, 12, 1), now=late + timedelta(days=3))["days"]
    assert december == {}  # due in 40 days: later than the days that are counted
    december = calendar.count(session, date(2026, 12, 1), now=late + timedelta(days=20))["days"]
    assert december["2026-12-16"]["due"] == {"3": 3}


def test_overdue_emails_are_due_today_and_those_of_a_paused_campaign_are_not_due(session: Session) -> None:
    sequence.people(session, 2)
    campaign_id = sequence.create(session, days=(0,))
    campaigns.launch(session, campaign_id, now=NOW)
    later = NOW + timedelta(days=2)
    assert list(calendar.count(session, NOVEMBER, now=later)["days"]) == ["2026-11-04"]
    campaigns.pause(session, campaign_id, "x", now=later)
    assert calendar.count(session, NOVEMBER, now=later) == {"days": {}}


def test_workers_count_this_month_and_the_next(session: Session) -> None:
    names = figures.overdue(session, now=NOW)
    assert {"calendar 2026-11", "calendar 2026-12"} <= set(names)
    figures.refresh(session, "calendar 2026-12", now=NOW)
    assert "calendar 2026-12" not in figures.overdue(session, now=NOW)
