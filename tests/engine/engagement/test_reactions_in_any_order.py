"""The same events give the same tables, in any order, with repetitions, and with any number of appliers."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from time import sleep
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.campaigns import advance
from engine.delivery import early_events
from engine.delivery.transitions import Settled
from engine.engagement import reactions
from engine.tracking import events
from engine.tracking.bots import sequences
from engine.tracking.events import IncomingEvent
from models.event import SOURCES, TYPES
from models.session import retrying, transaction
from tests.engine.tracking.bots.test_sequences import read
from tests.mails import NOW, Mail, campaign, campaign_mail, contact, mail

STATUSES = ("sent", "sent", "sent", "sent", "queued", "sending", "cancelled")
# All that events may change. The reason of a cancelled e-mail depends on the order, so only its presence counts.
TABLES = {
    "emails": """SELECT id, status, reason IS NULL, opened_at, clicked_at, machine_opened_at, machine_clicked_at,
                        converted_at, replied_at, unsubscribed_at, bounced_at, complained_at FROM emails ORDER BY id""",
    "contacts": "SELECT * FROM contacts ORDER BY id",
    "enrollments": "SELECT * FROM enrollments ORDER BY id",
    "suppressions": "SELECT * FROM suppressions ORDER BY email_index",
    "events": """SELECT email_id, event_type, timestamp, held, applied_at, source, reasons
                   FROM events ORDER BY dedupe_key""",
    "email_stats": """SELECT * FROM email_stats WHERE (sent, failed, opened, clicked, converted, replied, unsubscribed,
                      bounced, complained, machine_opened, machine_clicked) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
                      ORDER BY campaign_id, step, variant, hour""",
}


# A stop skips e-mails that another transaction has locked; the next claim drops them for the same cause.
SKIPPED = text("""
UPDATE emails SET status = 'cancelled', reason = 'dropped'
 WHERE status = 'queued' AND kind = 'marketing' AND contact_id IN
       (SELECT contact_id FROM emails
         WHERE coalesce(replied_at, unsubscribed_at, bounced_at, converted_at, complained_at) IS NOT NULL)
