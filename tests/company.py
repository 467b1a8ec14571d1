"""A small company after six weeks of campaigns: contacts, campaigns in every state, answers, doubts, suppressions.

Stored by the product's own functions, for tests of the pages and for the pictures of them. The product's clock is fixed
by `ENVIRONMENT`.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import figures, heartbeats
from engine.audience import contacts
from engine.campaigns import advance, campaigns, due
from engine.campaigns.drafting import drafts
from engine.delivery import early_events, settle
from engine.delivery.claim import ClaimedEmail
from engine.delivery.outcomes import InDoubt, Outcome, Phase, Rejected, Sent
from engine.delivery.settle import OpenGroup
from engine.engagement import by_hand, reactions
from engine.tracking.events import IncomingEvent
from local.stack import BRAND
from models import vault
from models.session import transaction
from tests import company_landing, contact_rows, sequence
from tests.engine.forms import signups

NOW = datetime(2026, 11, 19, 10, 20, tzinfo=UTC)  # a Thursday
ENVIRONMENT = {**BRAND, "CLOCK_EPOCH": NOW.isoformat(), "CLOCK_RATE": "1e-9"}
_CONTACTS = Path(__file__).parents[1] / "local" / "contacts.csv"
_DAY = timedelta(days=1)
_NAMES = ("Inés", "Tomás", "Lucía", "Andrés", "Begoña", "Óscar", "Marta", "Iván", "Noelia", "Raúl")
_NONE, _HOUR = UUID(int=0), timedelta(hours=1)
_OFFICE_HOURS = {"timezone": "Europe/Madrid", "window_start_min": 9 * 60, "window_end_min": 18 * 60}
_WEEK = [1, 2, 3, 4, 5]

# A name, the industries of its audience, the days since its launch, and the days between its steps.
_LAUNCHED: Sequence[tuple[str, Sequence[str], int, Sequence[int]]] = (
    ("Clientes de la feria de Madrid", ("Manufactura", "Construcción", "Alimentación"), 42, (0, 3, 4)),
    ("Salud y seguros: agenda en línea", ("Salud", "Seguros"), 13, (0, 3, 4)),
    ("Hoteles y viajes: temporada baja", ("Turismo",), 9, (0, 4, 5)),
    ("Energía: cierre de año", ("Energía", "Logística", "Consultoría"), 3, (0, 2, 4)),
    ("Tiendas antes de Navidad", ("Comercio minorista", "Marketing"), 0, (0, 3, 3)),
)
_PAUSED = ("Hoteles y viajes: temporada baja", "La oferta de noviembre cambia; esperamos el texto nuevo")
_SHOWN = "Energía: cierre de año"
_DRAFT = ("Formación 2027", ("Educación", "Software"))

_SIGN_UP = text("""
INSERT INTO form_submissions (form_id, state, language, submitted_at, consent_text_id, confirmed_at, confirmed_by,
                              address, fields, contact_id, page)
VALUES (:form_id, :state, 'es', :at, :text_id, :confirmed_at, :confirmed_by, :address, :fields, :contact_id,
        'https://www.tienda.example/guia')
""")

ODD = (
    contacts.Draft("guion@empresa.example", first_name="<script>alert(1)</script>", company='"><img src=x>'),
    contacts.Draft("cien@empresa.example", first_name="🦄" * 100, last_name="👩‍👩‍👧" * 12, company="🏭" * 100),
    contacts.Draft("largo@empresa.example", first_name="W" * 100, last_name="x" * 100, company="Sinespacios" * 9),
    contacts.Draft("nadie@empresa.example"),
)


@dataclass
class Company:
    """The ids of what is stored."""

    campaigns: dict[str, UUID] = field(default_factory=dict)
    contact: UUID = _NONE
    odd: list[UUID] = field(default_factory=list)
    doubt: UUID = _NONE
    imported: UUID = _NONE

    @property
    def running(self) -> UUID:
        """Return the campaign with the most data."""
        return self.campaigns[_SHOWN]

    @property
    def paused(self) -> UUID:
        """Return the campaign that is paused."""
        return self.campaigns[_PAUSED[0]]

    @property
    def draft(self) -> UUID:
        """Return the campaign that is not launched yet."""
        return self.campaigns[_DRAFT[0]]


def fill(*, odd: bool = False) -> Company:
    """Store the company in an empty database, with contacts of odd names if `odd`; return its ids."""
    company, people = Company(), _People(random.Random(11))
    with transaction() as session, _CONTACTS.open("rb") as file:
        contact_rows.take_in(session, file, now=NOW - 44 * _DAY)
        if odd:
            contacts.upsert(session, ODD, now=NOW - 43 * _DAY)
            company.odd += contacts.find_all(session, [each.address for each in ODD]).values()
    for name, industries, _, days in _LAUNCHED:
        company.campaigns[name] = _create(name, [*industries], days)
    company.campaigns[_DRAFT[0]] = _create(_DRAFT[0], [*_DRAFT[1]], (0, 3, 4))
    for ago in range(42, -1, -1):
        for hour in (-2, 0):
            _live(company, people, NOW - ago * _DAY + timedelta(hours=hour), ago if hour else -1)
    with transaction() as session:
        _finish(session, company, people)
        company_landing.fill(session, now=NOW)
    return company


def _create(name: str, industries: list[str], days: Sequence[int]) -> UUID:
    draft = sequence.draft(name, days=days, audience={"industry": industries}, weekdays=_WEEK, **_OFFICE_HOURS)
    with transaction() as session:
        return drafts.create(session, draft, library=sequence.library(), now=NOW - 43 * _DAY)


def _live(company: Company, people: "_People", now: datetime, launched: int) -> None:
    """Launch the campaigns of this moment, send the due e-mails, and apply the people's actions."""
    with transaction() as session:
        for name, _, ago, _ in _LAUNCHED:
            if ago == launched:
                campaigns.launch(session, company.campaigns[name], now=now, starts_now=True)
                session.execute(text("UPDATE campaigns SET created_at = :now WHERE name = :name"),
                                {"now": now - _DAY, "name": name})  # fmt: skip
        due.postpone(session, now=now)
    with transaction() as session:
        early_events.record(session, list(people.act(now)), now=now)
        while reactions.apply(session, now=now):
            pass
    with transaction() as session:
        for group in sequence.take(session, now=now):
            results = [(email, people.outcome(email)) for email in group.emails]
            settled = settle.settle(session, OpenGroup(group.id, group.step), results, now=now)
            advance.apply(session, settled, now=now)
            people.get([email for email, outcome in results if isinstance(outcome, Sent)], now)
        campaigns.finish(session, now=now)
        if launched == 4:
            campaigns.pause(session, company.campaigns[_PAUSED[0]], _PAUSED[1], now=now)


