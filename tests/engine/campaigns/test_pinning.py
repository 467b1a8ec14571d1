"""A launched campaign keeps the versions of its templates, whatever is published later."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import clock
from engine.campaigns import campaigns
from engine.campaigns.drafting import drafts
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.campaigns.steps import StepDraft
from engine.delivery import early_events, outbox, recovery
from engine.templates.templates import Library
from engine.templates.versions import history, store
from engine.tracking.events import IncomingEvent
from errors import InvalidInput
from tests import sequence
from tests.engine.templates.versions.conftest import CHANGE, content, reading
from tests.sequence import NOW

DAY = timedelta(days=1)


@pytest.fixture
def library(session: Session) -> Library:
    """A library of `oferta` in this session, whose first version is published."""
    library = reading(session)
    store.create(session, "oferta", content(), library=library, change=CHANGE)
    store.publish(session, "oferta", 1, library=library)
    return library


def publish(session: Session, library: Library, subject: str) -> None:
    newest = history.version(session, "oferta")[0].digest
    saved = store.save(session, "oferta", content(subject=subject), expected=newest, change=CHANGE)
    store.publish(session, "oferta", saved.version, library=library)
    library.refresh()


def campaign(session: Session, library: Library, name: str = "Otoño") -> UUID:
    plan = [StepDraft("oferta"), StepDraft("email_2_caso", sequence.DAY_S)]
    draft = CampaignDraft(name, plan, variables=sequence.VARIABLES)
    return drafts.create(session, draft, library=library, now=NOW)


def pinned(session: Session, campaign_id: UUID) -> list[tuple[object, ...]]:
    query = text(
        "SELECT template, template_version, subject FROM campaign_steps WHERE campaign_id = :id ORDER BY step LIMIT 1"
    )
    return [tuple(row) for row in session.execute(query, {"id": campaign_id})]


def rows(session: Session) -> list[tuple[object, ...]]:
    query = text("SELECT template, template_version, subject, status FROM emails ORDER BY template DESC, id")
    return [tuple(row) for row in session.execute(query)]


def test_a_draft_follows_what_is_published_and_a_launch_ends_that(session: Session, library: Library) -> None:
    sequence.people(session, 2)
    campaign_id = campaign(session, library)
    assert pinned(session, campaign_id) == [("oferta", None, "Hola, {{ nombre }}")]
    publish(session, library, "Dos  {{ brand_name }}\u200f")
    campaigns.launch(session, campaign_id, now=NOW)
    publish(session, library, "Tres")
    assert pinned(session, campaign_id) == [("oferta", 2, "Dos {{ brand_name }}\u200f")]
    [group] = sequence.take(session, now=NOW)
    assert {(email.template, email.template_version) for email in group.emails} == {("oferta", 2)}
    sequence.record(session, [group], now=NOW)
    later = sequence.take(session, now=NOW + DAY)
    assert {(email.template, email.template_version) for email in sequence.mails(later)} == {("email_2_caso", None)}
    sequence.record(session, later, now=NOW + DAY)
    assert [row[:2] for row in rows(session)] == [("oferta", 2)] * 2 + [("email_2_caso", None)] * 2
    shown = outbox.details(session, group.emails[0].email_id)
    assert (shown.template_version, shown.subject) == (2, "Dos Cadencia\u200f")


def test_a_launch_is_refused_if_a_new_version_needs_what_nothing_provides(session: Session, library: Library) -> None:
    sequence.people(session, 1)
    campaign_id = campaign(session, library)
    drafts.recheck(session, campaign_id, library)
    first = history.version(session, "oferta")[0].digest
    wanting = content(html="{{ nombre }} {{ cupon }}", sample={"nombre": "Ana", "cupon": "X1"})
    store.save(session, "oferta", wanting, expected=first, change=CHANGE)
    store.publish(session, "oferta", 2, library=library)
    with pytest.raises(InvalidInput, match=r"variables\.cupon"):
        drafts.recheck(session, campaign_id, library)


def test_copies_and_edits_of_a_campaign_follow_what_is_published(session: Session, library: Library) -> None:
    sequence.people(session, 1)
    campaign_id = campaign(session, library)
    campaigns.launch(session, campaign_id, now=NOW)
    publish(session, library, "Dos")
    copy = drafts.clone(session, campaign_id, library=library, now=NOW)
    assert pinned(session, copy) == [("oferta", None, "Dos")]


def test_every_way_in_which_an_email_gets_its_row_keeps_the_version(session: Session, library: Library) -> None:
    sequence.people(session, 3)
    campaigns.launch(session, campaign(session, library), now=NOW)
    publish(session, library, "Dos")
    [group] = sequence.take(session, now=NOW)
    early = group.emails[0].email_id
    assert outbox.details(session, early).template_version == 1  # before it has a row
    early_events.record(session, [IncomingEvent(early, "opened", NOW)], now=NOW)
    assert rows(session) == [("oferta", 1, "Hola, {{ nombre }}", "sending")]
    sender_id = session.scalar(text("SELECT sender_id FROM send_groups"))
    assert sender_id is not None
    recovery.recover(session, sender_id, None, now=NOW, moment=clock.at)
    assert {row[:2] + row[3:] for row in rows(session)} == {("oferta", 1, "in_doubt")}


def test_a_queued_email_is_claimed_with_its_version_again_and_again(session: Session, library: Library) -> None:
    request = outbox.SendRequest("ana@empresa.example", "oferta", "Hola", {"nombre": "Ana"}, lane="campaign")
    first, second = outbox.add(session, [request, replace(request, template_version=1)], now=NOW)
    for now in (NOW, NOW + DAY):
        claimed = sequence.mails(groups := sequence.take(session, now=now))
        assert {email.email_id: email.template_version for email in claimed} == {first: None, second: 1}
        sequence.record(session, groups, sequence.DEFERRED, now=now)
