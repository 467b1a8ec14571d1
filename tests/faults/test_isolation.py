"""Faults of each kind at once: a damaged row, bad recorders, bad spool entries, a database that fails for a moment."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import text

from engine import clock, quarantine
from engine.ingest import records, spool
from engine.tracking import events
from engine.tracking.events import IncomingEvent
from models import session as database
from models.session import transaction
from tests import processes
from tests.conftest import environment
from tests.faults.comparison import Report
from tests.faults.extent import SEED, extent
from tests.faults.scenarios import Scenario

FAILURES = extent(2, 12)
EMAILS_PER_FAILURE = 60
HITS = 20


def test_one_fault_of_each_kind_affects_nothing_else(scenario: Scenario, audited: Callable[..., Report]) -> None:
    chance = random.Random(SEED)
    leave_bad_files(scenario.folder)
    scenario.queue("campaign", FAILURES * EMAILS_PER_FAILURE)
    damage_a_row()
    scenario.relay("--delay-s", "0.1")
    with environment(LEASE_S="2"):
        scenario.all_in_one()
        for _ in range(FAILURES):
            scenario.until_more_accepted(15)
            time.sleep(chance.uniform(0.0, 0.5))
            take_database_away(scenario, chance.uniform(0.3, 0.9))
        scenario.until_settled(within_s=extent(60, 300))
        leave_hits(scenario.folder / "spool")
        processes.until(lambda: count("events") == HITS, "all hits are stored")
    assert audited(in_doubt_max=0).statuses == Counter({"sent": scenario.emails - 1, "failed": 1})
    assert [quarantine.size(scenario.folder / name) for name in ("recorders", "spool")] == [2, 2]
    assert count("emails WHERE reason = 'undecryptable'") == 1


def leave_bad_files(folder: Path) -> None:
    recorders, spooled = folder / "recorders", folder / "spool"
    recorders.mkdir()
    (recorders / f"{uuid4().hex}.rec").write_bytes(b"rubbish")
    (recorders / "0.rec").mkdir()
    for suffix in (spool.SUFFIX, spool.CONSENT_SUFFIX):
        (spooled / f"0{suffix}").mkdir(parents=True)


def damage_a_row() -> None:
    with transaction() as session:
        session.execute(text("UPDATE contacts SET email = reverse(email) "
                             "WHERE id = (SELECT id FROM contacts ORDER BY id LIMIT 1 OFFSET 5)"))  # fmt: skip


def take_database_away(scenario: Scenario, for_s: float) -> None:
    """Refuse new connections and end all others, as a failover does."""
    name = os.environ["DATABASE_URL"].rpartition("/")[2]
    with psycopg.connect(scenario.servers.postgres.url("postgres"), autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        time.sleep(for_s)
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    database.engine().dispose()


def leave_hits(folder: Path) -> None:
    """Write the spool of a web process that has died."""
    with transaction() as session:
        (email_id,) = session.scalars(text("SELECT id FROM emails WHERE status = 'sent' LIMIT 1"))
    hits = [IncomingEvent(email_id, "opened", key=str(number)) for number in range(HITS)]
    lines = b"".join(records.encoded(events.prepare(hit, now=clock.now())) for hit in hits)
    (folder / f"{uuid4().hex}{spool.SUFFIX}").write_bytes(lines)


def count(table: str) -> int:
    with transaction() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