""")


def tables_of(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    return {name: [tuple(row) for row in session.execute(text(query))] for name, query in TABLES.items()}


def make_mails(session: Session, random: Random, *, contacts: int) -> list[Mail]:
    """Contacts in one or two campaigns, with a single mail to some of them."""
    campaigns, mails = [campaign(session), campaign(session)], []
    for _ in range(contacts):
        contact_id = contact(session)
        for campaign_id in random.sample(campaigns, random.randint(1, 2)):
            status, step = random.choice(STATUSES), random.randint(1, 3)
            mails.append(campaign_mail(session, campaign_id, contact_id=contact_id, status=status, step=step))
        if random.random() < 0.4:
            mails.append(mail(session, contact_id=contact_id, step=None, status=random.choice(STATUSES)))
    return mails


def make_events(mails: list[Mail], random: Random, *, number: int) -> list[IncomingEvent]:
    """Return events of every kind within three hours, several per e-mail."""
    return [
        IncomingEvent(
            random.choice(mails).id,
            random.choice(TYPES),
            NOW - timedelta(minutes=random.randint(0, 180)),
            {"hard": random.random() < 0.5, "link": random.randint(1, 2)},
            random.choice(SOURCES),
        )
        for _ in range(number)
    ]


BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
AGENTS = (BROWSER, BROWSER, "Mozilla/5.0", "GoogleImageProxy", "python-requests/2.32", "")
SEEN = ("method", "agent", "network", "prefix", "purpose", "link")
BURST_AT = NOW.replace(microsecond=0) - timedelta(minutes=40)


def make_hits(mails: list[Mail], random: Random, *, number: int) -> list[IncomingEvent]:
    """Return hits of readers, scanners and proxies, several per e-mail, and a burst that hits each once."""
    hits = [_hit(random.choice(mails), _moment(random), random, random.choice("abc")) for _ in range(number)]
    hits += [_hit(one, BURST_AT + timedelta(seconds=random.uniform(0, 9.9)), random, "burst") for one in mails]
    return unique(hits)


def unique(incoming: list[IncomingEvent]) -> list[IncomingEvent]:
    """Drop duplicates, of which the first would decide the moment within the second."""
    return list({events.dedupe_key(event, NOW): event for event in incoming}.values())


def _moment(random: Random) -> Any:
    """Return a moment about the sending, an hour ago, for most; a few are close, but hardly in one millisecond."""
    seconds = random.choice((1, 2, 3, 5, 20, 60, 61, 400, 1800, 3000)) + random.random()
    return NOW - timedelta(hours=1) + timedelta(seconds=seconds)


def _hit(of: Mail, at: Any, random: Random, prefix: str) -> IncomingEvent:
    kind = random.choice(("opened", "clicked"))
    observed = {
        "method": random.choice(("GET", "GET", "GET", "HEAD")),
        "agent": random.choice(AGENTS),
        "network": "other",
    }
    return IncomingEvent(of.id, kind, at, {**observed, "prefix": prefix, "link": random.randint(1, 4)})


def make_sequences(session: Session, seed: int) -> list[IncomingEvent]:
    """Return events of people and machines, from the table of sequences: a part of it, each on its own
    e-mail; always with Apple's preloading.
    """
    chosen = [sequence for number, sequence in enumerate(read()) if "MPP" in sequence.name or number % 6 == seed]
    return unique([event for sequence in chosen for event in _lived(mail(session).id, sequence)])


def _lived(mail_id: UUID, sequence: sequences.Sequence) -> list[IncomingEvent]:
    """Return the hits of a sequence, counted from the sending of that mail an hour ago; future ones are left out."""
    sent_at = sequence.sent_at or sequence.hits[0].at
    moments = [NOW - timedelta(hours=1) + (hit.at - sent_at) for hit in sequence.hits]
    return [
        IncomingEvent(mail_id, hit.kind, at, {name: getattr(hit, name) for name in SEEN})
        for hit, at in zip(sequence.hits, moments, strict=True)
        if at <= NOW
    ]


def happen(session: Session, incoming: list[IncomingEvent], random: Random, neighbours: int) -> None:
    """Record and apply in turns, a few at a time."""
    left = list(incoming)
    while left:
        few = random.randint(1, 12)
        early_events.record(session, left[:few], now=NOW)
        del left[:few]
        if random.random() < 0.5:
            reactions.apply(session, now=NOW, limit=random.randint(1, 8), neighbours=neighbours)
    while reactions.apply(session, now=NOW, limit=random.randint(1, 30), neighbours=neighbours):
        pass


# With 3 neighbours most e-mails have more hits than are compared.
@pytest.mark.parametrize(("seed", "neighbours"), [(0, 100), (1, 3), (2, 100), (3, 3)])
def test_tables_are_equal_for_any_order_and_repetition(session: Session, seed: int, neighbours: int) -> None:
    random = Random(seed)
    mails = make_mails(session, random, contacts=32)
    incoming = make_events(mails, random, number=100) + make_hits(mails, random, number=200)
    incoming += make_sequences(session, seed)
    session.execute(text("UPDATE contacts SET updated_at = :now"), {"now": NOW})  # a removed flag shows only in it

    def outcome(shuffled: list[IncomingEvent]) -> dict[str, list[tuple[Any, ...]]]:
        savepoint = session.begin_nested()
        happen(session, shuffled, random, neighbours)
        tables = tables_of(session)
        savepoint.rollback()
        return tables

    expected = outcome(incoming)
    assert len(expected["email_stats"]) > 5
    assert {row[-2] for row in expected["events"]} == {"human", "machine", "unknown"}
    assert any("preloaded" in row[-1] for row in expected["events"])
    assert sum("crowd" in row[-1] for row in expected["events"]) >= 25
    for _ in range(2):
        again = random.choices(incoming, k=20)
        shuffled = random.sample([*incoming, *again], len(incoming) + len(again))
        assert outcome(shuffled) == expected, json.dumps([str(event) for event in shuffled], indent=1)


@pytest.mark.parametrize("seed", range(2))
def test_tables_are_equal_when_several_apply_at_once(ledger: str, seed: int) -> None:
    random = Random(seed)
    with transaction() as session:
        mails = make_mails(session, random, contacts=40)
        incoming = make_events(mails, random, number=400) + make_hits(mails, random, number=400)
        early_events.record(session, incoming, now=NOW)
        savepoint = session.begin_nested()
        assert reactions.apply(session, now=NOW, limit=len(incoming)) > 400
        expected = tables_of(session)
        assert session.execute(SKIPPED).rowcount == 0  # type: ignore[attr-defined]  # a single applier skips none
        savepoint.rollback()

    def applied() -> int:
        sleep(random.uniform(0, 0.02))  # desynchronises the appliers, so that each gets some events
        return retrying(lambda session: reactions.apply(session, now=NOW, limit=25))

    def drain(_: int) -> int:
        return sum(iter(applied, 0))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(drain, range(4)))
    with transaction() as session:
        session.execute(SKIPPED)
        assert tables_of(session) == expected


def test_two_appliers_do_not_wait_for_each_others_emails(ledger: str) -> None:
    """One of them locks all pending events of an e-mail, whenever they arrived."""
    with transaction() as session:
        mails = [mail(session, step=1), mail(session, step=2)]
        times = [(mails[0], "opened", 3), (mails[1], "opened", 2), (mails[0], "clicked", 1)]
        for each, kind, minutes_ago in times:
            moment = NOW - timedelta(minutes=minutes_ago)
            early_events.record(session, [IncomingEvent(each.id, kind, moment)], now=moment)
    with transaction() as one, transaction() as other:
        other.execute(text("SET LOCAL lock_timeout = '3s'"))
        assert reactions.apply(one, now=NOW, limit=1) == 2
        assert reactions.apply(other, now=NOW, limit=5) == 1


def test_several_appliers_never_deadlock(ledger: str) -> None:
    """Without retries: every applier takes its locks in the same order."""
    random = Random(7)
    with transaction() as session:
        mails = make_mails(session, random, contacts=15)
        early_events.record(session, make_events(mails, random, number=1000), now=NOW)

    def drain(_: int) -> None:
        while transaction_of(lambda session: reactions.apply(session, now=NOW, limit=20)):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drain, range(4)))


def test_appliers_never_deadlock_with_the_settlement_of_further_emails(ledger: str) -> None:
    """Record the second e-mails as sent while the same contacts open the first ones."""
    random = Random(11)
    with transaction() as session:
        first = [mail(session) for _ in range(150)]
        going = [mail(session, contact_id=each.contact_id, step=2, status="sending") for each in first]
        opens = [
            IncomingEvent(each.id, "opened", NOW - timedelta(seconds=second)) for second in range(8) for each in first
        ]
        early_events.record(session, random.sample(opens, len(opens)), now=NOW)

    def settle(_: int) -> None:
        for _ in range(8):
            some = [
                Settled(one.id, one.contact_id, None, None, 2, None, "sent", NOW) for one in random.sample(going, 100)
            ]
            with transaction() as session:
                advance.apply(session, some, now=NOW)

    def drain(_: int) -> None:
        while transaction_of(lambda session: reactions.apply(session, now=NOW, limit=100)):
            pass

    with ThreadPoolExecutor(3) as pool:
        for run in [pool.submit(work, 0) for work in (settle, settle, drain)]:
            run.result()
    with transaction() as session:
        assert session.execute(text("SELECT bool_and(email_1_opened AND email_2_sent) FROM contacts")).scalar_one()


def transaction_of(work: Callable[[Session], int]) -> int:
    """Run `work` in a transaction of its own, without retries, and return its result."""
    with transaction() as session:
        return work(session)
