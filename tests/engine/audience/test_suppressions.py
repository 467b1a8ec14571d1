"""The strongest reason stays, in any order."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.audience import contacts, suppressions

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
REASONS = ("unsubscribed", "hard_bounce", "complaint")


def test_add_keeps_the_strongest_reason_in_any_order(session: Session) -> None:
    orders = list(permutations(REASONS))
    people = contacts.ensure(session, [f"contact{number}@a.example" for number in range(len(orders))], now=NOW)
    for contact_id, order in zip(people, orders, strict=True):
        for minutes, reason in enumerate(order):
            suppressions.add(session, [contact_id], reason, now=NOW + timedelta(minutes=minutes))
    assert suppressions.suppressed(session, people) == dict.fromkeys(people, "complaint")
    assert set(session.scalars(text("SELECT since FROM suppressions"))) == {NOW}


def test_lift_deletes_an_unsubscribe_and_nothing_stronger(session: Session) -> None:
    people = contacts.ensure(session, [f"{reason}@a.example" for reason in REASONS], now=NOW)
    for contact_id, reason in zip(people, REASONS, strict=True):
        suppressions.add(session, [contact_id], reason, now=NOW)
    assert [suppressions.lift(session, contact_id) for contact_id in people] == [True, False, False]
    assert suppressions.suppressed(session, people) == dict(zip(people[1:], REASONS[1:], strict=True))
    assert not suppressions.lift(session, people[0])


def test_among_counts_addresses_without_a_contact(session: Session) -> None:
    people = contacts.ensure(session, ["ana@a.example"], now=NOW)
    suppressions.add(session, people, "complaint", now=NOW)
    session.execute(text("DELETE FROM contacts"))
    assert suppressions.among(session, ["Ana@a.example", "eva@a.example"]) == 1


def test_add_refuses_an_unknown_reason(session: Session) -> None:
    with pytest.raises(ValueError, match="'bored'"):
        suppressions.add(session, [], "bored", now=NOW)
