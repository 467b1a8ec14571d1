"""Contacts by the million: generated once into the benchmark's own table, and copied from it for each run.

Contacts numbered from 0 are measured; those below 0, of another industry, are for warming up.
"""

from collections.abc import Iterator

from sqlalchemy import text

from models import ids, vault
from models import session as database
from models.session import transaction

INDUSTRY, OTHER_INDUSTRY = "Logística", "Banca"
OTHERS = 2_000  # eight groups, so that every sender gets some

_COLUMNS = "id, email, email_index, first_name, last_name, company, industry"
# Unlogged: the measured contacts are copied from here into a normal table.
_MAKE = text(
    "CREATE UNLOGGED TABLE IF NOT EXISTS bench_people (number int PRIMARY KEY, id uuid, email text, email_index bytea, "
    "first_name text, last_name text, company text, industry text)"
)
_COPY = text(
    f"INSERT INTO contacts ({_COLUMNS}, created_at, updated_at, listed_at) "  # noqa: S608  # constant names
    f"SELECT {_COLUMNS}, now(), now(), now() FROM bench_people WHERE number < :count ORDER BY number"
)


def copy(count: int) -> None:
    """Copy the first `count` contacts and those for warming up; the table of contacts must be empty."""
    _make(count)
    with transaction() as session:
        session.execute(_COPY, {"count": count})


def address(number: int) -> str:
    """Return the address of the contact with this number."""
    return f"persona{number}@empresa{number % 997}.example"


def _make(count: int) -> None:
    """Generate the missing contacts, as `contacts.upsert` would store them."""
    with transaction() as session:
        session.execute(_MAKE)
        there = (session.scalar(text("SELECT count(*) FROM bench_people")) or 0) - OTHERS
    if there >= count:
        return
    with database.engine().begin() as connection:
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY bench_people (number, {_COLUMNS}) FROM STDIN") as copying:
            for row in _rows(there, count):
                copying.write_row(row)


def _rows(start: int, end: int) -> Iterator[tuple[object, ...]]:
    keys = vault.current()
    for number in range(start, end):
        to = address(number)
        about = ("Ana", f"Ruiz {number}", "Transportes del Norte", INDUSTRY if number >= 0 else OTHER_INDUSTRY)
        yield (number, ids.new(), keys.encrypt(to), keys.blind_index(to), *about)
