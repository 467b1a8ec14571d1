"""A cancelled campaign sends nothing any more, stops its contacts in pages, and never runs again."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import figures, upkeep
from engine.campaigns import campaigns, decisions, enrollments, explain, retries, stops
from engine.campaigns.reports import funnel
from engine.delivery import audit
from errors import Conflict
from models.session import transaction
from tests import sequence
from tests.crossing import waiting
from tests.sequence import NOW

LATER = NOW + timedelta(days=4)


def _stop_all(session: Session) -> None:
    while campaigns.proceed_cancelling(session, now=NOW):
        pass


def _scans(session: Session) -> int:
    """Return the number of scans of the index of running enrollments by this transaction."""
    return int(
        session.scalar(text("SELECT pg_stat_get_xact_numscans(CAST('ix_enrollments_running' AS regclass))")) or 0
    )


def _reasons(session: Session) -> list[tuple[str, str | None]]:
    return [(row.state, row.stop_reason) for row in session.execute(text("SELECT * FROM enrollments ORDER BY id"))]


def test_nothing_of_a_cancelled_campaign_is_claimed_from_that_moment_on(session: Session) -> None:
    campaign_id = sequence.launched(session, 4)
    deferred = sequence.take(session, now=NOW, limit=1)[:1]
    sequence.record(session, deferred, sequence.DEFERRED, now=NOW)
    campaigns.cancel(session, campaign_id, "the offer ended")
    view = campaigns.view(session, campaign_id)
    assert (view.state, view.reason, view.stopping, view.finished_at) == ("cancelled", "the offer ended", True, None)
    assert sequence.take(session, now=LATER) == []  # neither due steps nor the deferred e-mail
    assert session.execute(text("SELECT status, reason FROM emails")).all() == [("cancelled", "cancelled")]


def test_its_contacts_stop_in_pages_and_its_queued_emails_are_cancelled(session: Session) -> None:
    campaign_id = sequence.launched(session, 4)
    sequence.record(session, sequence.take(session, now=NOW), sequence.DEFERRED, now=NOW)
    campaigns.pause(session, campaign_id, "a look first", now=NOW)
    assert sequence.take(session, now=LATER) == []  # parks the e-mails
    other = sequence.create(session, "Otra")
    enrollments.enroll(session, other, now=NOW)
    campaigns.cancel(session, campaign_id)
    last = stops.stop_campaign(session, campaign_id, UUID(int=0), now=NOW, limit=3)
    assert last is not None
    assert _reasons(session)[:4] == [("stopped", "cancelled")] * 3 + [("waiting", None)]
    _stop_all(session)
    assert _reasons(session) == [("stopped", "cancelled")] * 4 + [("active", None)] * 4
    assert set(session.execute(text("SELECT status, reason FROM emails")).all()) == {("cancelled", "cancelled")}
    view = campaigns.view(session, campaign_id)
    assert (view.stopping, view.finished_at) == (False, NOW)
    assert upkeep.bells(session, now=LATER) == []
    assert funnel.of(session, campaign_id).stop_reasons == {"cancelled": 4}
    assert audit.read(session).findings == ()


def test_a_page_reads_no_index_that_holds_the_whole_campaign(session: Session) -> None:
    campaign_id = sequence.launched(session, 4)
    campaigns.cancel(session, campaign_id)
    # A plan for any values, as the database makes for statements that are repeated; tables of few rows are scanned.
    session.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
    session.execute(text("SET LOCAL enable_seqscan = off"))
    before = _scans(session)
    stops.stop_campaign(session, campaign_id, UUID(int=0), now=NOW, limit=10)
    assert _scans(session) == before
    assert _reasons(session) == [("stopped", "cancelled")] * 4


def test_an_email_in_flight_goes_out_and_its_sequence_ends(session: Session) -> None:
    campaign_id = sequence.launched(session, 2)
    groups = sequence.take(session, now=NOW)
    campaigns.cancel(session, campaign_id)
    _stop_all(session)
    settled = sequence.record(session, groups, now=NOW)
    assert [email.status for email in settled] == ["sent", "sent"]
    assert _reasons(session) == [("stopped", "cancelled")] * 2
    contact_id = session.scalar(text("SELECT contact_id FROM enrollments LIMIT 1"))
    assert isinstance(contact_id, UUID)
    (journey,) = explain.why(session, contact_id, now=NOW)
    assert "1 e-mail was sent; stopped on" in journey.sentence
    assert journey.sentence.endswith("because the campaign was cancelled.")


def test_contacts_who_stopped_before_keep_their_reason(session: Session) -> None:
    campaign_id = sequence.launched(session, 2)
    contact_id = session.scalar(text("SELECT contact_id FROM enrollments ORDER BY id LIMIT 1"))
    assert isinstance(contact_id, UUID)
    stops.stop(session, [contact_id], "replied", now=NOW)
    campaigns.cancel(session, campaign_id)
    _stop_all(session)
    assert _reasons(session) == [("stopped", "replied"), ("stopped", "cancelled")]


@pytest.mark.parametrize(
    "call",
    [
        lambda session, campaign_id: campaigns.launch(session, campaign_id, now=NOW),
        lambda session, campaign_id: campaigns.start_now(session, campaign_id, now=NOW),
        lambda session, campaign_id: campaigns.pause(session, campaign_id, "x", now=NOW),
        lambda session, campaign_id: campaigns.resume(session, campaign_id, now=NOW),
        lambda session, campaign_id: campaigns.cancel(session, campaign_id),
        lambda session, campaign_id: enrollments.enroll(session, campaign_id, now=NOW),
        lambda session, campaign_id: retries.retry(session, campaign_id, "refused", now=NOW),
    ],
    ids=["launch", "start now", "pause", "resume", "cancel", "enroll", "retry"],
)
def test_a_cancelled_campaign_never_runs_again(session: Session, call: Callable[[Session, UUID], object]) -> None:
    campaign_id = sequence.create(session)
    campaigns.cancel(session, campaign_id)
    _stop_all(session)
    with pytest.raises(Conflict, match="the campaign is cancelled"):
        call(session, campaign_id)
    assert campaigns.finish(session, now=NOW) == []


def test_contacts_who_are_enrolled_while_it_is_cancelled_stop_as_well(ledger: str) -> None:
    """The page waits inside its transaction, for the lock of a contact, until all others have stopped."""
    with transaction() as session:
        sequence.people(session, 3)
        campaign_id = sequence.create(session)
        enrollments.begin(session, campaign_id, now=NOW)

    def enroll(session: Session) -> None:
        enrollments.proceed(session)

    with waiting(enroll, sequence.lock_contacts), transaction() as cancelling:
        campaigns.cancel(cancelling, campaign_id)
        _stop_all(cancelling)
    with transaction() as session:
        assert campaigns.view(session, campaign_id).stopping and len(_reasons(session)) == 3
        _stop_all(session)
        assert _reasons(session) == [("stopped", "cancelled")] * 3
        assert enrollments.proceed(session) is None


def test_an_end_of_the_contact_comes_before_that_of_the_campaign() -> None:
    facts = decisions.Facts(campaign_state="cancelled")
    assert decisions.decide(facts, None, NOW) == decisions.Stop("cancelled")
    assert decisions.decide(facts._replace(converted=True), None, NOW) == decisions.Stop("converted")


def test_its_figures_are_counted_until_the_last_contact_has_stopped(session: Session) -> None:
    campaign_id = sequence.launched(session, 4)
    name = figures.name_of(campaign_id)
    figures.refresh(session, name, now=NOW)
    aged = text("UPDATE snapshots SET took_s = 0, taken_at = clock_timestamp() - interval '90 seconds'")
    campaigns.cancel(session, campaign_id)
    session.execute(aged)
    assert name in figures.overdue(session, now=NOW)
    _stop_all(session)
    for finished_s_ago, is_counted in ((80, True), (100, False)):
        ended = "UPDATE campaigns SET finished_at = clock_timestamp() - make_interval(secs => :ago)"
        session.execute(text(ended), {"ago": finished_s_ago})
        session.execute(text("UPDATE snapshots SET wanted_at = '2020-01-01'"))
        assert (name in figures.overdue(session, now=NOW)) == is_counted
