"""Real servers for the tests: one PostgreSQL and one Valkey, in a temporary folder, for as long as needed."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import ports
from local.postgres import Postgres
from local.valkey import Valkey

# Tests that kill the server to see what survives make their own, with durable settings.
QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
}


@contextmanager
def embedded_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that answers, without durability; gone, data and all, when the block ends."""
    with tempfile.TemporaryDirectory(prefix="cadencia-postgres-") as folder:
        Path(folder).chmod(0o711)  # started by root, the server runs as another account
        server = Postgres(Path(folder) / "data", ports.free(), secrets.token_urlsafe(16), settings=QUICK)
        server.start()
        try:
            yield server
        finally:
            server.kill()  # nothing to save: quicker than stop


@contextmanager
def embedded_valkey() -> Iterator[Valkey]:
    """A Valkey that answers; gone, data and all, when the block ends."""
    with tempfile.TemporaryDirectory(prefix="cadencia-valkey-") as folder:
        server = Valkey(Path(folder) / "data", ports.free(), secrets.token_urlsafe(16))
        server.start()
        try:
            yield server
        finally:
            server.kill()
