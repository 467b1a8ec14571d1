"""A migrated database that tests use one after the other; for each test it equals a new one.

Creating a database costs PostgreSQL 60 to 500 ms of CPU, deleting the rows of the last test 1 ms.
"""

from itertools import count

import psycopg

from local.postgres import Postgres
from tests.environment import kept_session

TEMPLATE = "template"
HEAP_BYTES_MAX = 2_000_000  # deleted rows stay in their pages; a bigger database is replaced

_numbers = count(1)

# The server's sessions other than this one, those of a test's threads and processes: ended and waited for.
_END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000)
  FROM pg_stat_activity WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)
"""

# Everything but rows that a test can leave: every change of the schema, statistics or settings changes the text.
# A changed row of a catalog has a newer transaction in xmin.
_STATE = """
WITH relations AS MATERIALIZED (
    SELECT oid, xmin::text::bigint AS changed, relname, relkind, relpages, reltuples
      FROM pg_class WHERE relnamespace = 'public'::regnamespace
), heaps AS MATERIALIZED (
    SELECT relname::text, pg_relation_size(oid) AS bytes FROM relations WHERE relkind = 'r'
)
SELECT concat_ws(' ',
    (SELECT ROW(count(*), sum(changed), sum(relpages), sum(reltuples)) FROM relations),
    (SELECT ROW(count(*), sum(a.xmin::text::bigint)) FROM pg_attribute a JOIN relations r ON r.oid = attrelid),
    (SELECT ROW(count(*), sum(xmin::text::bigint)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
    (SELECT ROW(count(*), sum(t.xmin::text::bigint)) FROM pg_trigger t JOIN relations r ON r.oid = tgrelid),
    (SELECT ROW(count(*), sum(xmin::text::bigint)) FROM pg_type WHERE typnamespace = 'public'::regnamespace),
    (SELECT ROW(count(*), sum(xmin::text::bigint)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
    (SELECT ROW(count(*), sum(s.xmin::text::bigint)) FROM pg_statistic s JOIN relations r ON r.oid = starelid),
    (SELECT array_agg(ROW(setrole, setconfig)) FROM pg_db_role_setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
    (SELECT array_agg(version_num) FROM alembic_version)
), (SELECT sum(bytes) FROM heaps),
   (SELECT array_agg(relname) FROM heaps WHERE relname <> 'alembic_version' AND bytes > 0)
"""


class Ledger:
    """The database of the tests of one process."""

    def __init__(self, server: Postgres, admin: psycopg.Connection) -> None:
        self._server = server
        self._admin = admin
        self._name = ""
        self._connection: psycopg.Connection | None = None
        self._schema = ""

    def fresh(self) -> str:
        """Return the URL of a migrated database without rows; end all sessions that used the last one.

        The connection that this process's engine has kept stays.
        """
        if not self._is_emptied():
            self._replace()
        return self._server.url(self._name)

    def drop(self) -> None:
        """Remove the database, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._admin.execute(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)".encode())

    def _is_emptied(self) -> bool:
        """Delete all rows; return False if that does not make the database a new one."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(_END_SESSIONS, [kept_session()])
            schema, heap_bytes, tables = self._state(self._connection)
            if schema != self._schema or heap_bytes > HEAP_BYTES_MAX:
                return False
            if tables:
                self._connection.execute(";".join(f"DELETE FROM {table}" for table in tables).encode())
        except psycopg.OperationalError:  # the test ended this session, too
            return False
        return True

    def _replace(self) -> None:
        self.drop()
        self._name = f"ledger_{next(_numbers)}"
        self._admin.execute(f"CREATE DATABASE {self._name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY".encode())
        self._connection = psycopg.connect(self._server.url(self._name), autocommit=True)
        self._connection.execute("SET session_replication_role = replica")  # in any order: no foreign keys are checked
        self._schema, _, tables = self._state(self._connection)
        assert not tables, f"the migrations fill {tables}, which deleting all rows would empty"

    @staticmethod
    def _state(connection: psycopg.Connection) -> tuple[str, int, list[str]]:
        """Return the state of everything but rows, the bytes of all tables, and the tables that had rows."""
        row = connection.execute(_STATE).fetchone()
        assert row is not None
        return row[0], int(row[1]), row[2] or []
