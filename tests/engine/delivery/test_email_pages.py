"""Pages of e-mails: every filter, in order, each e-mail once, whatever the windows."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns
from engine.delivery import email_pages
from engine.delivery.email_pages import Filter, ListedEmail
from tests import sends, sequence

NOW = sequence.NOW


def read(session: Session, filter_: Filter, *, limit: int, window: int) -> Iterator[ListedEmail]:
    """Yield the e-mails of all pages, each page with at most `limit`."""
    before: UUID | None = None
    for _ in range(1_000):
        page = email_pages.page(session, filter_, before=before, limit=limit, window=window)
        assert len(page.emails) <= limit
        yield from page.emails
        before = page.before
        if before is None:
            return
    raise AssertionError("the pages do not end")


@pytest.fixture
def campaign_id(session: Session) -> UUID:
    """A campaign whose first step was sent to eight contacts, among 24 single sends, some of them failed."""
    sends.queue(session, 8, now=NOW)
    sequence.people(session, 8)
    created = sequence.create(session)
    campaigns.launch(session, created, now=NOW)
    sequence.send_due(session, now=NOW + timedelta(seconds=1))
    other = sends.queue(session, 16, now=NOW, template="email_2_caso")
    session.execute(text("UPDATE emails SET status = 'failed' WHERE id = ANY(:ids)"), {"ids": other[::3]})
    return created


@pytest.mark.parametrize("window", [3, 20_000])
def test_pages_of_every_filter_have_each_matching_email_once_newest_first(
    session: Session, campaign_id: UUID, window: int
) -> None:
    rows = session.execute(text("SELECT id, contact_id, campaign_id, status, template FROM emails")).all()
    contact_id = rows[0].contact_id
    filters = [
        Filter(),
        Filter(contact_id=contact_id),
        Filter(campaign_id=campaign_id),
        Filter(status="failed"),
        Filter(status="sent"),
        Filter(status="in_doubt"),
        Filter(template="email_2_caso"),
        Filter(contact_id=contact_id, status="queued", template="email_1_roi"),
        Filter(campaign_id=campaign_id, status="failed"),
        Filter(status="failed", template="email_2_caso"),
        Filter(template="nobody_has_it"),
    ]
    for each in filters:
        wanted = {name: getattr(each, name) for name in Filter.__dataclass_fields__ if getattr(each, name)}
        expected = [row.id for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
        for limit in (4, 100):
            listed = [email.email_id for email in read(session, each, limit=limit, window=window)]
            assert listed == sorted(expected, reverse=True), (each, limit)
    assert len(rows) == 32


def test_a_page_looks_at_a_bounded_number_of_emails_and_says_where_to_go_on(session: Session) -> None:
    sends.queue(session, 25, now=NOW)
    page = email_pages.page(session, Filter(template="email_3_ultima_llamada"), window=2)
    assert page.emails == () and page.before is not None
    looked_at = session.scalar(text("SELECT count(*) FROM emails WHERE id >= :id"), {"id": page.before})
    assert looked_at == 2 * email_pages.WINDOWS


def test_emails_that_arrive_meanwhile_repeat_none_on_later_pages(session: Session) -> None:
    old = sends.queue(session, 6, now=NOW)
    first = email_pages.page(session, Filter(), limit=3)
    sends.queue(session, 4, now=NOW)
    second = email_pages.page(session, Filter(), limit=3, before=first.before)
    assert [email.email_id for email in (*first.emails, *second.emails)] == sorted(old, reverse=True)
    assert second.before is None


def test_the_subject_is_rendered_for_single_sends_and_campaigns(session: Session, campaign_id: UUID) -> None:
    session.execute(text("UPDATE contacts SET first_name = 'Eva'"))
    [email] = email_pages.page(session, Filter(campaign_id=campaign_id), limit=1).emails
    assert email.subject == "Eva, lo que cuesta no hacer seguimiento"
    [email] = email_pages.page(session, Filter(), limit=1).emails
    assert email.subject == sends.request().subject
