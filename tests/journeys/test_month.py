"""A campaign of 200 contacts over a virtual month: every step's mail once, until the contact's action stops it."""

import email
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from itertools import pairwise
from uuid import UUID

from sqlalchemy import text

from engine.campaigns import campaigns, due
from engine.delivery import audit, early_events
from engine.engagement import reactions
from engine.tracking.events import IncomingEvent
from local.mail.mailstore import Mailstore, Stored
from models import ids
from models.session import transaction
from tests import sequence
from worker import drain

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # a Monday
STEP = timedelta(hours=4)
DELAYS = (timedelta(days=3), timedelta(days=4))
CONTACTS = 200


class VirtualClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    def at(self, _: int, /) -> datetime:
        return self.moment


def test_a_month_of_a_campaign_mails_each_step_once_and_stops_in_time(inbox: Mailstore) -> None:
    clock, people = VirtualClock(), Recipients(random.Random(7))
    with transaction() as session:
        sequence.people(session, CONTACTS)
        campaign_id = sequence.create(session)
        campaigns.launch(session, campaign_id, now=clock.now())
    read = 0
    while clock.now() < START + timedelta(days=30):
        live(clock)
        for mail in inbox.since(read):
            read = mail.number
            people.read(mail, clock.now())
        clock.moment += STEP
    with transaction() as session:
        assert audit.run(session).findings == ()
        assert campaigns.view(session, campaign_id).state == "finished"
        states = Counter(session.scalars(text("SELECT coalesce(stop_reason, state) FROM enrollments")))
        converted = session.scalar(text("SELECT count(*) FROM contacts WHERE converted"))
    assert states.keys() == {"finished", "converted", "unsubscribed", "replied"}
    assert sum(states.values()) == CONTACTS
    assert converted == len(people.converted) > states["converted"]  # some did after their last mail
    people.check()


def live(clock: VirtualClock) -> None:
    """Do the work of beat and the workers, at this moment of product time."""
    with transaction() as session:
        due.postpone(session, now=clock.now())
        campaigns.finish(session, now=clock.now())
    drain.drain("campaign", time=clock)
    with transaction() as session:
        while reactions.apply(session, now=clock.now()) >= 1000:
            pass


class Recipients:
    """Two hundred people who read their mail, and the e-mails that they must and must not get."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._ended: dict[str, datetime] = {}
        self._mails: dict[str, list[datetime]] = defaultdict(list)
        self.converted: set[str] = set()

    def read(self, mail: Stored, now: datetime) -> None:
        """One person gets one mail and may react to it."""
        (person,) = mail.recipients
        assert person not in self._ended, "a mail after the end of the sequence"
        self._mails[person].append(now)
        message = email.message_from_bytes(mail.raw, policy=policy.default)
        email_id = ids.parse(str(message["Message-ID"])[1:33])
        assert email_id is not None
        arrivals = list(self._reactions(person, email_id, now))
        with transaction() as session:
            early_events.record(session, arrivals, now=now)

    def _reactions(self, person: str, email_id: UUID, now: datetime) -> Iterator[IncomingEvent]:
        if self._chance.random() < 0.5:
            yield IncomingEvent(email_id, "opened", now, source="human")
        if self._chance.random() < 0.2:
            yield IncomingEvent(email_id, "clicked", now, source="human")
        last_word = self._chance.choices(["converted", "unsubscribed", "replied", None], [6, 4, 4, 86])[0]
        if last_word:
            yield IncomingEvent(email_id, last_word, now, source="human")
            self._ended[person] = now
        if last_word == "converted":
            self.converted.add(person)

    def check(self) -> None:
        """Check that every contact who did not stop got three e-mails, each at least its delay after the one before."""
        assert len(self._mails) == CONTACTS
        for person, moments in self._mails.items():
            assert len(moments) == 3 or person in self._ended
            gaps = [later - earlier for earlier, later in pairwise(moments)]
            assert all(gap >= delay for gap, delay in zip(gaps, DELAYS, strict=False))
