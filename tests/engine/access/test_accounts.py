"""Accounts on a real database."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from engine.access import accounts
from errors import Conflict, InvalidInput, NotFound, Unauthenticated

PASSWORD = "a password of the tests"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_an_account_is_found_and_its_password_checked(session: Session) -> None:
    made = accounts.create(session, "tienda", PASSWORD, scopes=("send", "reports"))
    proof = accounts.find(session, "tienda")
    assert accounts.check(proof, PASSWORD) == (made, None)
    assert accounts.get(session, made.id) == made
    assert made.scopes == {"send", "reports"}
    assert proof is not None and proof.password_hash.startswith("$argon2id$") and PASSWORD not in proof.password_hash
    for proof_, password in ((proof, "another password"), (proof, ""), (None, PASSWORD)):
        with pytest.raises(Unauthenticated):
            accounts.check(proof_, password)


def test_create_reports_every_fault_of_an_account(session: Session) -> None:
    with pytest.raises(InvalidInput) as refused:
        accounts.create(session, " tienda\n", "short", scopes=("send", "everything"))
    assert [fault.field for fault in refused.value.faults] == ["name", "password", "scopes"]
    with pytest.raises(InvalidInput):
        accounts.create(session, "tienda", PASSWORD, scopes=())
    accounts.create(session, "tienda", PASSWORD)
    with pytest.raises(Conflict):
        accounts.create(session, "tienda", PASSWORD)


def test_a_closed_account_passes_no_check(session: Session) -> None:
    made = accounts.create(session, "tienda", PASSWORD)
    first = accounts.disable(session, "tienda", now=NOW)
    assert accounts.disable(session, "tienda", now=datetime.now(UTC)).disabled_at == first.disabled_at == NOW
    with pytest.raises(Unauthenticated):
        accounts.check(accounts.find(session, "tienda"), PASSWORD)
    with pytest.raises(Unauthenticated):
        accounts.get(session, made.id)


def test_a_new_password_starts_a_new_generation(session: Session) -> None:
    made = accounts.create(session, "tienda", PASSWORD)
    changed = accounts.set_password(session, "tienda", "another password of the tests")
    assert changed.generation == made.generation + 1
    with pytest.raises(Unauthenticated):
        accounts.check(accounts.find(session, "tienda"), PASSWORD)
    with pytest.raises(InvalidInput):
        accounts.set_password(session, "tienda", "x" * 2_000)


def test_a_better_hash_replaces_the_stored_one_unless_the_password_was_changed(session: Session) -> None:
    accounts.create(session, "tienda", PASSWORD)
    before = accounts.find(session, "tienda")
    assert before is not None
    accounts.replace_hash(session, before, "$argon2id$better")
    changed = accounts.find(session, "tienda")
    assert changed is not None and changed.password_hash == "$argon2id$better"
    assert changed.profile.generation == before.profile.generation
    accounts.replace_hash(session, before, "$argon2id$late")
    assert accounts.find(session, "tienda") == changed


def test_a_missing_account_is_not_found(session: Session) -> None:
    assert accounts.find(session, "nobody") is None
    with pytest.raises(NotFound):
        accounts.disable(session, "nobody", now=NOW)
    with pytest.raises(NotFound):
        accounts.set_password(session, "nobody", PASSWORD)
    assert accounts.listing(session) == []
