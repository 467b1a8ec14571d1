"""A migrated database that tests use one after the other; each test gets it as a new one would be.

Creating a database costs PostgreSQL 60 to 500 ms of CPU, deleting the rows of the last test 1 ms.
"""

from itertools import count

import psycopg

from local.postgres import Postgres

TEMPLATE = "template"
HEAP_BYTES_MAX = 2_000_000  # deleted rows stay in their pages; a bigger database is replaced

_numbers = count(1)

# The server's sessions other than this one, those of a test's threads and processes: ended and waited for.
_END_SESSIONS = """
SELECT pg_terminate_backend(pid, 10000)
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

# Everything but rows that a test can leave: every change of the schema, statistics or settings changes the digest.
_STATE = """
WITH relations AS (SELECT xmin, * FROM pg_class WHERE relnamespace = 'public'::regnamespace),
catalog(entry) AS (
    SELECT concat_ws(' ', 'relation', oid, xmin, relpages, reltuples) FROM relations
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, xmin)
                FROM pg_attribute WHERE attrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT concat_ws(' ', 'constraint', oid, xmin)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, xmin)
                FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT concat_ws(' ', 'type', oid, xmin) FROM pg_type WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'function', oid, xmin) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'statistic', starelid, staattnum)
                FROM pg_statistic WHERE starelid IN (SELECT oid FROM relations)
    UNION ALL SELECT concat_ws(' ', 'setting', setrole, setconfig)
                FROM pg_db_role_setting
               WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT concat_ws(' ', 'revision', version_num) FROM alembic_version
)
SELECT (SELECT md5(string_agg(entry, ',' ORDER BY entry)) FROM catalog),
       (SELECT sum(pg_relation_size(oid)) FROM relations WHERE relkind = 'r'),
       (SELECT array_agg(relname::text) FROM relations
         WHERE relkind = 'r' AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0)
"""


class Ledger:
    """The database of the tests of one process."""

    def __init__(self, server: Postgres, admin: psycopg.Connection) -> None:
        self._server = server
        self._admin = admin
        self._name = ""
        self._connection: psycopg.Connection | None = None
        self._digest = ""

    def fresh(self) -> str:
        """Return the URL of a migrated database without rows; end all sessions that used the last one."""
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
            self._connection.execute(_END_SESSIONS)
            digest, heap_bytes, tables = self._state(self._connection)
            if digest != self._digest or heap_bytes > HEAP_BYTES_MAX:
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
        self._digest, _, tables = self._state(self._connection)
        assert not tables, f"the migrations fill {tables}, which deleting all rows would empty"

    @staticmethod
    def _state(connection: psycopg.Connection) -> tuple[str, int, list[str]]:
        """Return the digest of everything but rows, the bytes of all tables, and the tables that had rows."""
        row = connection.execute(_STATE).fetchone()
        assert row is not None
        return row[0], int(row[1]), row[2] or []
