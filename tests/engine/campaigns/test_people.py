"""The contacts behind the numbers of a campaign, in pages that are complete and have nobody twice."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import campaigns, stops
from engine.campaigns.reports import funnel, people
from engine.campaigns.reports.people import Page, StepFact
from errors import InvalidInput
from tests import sequence
from tests.sequence import NOW

COUNT = 130  # more than two pages


@pytest.fixture
def campaign_id(session: Session) -> UUID:
    sequence.people(session, COUNT)
    created = sequence.create(session, days=(0, 3))
    campaigns.launch(session, created, now=NOW)
    return created


def _all(first: Page, after: object) -> list[people.Person]:
    """Return everybody, page by page; `after` returns the page after a position."""
    listed, page = list(first.people), first
    while page.after:
        page = after(page.after)  # type: ignore[operator]
        listed += page.people
    assert len({person.contact.id for person in listed}) == len(listed)
    return listed


def _of_step(session: Session, campaign_id: UUID, fact: str, step: int = 1) -> list[people.Person]:
    first = people.of_step(session, campaign_id, StepFact(step, fact))
    assert len(first.people) <= people.LIMIT
    return _all(first, lambda after: people.of_step(session, campaign_id, StepFact(step, fact), after=after))


def _in(session: Session, campaign_id: UUID, state: str, reason: str | None = None) -> list[people.Person]:
    first = people.in_state(session, campaign_id, state, reason=reason)
    return _all(first, lambda after: people.in_state(session, campaign_id, state, reason=reason, after=after))


def test_everybody_behind_a_fact_is_listed_with_its_moment(session: Session, campaign_id: UUID) -> None:
    assert _of_step(session, campaign_id, "sent") == []
    sequence.send_due(session, now=NOW)
    others = sequence.create(session, "Otra", days=(0,))
    campaigns.launch(session, others, now=NOW)
    sequence.send_due(session, sequence.REFUSED, now=NOW)
    halved = text("UPDATE emails SET opened_at = :now WHERE campaign_id = :id AND get_byte(uuid_send(id), 14) < 128")
    session.execute(halved, {"now": NOW, "id": campaign_id})
    session.execute(text("UPDATE emails SET converted_at = opened_at, clicked_at = opened_at"))
    sent = _of_step(session, campaign_id, "sent")
    assert len(sent) == COUNT and {person.at for person in sent} == {NOW}
    opened = session.scalar(text("SELECT count(opened_at) FROM emails"))
    for fact in ("opened", "clicked", "converted"):
        assert len(_of_step(session, campaign_id, fact)) == opened, fact
    assert _of_step(session, campaign_id, "sent", step=2) == _of_step(session, campaign_id, "failed") == []
    failed = _of_step(session, others, "failed")
    assert len(failed) == COUNT and {person.reason for person in failed} == {"refused"}


def test_running_contacts_are_ordered_by_step_and_due_time(session: Session, campaign_id: UUID) -> None:
    sequence.record(session, sequence.take(session, now=NOW, limit=60)[:1], now=NOW)
    session.execute(text("UPDATE send_groups SET state = 'settled' WHERE state = 'open'"))
    sequence.record(session, sequence.take(session, now=NOW, limit=10)[:1], sequence.DEFERRED, now=NOW)
    running = _in(session, campaign_id, "running")
    assert [(person.step, person.at) for person in running] == [
        *[(1, NOW)] * 60, *[(1, None)] * 10, *[(2, NOW + timedelta(days=3))] * 60,
    ]  # fmt: skip


def test_waiting_contacts_are_as_many_as_the_funnel_counts(session: Session, campaign_id: UUID) -> None:
    sequence.record(session, sequence.take(session, now=NOW, limit=60)[:1], sequence.DEFERRED, now=NOW)
    waiting = _of_step(session, campaign_id, "queued")
    counted = funnel.of(session, campaign_id)
    assert len(waiting) == counted.steps[0].queued == COUNT
    assert sorted(person.at is None for person in waiting) == [False] * 60 + [True] * 70  # 70 are claimed
    assert _of_step(session, campaign_id, "queued", step=2) == []
    assert len(_in(session, campaign_id, "enrolled")) == counted.enrolled == COUNT


def test_stopped_contacts_are_listed_by_reason_and_finished_ones_with_their_last_email(
    session: Session, campaign_id: UUID
) -> None:
    contacts = list(session.scalars(text("SELECT contact_id FROM enrollments ORDER BY id")))
    stops.stop(session, contacts[:60], "replied", now=NOW)
    stops.stop(session, contacts[60:70], "converted", now=NOW)
    stopped = _in(session, campaign_id, "stopped")
    assert [person.reason for person in stopped] == ["converted"] * 10 + ["replied"] * 60
    assert len(_in(session, campaign_id, "stopped", "replied")) == 60
    assert _in(session, campaign_id, "stopped", "bounced") == []
    later = NOW + timedelta(days=3)
    sequence.send_due(session, now=NOW)
    sequence.send_due(session, now=later)
    finished = _in(session, campaign_id, "finished")
    assert len(finished) == 60 and {person.at for person in finished} == {later}


def test_a_page_that_ends_at_its_budget_says_from_where_to_look_further(session: Session, campaign_id: UUID) -> None:
    sequence.send_due(session, now=NOW)
    last = session.scalar(text("SELECT id FROM emails ORDER BY id DESC LIMIT 1"))
    session.execute(text("UPDATE emails SET clicked_at = :now WHERE id = :id"), {"now": NOW, "id": last})
    first_clicks = StepFact(1, "clicked")
    first = people.of_step(session, campaign_id, first_clicks, windows=(20, 20))
    assert first.people == () and first.after
    assert (
        len(_all(first, lambda after: people.of_step(session, campaign_id, StepFact(1, "clicked"), after=after))) == 1
    )


@pytest.mark.parametrize("after", ["x", "1_x_y", "0" * 40])
def test_a_wrong_position_is_refused(session: Session, campaign_id: UUID, after: str) -> None:
    with pytest.raises(InvalidInput):
        people.of_step(session, campaign_id, StepFact(1, "sent"), after=after)
    with pytest.raises(InvalidInput):
        people.in_state(session, campaign_id, "running", after=after)
