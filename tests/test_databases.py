"""The database that tests use one after the other."""

from collections.abc import Iterator

import psycopg
import pytest

from local.postgres import Postgres
from tests.databases import Ledger

ADD = "INSERT INTO suppressions (email_index, reason, since) VALUES (sha256('a'), 'unsubscribed', now())"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Ledger]:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        database = Ledger(postgres, admin)
        yield database
        database.drop()


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM suppressions").fetchone()
    assert row is not None
    return int(row[0])


def test_rows_are_deleted_and_the_database_stays(database: Ledger) -> None:
    first = database.fresh()
    execute(first, ADD)
    assert (count(first), database.fresh(), count(first)) == (1, first, 0)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE contacts ADD COLUMN extra int",
        "ALTER TABLE contacts ALTER COLUMN email DROP NOT NULL",
        "ALTER TABLE emails DROP CONSTRAINT fk_emails_contact_id",
        "CREATE INDEX extra ON contacts (company)",
        "CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ANALYZE contacts",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "INSERT INTO suppressions (email_index, reason, since) "
        "SELECT sha256(n::text::bytea), 'unsubscribed', now() FROM generate_series(1, 30000) n",
    ],
)
def test_a_changed_or_large_database_is_replaced(database: Ledger, change: str) -> None:
    first = database.fresh()
    execute(first, change.format(name=first.rpartition("/")[2]))
    assert database.fresh() != first


def test_sessions_of_the_last_test_are_ended(database: Ledger) -> None:
    first = database.fresh()
    with psycopg.connect(first) as left_open:
        left_open.execute(ADD.encode())
        assert database.fresh() == first
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")
    assert count(first) == 0
    database.drop()
    assert database.fresh() != first
