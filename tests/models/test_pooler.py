"""Debian's PgBouncer in transaction mode between the product and PostgreSQL."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from engine.delivery import audit
from local import ports
from local.mail.mailstore import Mailstore
from models.session import retrying, transaction
from tests import debian, processes, sends
from tests.conftest import environment
from worker import drain, process


@pytest.fixture
def pooler(ledger: str, inbox: Mailstore, tmp_path: Path) -> Iterator[str]:
    """The URL of a pooler with two connections to the ledger; each transaction gets one of them."""
    program, server, port = debian.find("pgbouncer"), urlsplit(ledger), ports.free()
    config = tmp_path / "pgbouncer.ini"
    config.write_text(f"""
[databases]
* = host={server.hostname} port={server.port} user={server.username} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
""")
    unprivileged = ["-u", "nobody"] if os.geteuid() == 0 else []
    libraries = os.environ | {"LD_LIBRARY_PATH": debian.libraries()}
    child = subprocess.Popen([program, "-q", *unprivileged, config], env=libraries)
    try:
        processes.until(lambda: not ports.is_free(port), "the pooler listens", within_s=10)
        yield f"postgresql://cadencia:x@127.0.0.1:{port}{server.path}"
    finally:
        child.terminate()
        child.wait(10)


def test_everything_works_behind_a_pooler_in_transaction_mode(pooler: str, inbox: Mailstore) -> None:
    """Sixty requests of six threads share two connections of the server, with a sender among them."""

    def send(number: int) -> str:
        zone = retrying(lambda session: session.scalar(text("SHOW timezone")))
        with transaction() as session:
            sends.queue(session, 1, to=f"persona{number}@empresa.example")
        return str(zone)

    with environment(DATABASE_URL=pooler, DATABASE_POOLER="transaction"):
        with ThreadPoolExecutor(6) as threads:
            zones = set(threads.map(send, range(60)))
        drain.drain("transactional")
        process.close()
        with transaction() as session:
            report = audit.run(session)
    assert zones == {"UTC"}
    assert (report.statuses, report.findings) == ({"sent": 60}, ())
    assert inbox.last == 60
