"""Workers drain the spools of their host: consent changes before sending, the files of dead processes at each sweep."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

import settings
from engine import clock
from engine.engagement import consent
from engine.inbound import mail_spool
from engine.ingest import records, spool
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from errors import Unavailable
from local.mail.mailstore import Mailstore
from models import ids
from models.session import transaction
from tests import sends
from tests.conftest import environment
from worker import drain, spools
from worker.tasks import upkeep

LANE = "transactional"
_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def email_id(inbox: Mailstore) -> UUID:
    """A queued e-mail."""
    with transaction() as session:
        (email_id,) = sends.queue(session, now=clock.now())
    return email_id


def spooled(entry: Entry, suffix: str = spool.CONSENT_SUFFIX) -> Path:
    """Write the file of another web process that has died."""
    folder = Path(settings.current().spool_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{ids.new().hex}{suffix}"
    path.write_bytes(records.encoded(entry))
    return path


def unsubscribe(email_id: UUID) -> Entry:
    return consent.change("unsubscribed", email_id, now=clock.now())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let a living process own the file."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _LOCK, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None and owner.stdout.readline() == "locked\n"
    with owner:
        yield


def statuses() -> list[str]:
    with transaction() as session:
        return [row.status for row in session.execute(text("SELECT status FROM emails"))]


def test_an_unsubscribe_in_the_spool_of_a_living_process_is_applied_before_sending(
    email_id: UUID, inbox: Mailstore
) -> None:
    path = spooled(unsubscribe(email_id))
    with locked(path):
        drain.drain(LANE)
        assert (statuses(), list(inbox.since(0))) == (["cancelled"], [])
        assert path.exists()  # its owner will remove it


def test_an_unsubscribe_of_a_dead_process_is_applied_before_sending(email_id: UUID, inbox: Mailstore) -> None:
    spooled(unsubscribe(email_id))
    drain.drain(LANE)
    assert (statuses(), list(inbox.since(0))) == (["cancelled"], [])


def test_a_consent_change_that_cannot_be_applied_does_not_block_sending(email_id: UUID) -> None:
    spooled(unsubscribe(ids.new()))
    drain.drain(LANE)
    assert statuses() == ["sent"]


def test_nothing_is_sent_while_a_consent_change_waits_and_the_database_is_unavailable(email_id: UUID) -> None:
    spooled(unsubscribe(email_id))
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"), pytest.raises(Unavailable):
        spools.apply_consent_changes()
    assert statuses() == ["queued"]


def test_a_sweep_drains_the_spools_of_dead_processes_without_a_web_process(email_id: UUID) -> None:
    hit = events.prepare(IncomingEvent(email_id, "opened"), now=clock.now())
    reported = events.prepare(IncomingEvent(email_id, "converted"), now=clock.now())
    entries = {spool.CONSENT_SUFFIX: unsubscribe(email_id), spool.SUFFIX: hit, spool.REPORTS_SUFFIX: reported}
    paths = [spooled(entry, suffix) for suffix, entry in entries.items()]
    upkeep.sweep()
    assert not any(path.exists() for path in paths)
    with transaction() as session:
        types = set(session.scalars(text("SELECT event_type FROM events")))
        assert session.scalar(text("SELECT reason FROM suppressions")) == "unsubscribed"
    assert types == {"unsubscribed", "opened", "converted"}


def test_a_sweep_leaves_the_spool_of_a_living_process_alone(email_id: UUID) -> None:
    path = spooled(events.prepare(IncomingEvent(email_id, "opened"), now=clock.now()), spool.SUFFIX)
    with locked(path):
        upkeep.sweep()
        assert path.exists()
    upkeep.sweep()
    assert not path.exists()


def test_incoming_mail_that_nobody_recorded_is_recorded_by_a_sweep(email_id: UUID) -> None:
    drain.drain(LANE)
    draft = mail_spool.draft(
        settings.current().spool_dir / mail_spool.FOLDER, sender=None, recipients=(), limit_bytes=99
    )
    draft.write(f"From: ana@empresa.example\r\nIn-Reply-To: <{email_id.hex}@cadencia.example>\r\n\r\nSí".encode())
    draft.publish()
    upkeep.sweep()
    with transaction() as session:
        assert session.scalars(text("SELECT event_type FROM events")).all() == ["replied"]
    assert mail_spool.sizes(settings.current().spool_dir / mail_spool.FOLDER) == {}
