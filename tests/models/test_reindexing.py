"""The migration from the index of case folding: each contact is found, and each suppression stays."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from engine.audience import contacts, suppressions
from engine.audience.contacts import Draft
from engine.delivery import outbox
from local.postgres import Postgres
from models import ids, migrations, vault
from models.session import engine, transaction
from tests.conftest import environment
from tests.services import TEMPLATE

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
RENAMED = "straße@a.example"
TWIN = "strasse@a.example"  # was the same contact
GONE = "Weiß@a.example"  # suppressed, but no contact any more


@pytest.fixture(scope="module")
def outdated(postgres: Postgres) -> str:
    """Return the name of a database with the tables of the version before, for the tests to copy."""
    copy_database(postgres, TEMPLATE, "outdated")
    with environment(DATABASE_URL=postgres.url("outdated")):
        migrations.downgrade("0010")
        engine().dispose()  # a database in use cannot be copied
    return "outdated"


@pytest.fixture
def before(postgres: Postgres, outdated: str) -> Iterator[None]:
    """Tables of the version before."""
    copy_database(postgres, outdated, "before")
    with environment(DATABASE_URL=postgres.url("before")):
        yield
    postgres.drop("before")


def copy_database(postgres: Postgres, source: str, name: str) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY FILE_COPY".encode())


def former(address: str) -> bytes:
    return vault.current().former_index(address) or vault.current().blind_index(address)


def store(address: str, contact_id: UUID | None = None) -> UUID:
    """Store a contact as version 0.1.0 did."""
    contact_id = contact_id or ids.new()
    with transaction() as session:
        session.execute(
            text("INSERT INTO contacts (id, email, email_index) VALUES (:id, :email, :index)"),
            {"id": contact_id, "email": vault.current().encrypt(address), "index": former(address)},
        )
    return contact_id


def suppress(address: str) -> None:
    """Suppress an address as version 0.1.0 did."""
    with transaction() as session:
        session.execute(
            text("INSERT INTO suppressions (email_index, reason, is_former) VALUES (:index, 'complaint', true)"),
            {"index": former(address)},
        )


def found(address: str) -> UUID | None:
    with transaction() as session:
        return contacts.find(session, address)


def is_suppressed(contact_id: UUID | None) -> bool:
    assert contact_id is not None
    with transaction() as session:
        return contact_id in suppressions.suppressed(session, [contact_id])


def ensured(address: str) -> UUID:
    with transaction() as session:
        return contacts.ensure(session, [address], now=NOW)[0]


def test_each_contact_is_found_by_its_own_address(before: None) -> None:
    stored = {address: store(address) for address in (RENAMED, "Ñandú@a.example", "begoña@a.example", "Ana@a.example")}
    migrations.upgrade()
    assert {address: found(address) for address in stored} == stored
    assert found(TWIN) is None
    assert ensured(TWIN) != stored[RENAMED]


def test_a_suppression_covers_every_address_that_it_covered(before: None) -> None:
    contact_id = store(RENAMED)
    suppress(RENAMED)
    migrations.upgrade()
    assert is_suppressed(contact_id)
    assert is_suppressed(ensured(TWIN))


def test_a_suppression_without_contact_meets_the_address_when_it_comes_back(before: None) -> None:
    others = {name: f"{name}-{GONE}" for name in ("upsert", "outbox")}
    for address in (GONE, *others.values()):
        suppress(address)
    migrations.upgrade()
    assert is_suppressed(ensured(GONE))
    with transaction() as session:
        contacts.upsert(session, [Draft(others["upsert"])], now=NOW)
        outbox.add(session, [outbox.SendRequest(others["outbox"], "email_1_roi", "s", {})], now=NOW)
    assert all(is_suppressed(found(address)) for address in others.values())


def test_who_resubscribed_or_is_another_person_is_not_suppressed_again(before: None) -> None:
    contact_id = store(RENAMED)
    suppress(RENAMED)
    migrations.upgrade()
    with transaction() as session:
        assert suppressions.lift(session, contact_id, reasons=("complaint",))
    assert not is_suppressed(ensured(RENAMED))
    with transaction() as session:  # a suppression of this version is of one address
        suppressions.add(session, contacts.ensure(session, ["gross@a.example"], now=NOW), "complaint", now=NOW)
    assert not is_suppressed(ensured("groß@a.example"))


def test_a_contact_that_no_key_decrypts_stops_no_other(before: None, caplog: Any) -> None:
    contact_id, unreadable = store(RENAMED), store("ana@a.example")
    with transaction() as session:
        session.execute(text("UPDATE contacts SET email = 'x' WHERE id = :id"), {"id": unreadable})
    with caplog.at_level(logging.INFO):
        migrations.upgrade()
    assert found(RENAMED) == contact_id
    assert found("ana@a.example") == unreadable
    assert "contacts_unreadable contacts=1" in caplog.text and "changed=1" in caplog.text


def test_a_migration_that_was_cut_off_continues(before: None) -> None:
    first, last = store(RENAMED, UUID(int=1)), store(GONE, UUID(int=2**128 - 1))
    with transaction() as session:
        others = """
            INSERT INTO contacts (id, email, email_index)
            SELECT gen_random_uuid(), :email, sha256(CAST(CAST(n AS text) AS bytea)) FROM generate_series(1, 10000) AS n
        """
        session.execute(text(others), {"email": vault.current().encrypt("ana@a.example")})
        name = session.scalar(text("SELECT current_database()"))
        session.execute(text(f"ALTER DATABASE {name} SET lock_timeout = 200"))
    engine().dispose()  # connections have the setting from their start
    with transaction() as session:
        session.execute(text("SELECT 1 FROM contacts WHERE id = :id FOR UPDATE"), {"id": last})
        with pytest.raises(OperationalError):
            migrations.upgrade()
    assert migrations.state()[0] == "0010"
    assert (found(RENAMED), found(GONE)) == (first, None)
    migrations.upgrade()
    assert (found(RENAMED), found(GONE)) == (first, last)
    assert migrations.state()[0] == migrations.state()[1]
