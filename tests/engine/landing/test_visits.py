"""Visits of landing pages: counts by hour, day and source, machines apart; the greeting of a reader."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from engine import figures
from engine.landing import published, visits
from engine.landing.visits import DAY, HOUR, Counts
from engine.tracking import views
from models.session import Session
from tests.engine.landing import drafts
from tests.sends import NOW


def test_views_add_up_by_hour_day_and_source(session: Session) -> None:
    page = drafts.create(session)
    later = NOW + timedelta(hours=1)
    for _ in range(2):
        visits.add(session, {views.key(page.id, "blog", NOW): (2, 1), views.key(page.id, "", later): (3, 0)})
    since = visits.day_before(NOW, 1)
    by_hour = visits.by_moment(session, page.id, since=since, unit=HOUR)
    assert list(by_hour.values()) == [Counts(4, 2), Counts(6, 0)]
    assert sum(each.views for each in visits.by_moment(session, page.id, since=since, unit=DAY).values()) == 10
    assert visits.by_source(session, page.id, since=since) == {"": Counts(6, 0), "blog": Counts(4, 2)}
    assert visits.by_source(session, page.id, since=visits.day_before(NOW, -1)) == {}
    assert session.scalar(text("SELECT sum(views) FROM page_visit_days")) == 10


def test_views_of_a_deleted_page_are_dropped(session: Session) -> None:
    visits.add(session, {views.key(uuid4(), "", NOW): (1, 0)})
    assert session.scalar(text("SELECT count(*) FROM page_visits")) == 0


def test_submissions_and_confirmations_count_by_their_own_moments(session: Session) -> None:
    page = drafts.create(session)
    session.execute(
        text("""
        WITH form AS (INSERT INTO forms (slug, definition, notify) VALUES ('guia', '{}', '') RETURNING id)
        INSERT INTO form_submissions (form_id, language, landing_page_id, source, submitted_at, confirmed_at)
        SELECT id, 'es', :page_id, 'blog', CAST(:now AS timestamptz) - interval '2 days', :now FROM form
        """),
        {"page_id": page.id, "now": NOW},
    )
    assert visits.by_source(session, page.id, since=visits.day_before(NOW, 1)) == {"blog": Counts(0, 0, 0, 1)}
    assert visits.by_source(session, page.id, since=visits.day_before(NOW, 3)) == {"blog": Counts(0, 0, 1, 1)}


def test_only_a_recent_email_tells_the_first_name(session: Session) -> None:
    contact_id, email_id = uuid4(), uuid4()
    session.execute(
        text("INSERT INTO contacts (id, email, email_index, first_name, created_at, updated_at) "
             "VALUES (:id, '', '\\x01', 'Ana', :now, :now)"), {"id": contact_id, "now": NOW},
    )  # fmt: skip
    session.execute(
        text("INSERT INTO emails (id, contact_id, template, subject, status, lane, message_id, accepted_at, sent_at, "
             "due_at) VALUES (:id, :contact, 't', 's', 'sent', 'campaign', 'm', :now, :now, :now)"),
        {"id": email_id, "contact": contact_id, "now": NOW},
    )  # fmt: skip
    assert published.first_name(session, email_id, now=NOW + timedelta(days=29)) == "Ana"
    assert published.first_name(session, email_id, now=NOW + timedelta(days=31)) == ""
    assert published.first_name(session, uuid4(), now=NOW) == ""
    session.execute(text("UPDATE contacts SET erased_at = :now"), {"now": NOW})
    assert published.first_name(session, email_id, now=NOW) == ""


def test_visits_that_take_long_to_count_are_stored(session: Session) -> None:
    page = drafts.create(session)
    visits.add(session, {views.key(page.id, "blog", NOW): (4, 1)})
    name = f"visits {page.id}"
    session.execute(text("UPDATE pages SET published = 1, published_at = :now"), {"now": NOW})
    assert name in figures.overdue(session, now=NOW)
    figures.refresh(session, name, now=NOW)
    visits.add(session, {views.key(page.id, "blog", NOW): (2, 1)})
    for took_s, expected in ((0, [6, 2, 0, 0]), (1, [4, 1, 0, 0])):
        session.execute(text("UPDATE snapshots SET took_s = :took_s"), {"took_s": took_s})
        value, counted_at = figures.visits_of(session, page.id, now=NOW)
        assert value == {"days": {str(NOW.date()): expected}, "sources": [["blog", *expected]]}
        assert (counted_at is None) == (took_s == 0)
        assert figures.totals_of_visits(session, [page.id], now=NOW) == {page.id: Counts(*expected)}
