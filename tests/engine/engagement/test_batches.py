"""Batches of events: their order, their size and cost, and e-mails with very many hits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from engine.delivery import early_events
from engine.engagement import reactions
from engine.tracking import hit_history
from engine.tracking.bots.classifier import NEIGHBOURS_MAX
from engine.tracking.events import IncomingEvent
from models import Event
from tests.engine.engagement.applying import contact_of, email_of, happen
from tests.mails import HOUR, NOW, mail

PHONE = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"

EARLIER = NOW - timedelta(minutes=20)
HARD = {"hard": True}


def test_a_limited_batch_has_the_events_received_first(session: Session) -> None:
    sent = {minute: mail(session).id for minute in (3, 1, 2)}
    for minute, email_id in sent.items():
        early_events.record(session, [IncomingEvent(email_id, "opened")], now=NOW - timedelta(minutes=minute))
    assert reactions.apply(session, now=NOW, limit=2) == 2
    assert session.scalar(text("SELECT email_id FROM events WHERE applied_at IS NULL")) == sent[1]
    assert [reactions.apply(session, now=NOW, limit=2) for _ in range(2)] == [1, 0]


def test_a_batch_includes_as_many_more_events_of_the_same_emails(session: Session) -> None:
    often, once = mail(session).id, mail(session).id
    for minute in range(9, 4, -1):
        early_events.record(session, [IncomingEvent(often, "opened")], now=NOW - timedelta(minutes=minute))
    early_events.record(session, [IncomingEvent(once, "opened")], now=NOW - timedelta(minutes=1))
    assert [reactions.apply(session, now=NOW, limit=2) for _ in range(3)] == [4, 2, 0]


def test_the_number_of_statements_does_not_grow_with_the_events(session: Session) -> None:
    kinds = ("clicked", "converted", "unsubscribed", "complained")
    counts = []
    for mails in (1, 40):
        made = [mail(session).id for _ in range(mails)]
        early_events.record(session, [IncomingEvent(one, kind, EARLIER) for one in made for kind in kinds], now=NOW)
        with statements(session) as sent:
            assert reactions.apply(session, now=NOW) == mails * len(kinds)
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 15


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """Collect the statements that the session executes in the block."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(session.connection(), "before_cursor_execute", note)
    yield sent
    event.remove(session.connection(), "before_cursor_execute", note)


SCANNER, SAFARI = {"method": "GET", "agent": "python-requests/2.32"}, {"method": "GET", "agent": PHONE}


def test_of_many_hits_only_the_first_and_the_new_are_loaded(
    session: Session,
) -> None:
    opened = mail(session)
    moments = [NOW - HOUR + timedelta(seconds=n) for n in range(NEIGHBOURS_MAX + 200)]
    happen(session, *(IncomingEvent(opened.id, "opened", at, SCANNER) for at in moments))
    assert (email_of(session, opened).machine_opened_at, email_of(session, opened).opened_at) == (moments[0], None)

    happen(session, IncomingEvent(opened.id, "opened", NOW, SAFARI))
    assert email_of(session, opened).opened_at == NOW
    [history] = hit_history.load(session, [opened.id], {}, ())
    assert [each.hit.at for each in history.interactions] == moments[:NEIGHBOURS_MAX]
    assert not history.is_whole
    assert set(session.scalars(select(Event.source))) == {"machine", "human"}

    happen(session, IncomingEvent(opened.id, "clicked", NOW, SCANNER | {"link": 1}))
    row = email_of(session, opened)
    assert (row.opened_at, row.machine_clicked_at) == (NOW, NOW)  # hits beyond the first hundred still count


def test_a_click_beyond_the_first_hits_loses_its_flag_when_it_is_part_of_a_burst(session: Session) -> None:
    """The only human click of an e-mail with many hits is the last one, and then turns out to be part of a burst."""
    clicked, at = mail(session, step=2), NOW.replace(second=0)
    happen(
        session,
        *(IncomingEvent(clicked.id, "opened", at - HOUR + timedelta(seconds=n), SCANNER) for n in range(40)),
        neighbours=5,
    )
    request = {"method": "GET", "agent": "Mozilla/5.0", "network": "other", "prefix": "p", "link": 1}
    happen(session, IncomingEvent(clicked.id, "clicked", at, request), neighbours=5)
    assert (email_of(session, clicked).clicked_at, contact_of(session, clicked).email_2_clicked) == (at, True)

    others = [mail(session) for _ in range(24)]
    happen(session, *(IncomingEvent(other.id, "clicked", at, request) for other in others), neighbours=5)
    row = email_of(session, clicked)
    assert (row.opened_at, row.clicked_at, row.machine_clicked_at) == (None, None, at)
    assert not contact_of(session, clicked).email_2_clicked
