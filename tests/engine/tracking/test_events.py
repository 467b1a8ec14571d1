"""Events are stored once, and held until their e-mail is sent."""

import threading
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.tracking import events
from engine.tracking.events import IncomingEvent
from errors import InvalidInput, NotFound
from models import Event, ids
from models.session import transaction
from tests.mails import HOUR, NOW, mail


def stored(session: Session, email_id: UUID) -> list[Event]:
    return list(session.scalars(select(Event).where(Event.email_id == email_id).order_by(Event.timestamp)))


def test_record_stores_an_event_as_it_was_reported(session: Session) -> None:
    email_id = mail(session).id
    link = {"link": 2, "url": "https://cadencia.example/roi"}
    assert early_events.record(session, [IncomingEvent(email_id, "clicked", NOW - HOUR, link, "human")], now=NOW) == [
        True
    ]
    [event] = stored(session, email_id)
    assert (event.event_type, event.source, event.event_data) == ("clicked", "human", link)
    assert (event.timestamp, event.received_at, event.applied_at, event.held) == (NOW - HOUR, NOW, None, False)


def test_record_uses_the_time_of_receipt_without_a_timestamp(session: Session) -> None:
    email_id = mail(session).id
    early_events.record(session, [IncomingEvent(email_id, "opened")], now=NOW)
    assert [event.timestamp for event in stored(session, email_id)] == [NOW]


def test_record_stores_nothing_without_events(session: Session) -> None:
    assert early_events.record(session, [], now=NOW) == []


def test_record_stores_a_repeated_event_once(session: Session) -> None:
    email_id = mail(session).id
    opened = IncomingEvent(email_id, "opened", NOW - HOUR)
    in_the_same_second = IncomingEvent(email_id, "opened", NOW - HOUR + timedelta(milliseconds=999))
    assert early_events.record(session, [opened, in_the_same_second, opened], now=NOW) == [True, False, False]
    assert early_events.record(session, [opened], now=NOW + HOUR) == [False]
    assert len(stored(session, email_id)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"timestamp": NOW - HOUR + timedelta(seconds=1)},
        {"data": {"link": 2}},
        {"data": {"link": 1, "url": "https://cadencia.example/otro"}},
        {"event_type": "opened"},
        {"key": "a name of the reporter's"},
    ],
)
def test_record_stores_events_that_differ(session: Session, other: dict[str, object]) -> None:
    email_id = mail(session).id
    one = {"event_type": "clicked", "timestamp": NOW - HOUR, "data": {"link": 1}}
    arrivals = [IncomingEvent(email_id, **fields) for fields in (one, one | other)]  # type: ignore[arg-type]
    assert early_events.record(session, arrivals, now=NOW) == [True, True]


def test_record_identifies_an_event_by_its_key(session: Session) -> None:
    email_id = mail(session).id
    arrivals = [IncomingEvent(email_id, "replied", moment, key="<1@empresa.example>") for moment in (NOW, NOW - HOUR)]
    assert early_events.record(session, arrivals, now=NOW) == [True, False]


def test_record_clamps_a_timestamp_when_it_lies_in_the_future(session: Session) -> None:
    email_id = mail(session).id
    early_events.record(session, [IncomingEvent(email_id, "opened", NOW + HOUR)], now=NOW)
    assert early_events.record(
        session, [IncomingEvent(email_id, "opened", NOW + HOUR)], now=NOW + timedelta(minutes=1)
    ) == [False]
    [event] = stored(session, email_id)
    assert event.timestamp == NOW
    assert datetime.fromisoformat(event.event_data["claimed_timestamp"]) == NOW + HOUR


def test_record_refuses_a_timestamp_when_it_has_no_zone(session: Session) -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidInput, match=r"timestamp: has no time zone.*2024-01-15T10:05:00Z"):
        early_events.record(session, [IncomingEvent(mail(session).id, "opened", naive)], now=NOW)


@pytest.mark.parametrize(("fields", "fault"), [(("read",), "event_type"), (("opened", NOW, {}, "robot"), "source")])
def test_record_refuses_an_unknown_type_or_source(session: Session, fields: tuple[str], fault: str) -> None:
    with pytest.raises(InvalidInput, match=f"{fault}: .* is not known; there are "):
        early_events.record(session, [IncomingEvent(mail(session).id, *fields)], now=NOW)


def test_record_stores_nothing_when_one_email_is_unknown(ledger: str) -> None:
    with transaction() as session:
        email_id = mail(session).id
    with pytest.raises(NotFound, match="email_id: 1 of 2 e-mails do not exist"), transaction() as session:
        early_events.record(session, [IncomingEvent(email_id, "opened"), IncomingEvent(ids.new(), "opened")], now=NOW)
    with transaction() as session:
        assert stored(session, email_id) == []


def test_store_leaves_out_unknown_emails(session: Session) -> None:
    entries = [events.prepare(IncomingEvent(each, "opened"), now=NOW) for each in (ids.new(), mail(session).id)]
    assert early_events.store(session, entries, now=NOW) == {entries[1].dedupe_key}


@pytest.mark.parametrize("status", ["queued", "claimed", "sending", "cancelled", "failed"])
def test_record_holds_opens_and_clicks_of_unsent_emails(session: Session, status: str) -> None:
    email_id = mail(session, status=status, sent_at=None).id
    kinds = ["opened", "clicked", "converted", "unsubscribed", "replied", "complained"]
    early_events.record(session, [IncomingEvent(email_id, kind) for kind in kinds], now=NOW)
    assert {event.event_type for event in stored(session, email_id) if event.held} == {"opened", "clicked"}


@pytest.mark.parametrize("status", ["sent", "in_doubt", "bounced", "complained"])
def test_record_holds_nothing_of_sent_emails(session: Session, status: str) -> None:
    email_id = mail(session, status=status).id
    early_events.record(session, [IncomingEvent(email_id, "opened")], now=NOW)
    assert [event.held for event in stored(session, email_id)] == [False]


def test_release_releases_held_events_of_sent_emails(session: Session) -> None:
    sent, still = mail(session, status="sending"), mail(session, status="sending")
    arrivals = [IncomingEvent(sent.id, "opened"), IncomingEvent(sent.id, "clicked"), IncomingEvent(still.id, "opened")]
    early_events.record(session, arrivals, now=NOW)
    session.execute(text("UPDATE emails SET status = 'sent' WHERE id = :id"), {"id": sent.id})
    assert events.release(session, [sent.id, still.id]) == 2
    assert events.release(session, [sent.id, still.id]) == 0
    assert [event.held for event in stored(session, sent.id)] == [False, False]
    assert [event.held for event in stored(session, still.id)] == [True]


def test_record_waits_for_a_concurrent_settlement(ledger: str) -> None:
    """In either order, no event of a sent e-mail stays held."""
    with transaction() as session:
        email_id = mail(session, status="sending").id
    with transaction() as session:
        session.execute(text("UPDATE emails SET status = 'sent' WHERE id = :id"), {"id": email_id})
        events.release(session, [email_id])
        reporter = threading.Thread(target=_report_open, args=(email_id,))
        reporter.start()
        reporter.join(0.2)
        assert reporter.is_alive()
    reporter.join()
    with transaction() as session:
        assert [event.held for event in stored(session, email_id)] == [False]


def _report_open(email_id: UUID) -> None:
    with transaction() as session:
        early_events.record(session, [IncomingEvent(email_id, "opened")], now=NOW)