def _finish(session: Session, company: Company, people: "_People") -> None:
    """Suppress two people by hand, record heartbeats, count the figures, and choose the sample ids."""
    chosen = "SELECT contact_id FROM emails WHERE converted_at IS NOT NULL ORDER BY step DESC, sent_at, id LIMIT 1"
    company.contact = session.scalar(text(chosen))
    company.doubt = people.doubts[0]
    for address in ("ana.sinrespuesta@empresa.example", "luis.quejas@empresa.example"):
        by_hand.suppress(session, by_hand.by_address(session, address), now=NOW - 2 * _DAY)
    _sign_up(session)
    for name in ("sweep", "call_due began", "tidy began"):
        heartbeats.beat(session, name)
    for name in figures.overdue(session, now=NOW):
        figures.refresh(session, name, now=NOW)


def _sign_up(session: Session) -> None:
    """Store a form and the sign-ups of a month, most of which were confirmed."""
    form, chance = signups.create(session, origins=["https://www.tienda.example"]), random.Random(5)
    shared = {"form_id": form.id, "text_id": form.consent_text_id}
    confirmed = session.scalars(text("SELECT id FROM contacts WHERE NOT is_recipient ORDER BY id")).all()
    for ago in range(29, -1, -1):
        for minutes in sorted((chance.randint(0, 600) for _ in range(chance.randint(2, 9))), reverse=True):
            at = NOW - ago * _DAY - minutes * timedelta(minutes=1)
            waits = "pending" if ago < 7 else "expired"
            state = "confirmed" if chance.random() < 0.7 else waits
            person: dict[str, Any] = {
                "address": None,
                "fields": None,
                "contact_id": None,
                "confirmed_at": None,
                "confirmed_by": None,
            }
            if state == "confirmed":
                person |= {"contact_id": chance.choice(confirmed), "confirmed_at": at + timedelta(minutes=9)}
                person |= {"confirmed_by": chance.choice(("page", "page", "press"))}
            elif state == "pending":
                person |= _unconfirmed(chance)
            session.execute(_SIGN_UP, {**shared, "state": state, "at": at, **person})


def _unconfirmed(chance: random.Random) -> dict[str, str]:
    """Return the encrypted address and values of a person who did not confirm yet."""
    name, company = chance.choice(_NAMES), chance.choice(("cumbre", "moncayo", "duero", "alameda", "sanabria"))
    answers = {"first_name": name, "size": chance.choice(("1-10", "11-50"))}
    plain = name.lower().translate(str.maketrans("áéíóúñ", "aeioun"))
    keys = vault.current()
    return {
        "address": keys.encrypt(f"{plain}@talleres-{company}.example"),
        "fields": keys.encrypt(json.dumps(answers, ensure_ascii=False)),
    }


class _People:
    """Recipients who read, click, answer or do nothing."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._unread: list[tuple[datetime, UUID]] = []
        self.doubts: list[UUID] = []

    def outcome(self, email: ClaimedEmail) -> Outcome:
        """Return the outcome of this e-mail at the mail server."""
        number = self._chance.random()
        if number < 0.012:
            return Rejected(Phase.RCPT, 550, "5.1.1", "550 5.1.1 no such user", dead_address=True)
        if number < 0.018:
            return Rejected(Phase.ANSWER, 554, "5.7.1", "554 5.7.1 message refused", dead_address=False)
        if number > 0.994 or (not self.doubts and number > 0.9):
            self.doubts.append(email.email_id)
            return InDoubt("its sender died before the server's reply")
        return Sent("250 2.0.0 queued")

    def get(self, emails: Sequence[ClaimedEmail], now: datetime) -> None:
        """Add e-mails to the inboxes."""
        self._unread += [(now, email.email_id) for email in emails]

    def act(self, now: datetime) -> Iterator[IncomingEvent]:
        """Yield the people's actions on the e-mails that arrived before."""
        for arrived, email_id in self._unread:
            yield from self._act(email_id, min(now - _HOUR, arrived + timedelta(minutes=self._chance.randint(2, 300))))
        self._unread.clear()

    def _act(self, email_id: UUID, at: datetime) -> Iterator[IncomingEvent]:
        def event(kind: str, minutes: int, **data: Any) -> IncomingEvent:
            return IncomingEvent(email_id, kind, at + timedelta(minutes=minutes), source="human", data=data)

        if self._chance.random() < 0.47:
            yield event("opened", 0)
            if self._chance.random() < 0.28:
                yield event("clicked", 1)
                if self._chance.random() < 0.4:
                    yield event("converted", 9)
                    return
        end = self._chance.choices(["replied", "unsubscribed", None], [3, 1, 96])[0]
        if end:
            yield event(end, 20)
