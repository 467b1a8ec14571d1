"""The task stores uploaded files page by page, and continues after any interruption."""

import os
import signal
import threading
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from engine import clock, upkeep
from engine.audience import imports
from engine.audience.imports import PAGE_ROWS
from engine.engagement.uploads import lifecycle, running
from engine.engagement.uploads.content import Spool
from errors import Conflict
from models import Account, ids
from models.session import after_fork, transaction
from tests import bells
from worker import process
from worker.tasks import imports as tasks

ROWS = PAGE_ROWS * 2 + 50


def table(rows: int, first: int = 0) -> bytes:
    lines = (f"p{number}@empresa.example,Ana {number}\n" for number in range(first, first + rows))
    return ("email,nombre\n" + "".join(lines)).encode()


def uploaded(data: bytes, *, starts: bool = True) -> UUID:
    """Return the id of an import of these bytes."""
    account_id, spool = ids.new(), Spool()
    spool.write(data)
    spool.seek(0)
    with transaction() as session:
        session.add(Account(id=account_id, name=str(account_id), password_hash="!", scopes=["contacts"]))
        session.flush()
        import_id = lifecycle.create(session, account_id, "leads.csv", spool, now=clock.now())
        if starts:
            lifecycle.start(session, import_id, now=clock.now())
    return import_id


def view(import_id: UUID) -> lifecycle.View:
    with transaction() as session:
        return lifecycle.view(session, import_id)


def scalar(sql: str) -> Any:
    with transaction() as session:
        return session.scalar(text(sql))


def pages_stored(import_id: UUID, number: int) -> running.Claimed:
    """Claim an import and store its first pages, as a worker does that dies afterwards."""
    with transaction() as session:
        claimed = running.claim(session)
    assert claimed is not None and claimed.id == import_id
    for page, _ in zip(imports.pages(BytesIO(table(ROWS))), range(number), strict=False):
        with transaction() as session:
            moved = running.store(session, claimed, page, read_bytes=1, now=clock.now())
        assert moved is not None
        claimed = moved
    return claimed


def lease_over() -> None:
    with transaction() as session:
        session.execute(text("UPDATE file_imports SET leased_until = clock_timestamp()"))


def waiting() -> list[str]:
    with transaction() as session:
        return upkeep.bells(session, now=clock.now())


def test_a_killed_worker_costs_its_page_and_the_counts_are_exact(ledger: str) -> None:
    import_id = uploaded(table(ROWS) + table(7))
    child = os.fork()
    if not child:  # dies in the transaction of its second page
        after_fork()
        claimed = pages_stored(import_id, 1)
        with transaction() as session:
            page = next(imports.pages(BytesIO(table(PAGE_ROWS, first=PAGE_ROWS))))
            running.store(session, claimed, page, read_bytes=2, now=clock.now())
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert scalar("SELECT count(*) FROM contacts") == PAGE_ROWS
    tasks.store()  # the lease of the dead worker holds
    assert view(import_id).state == "running" and "imports" not in waiting()
    lease_over()
    assert "imports" in waiting()
    tasks.store()
    done = view(import_id)
    assert (done.state, done.share) == ("done", 1.0) and "imports" not in waiting()
    assert (done.counts["rows"], done.counts["created"]) == (ROWS + 8, ROWS)
    assert (done.counts["duplicates"], done.counts["refused"], done.counts["unchanged"]) == (7, 1, 0)
    assert scalar("SELECT count(*) FROM contacts") == ROWS
    assert scalar("SELECT count(*) FROM file_import_chunks") == 0


def test_a_worker_that_lost_its_claim_stores_nothing(ledger: str) -> None:
    import_id = uploaded(table(ROWS))
    slow = pages_stored(import_id, 1)
    lease_over()
    tasks.store()
    page = next(imports.pages(BytesIO(table(5, first=ROWS))))
    with transaction() as session:
        assert running.store(session, slow, page, read_bytes=1, now=clock.now()) is None
        assert not running.renew(session, slow) and not running.end(session, slow, now=clock.now())
    assert scalar("SELECT count(*) FROM contacts") == view(import_id).counts["created"] == ROWS


def test_two_workers_at_once_store_each_file_once(ledger: str) -> None:
    first, second = uploaded(table(PAGE_ROWS + 10)), uploaded(table(PAGE_ROWS + 10))
    for _ in range(2):
        runs = [threading.Thread(target=tasks.store) for _ in range(2)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
    counts = [view(each).counts for each in (first, second)]
    assert sorted(each["created"] for each in counts) == [0, PAGE_ROWS + 10]
    assert sorted(each["unchanged"] for each in counts) == [0, PAGE_ROWS + 10]


def test_a_cancelled_import_keeps_its_pages_and_ends(ledger: str) -> None:
    import_id = uploaded(table(ROWS))
    claimed = pages_stored(import_id, 1)
    with transaction() as session:
        lifecycle.cancel(session, import_id, now=clock.now())
    page = next(imports.pages(BytesIO(table(5, first=ROWS))))
    with transaction() as session:
        assert running.store(session, claimed, page, read_bytes=1, now=clock.now()) is None
    assert scalar("SELECT count(*) FROM contacts") == PAGE_ROWS and "imports" not in waiting()
    assert scalar("SELECT count(*) FROM file_import_chunks") == 0
    with pytest.raises(Conflict, match="has ended"), transaction() as session:
        lifecycle.cancel(session, import_id, now=clock.now())


def test_a_bad_file_fails_loudly_and_the_next_one_is_stored(ledger: str, broker: str, caplog: Any) -> None:
    bad, good = uploaded(b"PK\x03\x04" * 10), uploaded(table(30))
    broken = uploaded(table(3))
    with transaction() as session:  # content that no key decrypts
        session.execute(text("UPDATE file_import_chunks SET content = 'x' WHERE import_id = :id"), {"id": broken})
    rung = bells.listen(broker)
    for _ in range(running.ATTEMPTS_MAX + 3):
        tasks.store()
        lease_over()
    assert (view(bad).state, view(good).state, view(broken).state) == ("failed", "done", "failed")
    assert "CSV" in (view(bad).error or "") and "import_interrupted" in caplog.text and "Ana" not in caplog.text
    assert "imports" in rung()


def test_another_file_gets_its_turn_and_a_shutdown_stops_after_a_page(ledger: str) -> None:
    import_id = uploaded(table(ROWS))
    process.stop.set()
    try:
        tasks.store()
    finally:
        process.stop.clear()
    assert view(import_id).counts["created"] == PAGE_ROWS and "imports" in waiting()
    tasks.store()
    assert view(import_id).counts["created"] == ROWS


def test_a_file_that_nobody_imports_is_deleted_after_a_day(ledger: str) -> None:
    forgotten, recent = uploaded(table(3), starts=False), uploaded(table(3), starts=False)
    with transaction() as session:
        age = text("UPDATE file_imports SET created_at = now() - interval '25 hours' WHERE id = :id")
        session.execute(age, {"id": forgotten})
        upkeep.tidy(session)
        assert [each.id for each in lifecycle.latest(session)] == [recent]
    assert scalar("SELECT count(*) FROM file_import_chunks") == 1
