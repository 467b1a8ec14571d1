"""Reclassification has the same result as applying events on arrival, and corrects differences."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.analytics import rollups
from engine.delivery import early_events
from engine.engagement import reactions, reclassify
from engine.tracking import retention
from engine.tracking.events import IncomingEvent
from models.session import retrying, transaction
from tests.engine.engagement.test_reactions_in_any_order import make_events, make_hits, make_mails, tables_of
from tests.mails import NOW, mail

SINCE, UNTIL = NOW - timedelta(hours=4), NOW + timedelta(hours=1)
SCRAMBLE = (
    """UPDATE events SET source = (ARRAY['human', 'machine', 'unknown'])[1 + get_byte(dedupe_key, 0) % 3],
                         reasons = (ARRAY['{crowd}', '{}', '{later,fast}'])[1 + get_byte(dedupe_key, 1) % 3]::text[]
        WHERE event_data ? 'method' AND NOT held""",
    """UPDATE emails SET opened_at = NULL, clicked_at = '2026-03-02 09:59Z', machine_opened_at = clicked_at,
                         machine_clicked_at = '2026-03-02 07:01Z'
        WHERE id IN (SELECT email_id FROM events WHERE event_type IN ('opened', 'clicked') AND NOT held)""",
    """UPDATE contacts SET email_1_opened = NOT email_1_opened, email_2_clicked = NOT email_2_clicked, score = 7
        WHERE id IN (SELECT contact_id FROM emails JOIN events ON email_id = emails.id
                      WHERE event_type IN ('opened', 'clicked') AND NOT held)""",
    "UPDATE email_stats SET opened = opened + 3, machine_clicked = 0, clicked = 5",
)

# A cancellation skips queued e-mails whose rows others have locked, so their state proves nothing here.
_NONE_QUEUED = text("UPDATE emails SET status = 'cancelled' WHERE status = 'queued'")


def reclassified(
    session: Session, *, limit: int = 40, write: bool = True
) -> tuple[Counter[tuple[str, str]], int, int, int]:
    """Reclassify all pages; return the changed classifications, e-mails, contacts and rollups."""
    after, changes, mails, contacts = reclassify.start(SINCE), Counter[tuple[str, str]](), 0, 0
    step = reclassify.page if write else reclassify.preview
    while page := step(session, after, UNTIL, now=NOW, limit=limit):
        after = page.last
        changes += page.classifications
        mails += page.emails
        contacts += page.contacts
    hours = reclassify.hours(session, SINCE, UNTIL) if write else ()
    return changes, mails, contacts, sum(rollups.recount(session, hour) for hour in hours)


def lived(session: Session, seed: int) -> None:
    """Record and apply many events."""
    random = Random(seed)
    mails = make_mails(session, random, contacts=36)
    incoming = make_events(mails, random, number=150) + make_hits(mails, random, number=250)
    early_events.record(session, random.sample(incoming, len(incoming)), now=NOW)
    while reactions.apply(session, now=NOW, limit=70):
        pass


@pytest.mark.parametrize("seed", range(3))
def test_reclassifying_changes_nothing_after_all_is_applied(session: Session, seed: int) -> None:
    lived(session, seed)
    before = tables_of(session)
    assert reclassified(session) == (Counter(), 0, 0, 0)
    assert tables_of(session) == before


@pytest.mark.parametrize("seed", range(3))
def test_reclassifying_restores_scrambled_rows(session: Session, seed: int) -> None:
    lived(session, seed)
    session.execute(text("UPDATE contacts SET updated_at = :now"), {"now": NOW})  # also that of the correction
    before = tables_of(session)
    for statement in SCRAMBLE:
        session.execute(text(statement))
    assert tables_of(session) != before
    changes, mails, contacts, hours = reclassified(session)
    assert sum(changes.values()) > 100
    assert min(mails, contacts, hours) > 3
    assert tables_of(session) == before


def test_a_preview_writes_nothing(session: Session) -> None:
    lived(session, 1)
    session.execute(text(SCRAMBLE[0]))
    before = tables_of(session)
    assert sum(reclassified(session, write=False)[0].values()) > 100
    assert tables_of(session) == before


def test_emails_older_than_the_horizon_are_not_reclassified(session: Session) -> None:
    lived(session, 2)
    session.execute(text(SCRAMBLE[0]))
    session.execute(text("UPDATE emails SET accepted_at = :then"), {"then": NOW - timedelta(days=90)})
    retention.set_horizon(session, NOW - timedelta(days=60))
    assert reclassified(session)[0] == Counter()


def test_hours_begin_at_the_horizon(session: Session) -> None:
    retention.set_horizon(session, NOW.replace(minute=0))
    hours = list(reclassify.hours(session, SINCE, UNTIL))
    assert hours == [NOW.replace(minute=0), NOW.replace(minute=0) + timedelta(hours=1)]


def test_size_counts_the_events_of_the_span(ledger: str) -> None:
    with transaction() as session:
        sent = mail(session)
        moments = (SINCE - timedelta(seconds=1), SINCE, NOW, UNTIL)
        early_events.record(session, [IncomingEvent(sent.id, "opened", moment) for moment in moments], now=UNTIL)
        assert reclassify.size(session, SINCE, UNTIL) == 2


def test_reclassifying_may_run_twice_at_once_while_events_arrive(ledger: str) -> None:
    """Two reclassify and two apply the same e-mails; the result equals that of applying alone."""
    random = Random(5)
    with transaction() as session:
        mails = make_mails(session, random, contacts=30)
        session.execute(_NONE_QUEUED)
        incoming = make_events(mails, random, number=150) + make_hits(mails, random, number=300)
        undo = session.begin_nested()
        early_events.record(session, incoming, now=NOW)
        while reactions.apply(session, now=NOW):
            pass
        expected = tables_of(session)
        undo.rollback()

    def come_in(part: int) -> None:
        for at in range(part, len(incoming), 40):
            retrying(lambda session, few=incoming[at : at + 20]: early_events.record(session, few, now=NOW))  # type: ignore[misc]
            retrying(lambda session: reactions.apply(session, now=NOW, limit=25))

    def reclassify_again(_: int) -> None:
        for _ in range(3):
            after = reclassify.start(SINCE)
            while page := retrying(lambda session, at=after: reclassify.page(session, at, UNTIL, now=NOW, limit=40)):  # type: ignore[misc]
                after = page.last
            with transaction() as session:
                hours = list(reclassify.hours(session, SINCE, UNTIL))
            for hour in hours:
                retrying(lambda session, which=hour: rollups.recount(session, which))  # type: ignore[misc]

    with ThreadPoolExecutor(4) as pool:
        for run in [
            pool.submit(*each) for each in ((come_in, 0), (come_in, 20), (reclassify_again, 0), (reclassify_again, 1))
        ]:
            run.result()
    while retrying(lambda session: reactions.apply(session, now=NOW)):
        pass
    with transaction() as session:
        assert tables_of(session) == expected
