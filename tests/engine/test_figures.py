"""Figures of the pages: counted by workers, more often while somebody watches."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import attention, clock, figures
from engine.analytics import snapshots
from engine.audience import segments
from engine.campaigns import campaigns
from engine.figures import Basis
from models import together
from models.session import transaction
from tests import sequence
from worker.tasks import figures as task


def _age(session: Session, name: str, seconds: float, *, watched_s_ago: float, took_s: float = 0.01) -> None:
    session.execute(
        text(
            "UPDATE snapshots SET taken_at = clock_timestamp() - make_interval(secs => :age), took_s = :took, "
            "wanted_at = clock_timestamp() - make_interval(secs => :watched) WHERE name = :name"
        ),
        {"age": seconds, "watched": watched_s_ago, "took": took_s, "name": name},
    )


def test_figures_are_counted_again_by_age_cost_and_readers(session: Session) -> None:
    figures.of(session, figures.OUTLOOK, now=sequence.NOW)
    cases: list[tuple[dict[str, Any], bool]] = [
        ({"seconds": 1, "watched_s_ago": 1}, False),
        ({"seconds": 3, "watched_s_ago": 1}, True),
        ({"seconds": 3, "watched_s_ago": 1, "took_s": 1.0}, False),  # a twentieth of the time at most
        ({"seconds": 21, "watched_s_ago": 1, "took_s": 1.0}, True),
        ({"seconds": 21, "watched_s_ago": 100}, False),
        ({"seconds": 61, "watched_s_ago": 100}, True),
        ({"seconds": 500, "watched_s_ago": 600, "took_s": 1.0}, False),  # a thousandth
    ]
    for case, is_overdue in cases:
        _age(session, figures.OUTLOOK, **case)
        assert (figures.OUTLOOK in figures.overdue(session, now=sequence.NOW)) == is_overdue, case


def test_the_task_counts_running_campaigns_and_finished_ones_once_more(ledger: str) -> None:
    with transaction() as session:
        sequence.people(session, 2)
        running, finished = sequence.create(session, "a"), sequence.create(session, "b", days=(0,))
        for campaign_id in (running, finished):
            campaigns.launch(session, campaign_id, now=sequence.NOW)
        sequence.record(session, sequence.take(session, now=sequence.NOW), now=sequence.NOW)
    task.refresh()
    names = {figures.name_of(finished), figures.name_of(running), figures.OUTLOOK, figures.CONTACTS}
    with transaction() as session:
        assert figures.stored(session, [running])[running]["sent"] == 2
        assert campaigns.finish(session, now=sequence.NOW) == [finished]
        session.execute(text("UPDATE campaigns SET finished_at = clock_timestamp() WHERE state = 'finished'"))
        for name in names:
            _age(session, name, 100, watched_s_ago=1_000)
        assert set(figures.overdue(session, now=clock.now())) == names
    task.refresh()
    with transaction() as session:
        assert figures.overdue(session, now=clock.now()) == []
        _age(session, figures.name_of(finished), 5, watched_s_ago=1_000)
        assert figures.overdue(session, now=clock.now()) == []


def test_the_outlook_counts_days_in_the_zone_of_the_campaign(session: Session) -> None:
    sequence.people(session, 3)
    late = sequence.NOW.replace(hour=23, minute=30)  # the next day in Madrid
    campaign_id = sequence.create(session, timezone="Europe/Madrid")
    campaigns.launch(session, campaign_id, now=late)
    days = figures.of(session, figures.OUTLOOK, now=late).value["days"]
    assert days == {"2026-11-03": {"due": {"1": 3}}}
    sequence.record(session, sequence.take(session, now=late), now=late)
    figures.refresh(session, figures.OUTLOOK, now=late + timedelta(minutes=1))
    days = snapshots.read(session, figures.OUTLOOK)[figures.OUTLOOK].value["days"]
    assert days["2026-11-03"]["sent"] == 3 and days["2026-11-06"] == {"due": {"2": 3}}


def test_a_page_that_is_open_writes_once_in_twenty_seconds(session: Session) -> None:
    figures.of(session, figures.OUTLOOK, now=sequence.NOW)
    for watched_s_ago, is_written in ((10, False), (30, True)):
        _age(session, figures.OUTLOOK, 1, watched_s_ago=watched_s_ago)
        figures.of(session, figures.OUTLOOK, now=sequence.NOW)
        age = session.scalar(text("SELECT extract(epoch FROM clock_timestamp() - wanted_at) FROM snapshots"))
        assert (age < 5) == is_written, watched_s_ago


def test_figures_that_a_worker_counts_first_are_watched_once_a_page_shows_them(session: Session) -> None:
    """Otherwise each new campaign would be counted every two seconds in its first minute, when it is busiest."""
    figures.refresh(session, figures.OUTLOOK, now=sequence.NOW)
    is_watched = text("SELECT wanted_at > to_timestamp(0) FROM snapshots")
    assert session.scalar(is_watched) is False
    figures.of(session, figures.OUTLOOK, now=sequence.NOW)
    assert session.scalar(is_watched) is True


def test_attention_lists_a_paused_campaign_and_missing_workers(session: Session) -> None:
    sequence.people(session, 1)
    campaign_id = sequence.create(session, "Otoño")
    campaigns.launch(session, campaign_id, now=sequence.NOW)
    campaigns.pause(session, campaign_id, "the offer changed", now=sequence.NOW)
    items = attention.items(session, now=sequence.NOW, clock_rate=1.0)
    assert [(item.kind, item.subject, item.detail) for item in items] == [
        ("sweep_late", "", ""),
        ("paused", "Otoño", "the offer changed"),
    ]


def test_workers_count_the_launch_of_a_draft_when_contacts_are_many(ledger: str) -> None:
    with transaction() as session:
        sequence.people(session, 3)
        campaign_id = sequence.create(session)
        draft = campaigns.view(session, campaign_id)
        small = figures.launch_report(session, draft, now=sequence.NOW)
        assert small is not None and small.mailed == 3  # counted at once
        # More blocks than are counted while a page waits; rows that were rolled back fill them as well.
        fill = "INSERT INTO contacts (email, email_index) SELECT repeat('x', 200), sha256(n::text::bytea)"
        session.execute(text(f"{fill} FROM generate_series(1, 24000) AS n"))
        session.execute(text("DELETE FROM contacts WHERE email LIKE 'xxx%'"))
        assert figures.launch_report(session, draft, now=sequence.NOW) is None
        basis = Basis(*together.all_of(session, *figures.basis_queries()))
        everybody = figures.audience(session, segments.EVERYBODY, basis, now=sequence.NOW)
        assert (everybody.contacts, everybody.is_exact) == (3, True)
        assert not figures.audience(session, segments.Segment(min_score=1), basis, now=sequence.NOW).is_exact
    task.refresh()
    with transaction() as session:
        counted = figures.launch_report(session, draft, now=sequence.NOW + timedelta(hours=1))
        assert counted is not None and (counted.mailed, counted.enrolled) == (3, 3)
        assert counted.first_email_at == sequence.NOW + timedelta(hours=1)
        session.execute(text("UPDATE campaigns SET version = 2"))
        edited = campaigns.view(session, campaign_id)
        assert figures.launch_report(session, edited, now=sequence.NOW) is None  # of another version
        figures.refresh(session, f"launch {UUID(int=1)} v1", now=sequence.NOW)  # deleted meanwhile
