"""An address has one contact, with any number of callers at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts
from engine.audience.contacts import Draft, Upserted
from errors import NotFound
from models.session import transaction

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 3, 9, tzinfo=UTC)


def test_ensure_keeps_the_order_when_some_are_known_and_some_repeat(session: Session) -> None:
    (ana,) = contacts.ensure(session, ["ana@a.example"], now=NOW)
    contact_ids = contacts.ensure(
        session, ["eva@a.example", "ana@a.example", "eva@a.example", "ANA@a.example"], now=LATER
    )
    eva = contact_ids[0]
    assert contact_ids == [eva, ana, eva, ana]
    assert contacts.find(session, "Eva@a.example") == eva
    assert contacts.find(session, "nadie@a.example") is None
    assert contacts.view(session, ana).created_at == NOW


def test_ensure_creates_each_contact_once_when_called_from_many_threads(ledger: str) -> None:
    shared = [f"contact{number}@a.example" for number in range(300)]

    def make(part: int) -> list[object]:
        mine = shared[part * 30 :] + shared[: part * 30]
        with transaction() as opened:
            made = dict(zip(mine, contacts.ensure(opened, mine, now=NOW), strict=True))
        return [made[address] for address in shared]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(make, range(4)))
    assert all(answer == answers[0] for answer in answers)
    with transaction() as opened:
        assert opened.scalar(text("SELECT count(*) FROM contacts")) == 300


def test_no_address_is_readable_in_the_table(session: Session) -> None:
    contacts.ensure(session, ["canario@a.example"], now=NOW)
    row = session.execute(text("SELECT CAST(contacts AS text) FROM contacts")).scalar_one()
    assert "canario" not in row
    assert contacts.view(session, contacts.find(session, "canario@a.example") or uuid4()).email == "canario@a.example"


def test_upsert_updates_given_details_and_keeps_the_rest(session: Session) -> None:
    first = [Draft("ana@a.example", first_name="Ana", company="Acme", attributes={"origen": "feria", "plan": "b"})]
    assert contacts.upsert(session, first, now=NOW) == Upserted(created=1, updated=0, unchanged=0)
    assert contacts.upsert(session, first, now=LATER) == Upserted(created=0, updated=0, unchanged=1)
    second = [
        Draft("ANA@a.example", last_name="Pérez", company="Beta", attributes={"plan": "c"}),
        Draft("eva@a.example"),
    ]
    assert contacts.upsert(session, second, now=LATER) == Upserted(created=1, updated=1, unchanged=0)
    ana = contacts.view(session, contacts.find(session, "ana@a.example") or uuid4())
    assert (ana.first_name, ana.last_name, ana.company) == ("Ana", "Pérez", "Beta")
    assert ana.attributes == {"origen": "feria", "plan": "c"}
    assert (ana.email, ana.created_at, ana.updated_at) == ("ana@a.example", NOW, LATER)
    assert (ana.followup_status, ana.converted, ana.score, set(ana.flags.values())) == ("new", False, 0, {False})


def test_view_raises_when_the_contact_does_not_exist(session: Session) -> None:
    with pytest.raises(NotFound):
        contacts.view(session, uuid4())
