"""A recorder that cannot be used, or a group that cannot be settled, stops the recovery of no other sender."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

import settings
from engine import clock, quarantine
from engine.campaigns import agenda
from engine.delivery.claim import Claimant
from models.session import statement, transaction
from tests import sends
from tests.conftest import environment
from worker import process, rescue

LANE = "transactional"


def left_by_a_dead_sender(count: int = 2) -> tuple[process.Sender, list[UUID]]:
    """Claim e-mails with a sender that dies before it has begun the group."""
    sender = process.open_sender()
    with transaction() as session:
        queued = sends.queue(session, count, now=clock.now())
        claimant = Claimant(sender.sender_id, LANE, 60, is_connected=True)
        group = agenda.claim_queued(session, claimant, limit=count, now=clock.now())
    assert group is not None
    sender.recorder.begin(group.id, [email.email_id for email in group.emails])
    sender.abandon()
    return sender, queued


def statuses(email_ids: list[UUID]) -> set[str]:
    with transaction() as session:
        return set(sends.statuses(session, email_ids))


def lost() -> int:
    with statement() as session:
        return rescue.lost(session)


def end_leases() -> None:
    with transaction() as session:
        session.execute(text("UPDATE send_groups SET leased_until = now() - interval '1 hour' WHERE state = 'open'"))


@pytest.mark.usefixtures("ledger")
def test_the_emails_of_a_damaged_recorder_are_in_doubt_after_lease_and_grace() -> None:
    damaged, of_damaged = left_by_a_dead_sender()
    _, others = left_by_a_dead_sender()
    damaged.recorder.path.write_bytes(b"rubbish")
    assert rescue.orphans() == 1
    assert (statuses(others), statuses(of_damaged)) == ({"queued"}, {"sending"})
    assert lost() == 0  # its lease is not over
    end_leases()
    assert lost() == 1
    assert statuses(of_damaged) == {"in_doubt"}
    assert (lost(), rescue.orphans()) == (0, 0)


@pytest.mark.usefixtures("ledger")
def test_a_group_that_cannot_be_settled_stops_the_recovery_of_no_other(caplog: pytest.LogCaptureFixture) -> None:
    faulty, of_faulty = left_by_a_dead_sender()
    _, others = left_by_a_dead_sender()
    with transaction() as session:  # a contradiction: one of its e-mails is not the group's any more
        session.execute(text("UPDATE emails SET claim = NULL, status = 'failed' WHERE id = :id"), {"id": of_faulty[0]})
        session.execute(text("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
                             "$$ BEGIN RAISE integrity_constraint_violation; END $$"))  # fmt: skip
        session.execute(text("CREATE TRIGGER fail BEFORE UPDATE ON send_groups FOR EACH ROW "
                             f"WHEN (OLD.sender_id = '{faulty.sender_id}') EXECUTE FUNCTION fail()"))  # fmt: skip
    for _ in range(2):
        rescue.orphans()
        assert statuses(others) == {"queued"}
    assert quarantine.size(settings.current().recorder_dir) == 1
    assert sum("recovery_failed" in line for line in caplog.messages) == 1
    with transaction() as session:
        session.execute(text("DROP TRIGGER fail ON send_groups"))
    end_leases()
    assert lost() == 1
    assert statuses(of_faulty[1:]) == {"in_doubt"}


@contextmanager
def refused(path: Path) -> Iterator[None]:
    """Let the system refuse to open the file: by its permissions, which bind root only as another account."""
    account = os.geteuid()
    path.chmod(0)
    os.seteuid(account or 65534)
    try:
        yield
    finally:
        os.seteuid(account)


@pytest.mark.usefixtures("ledger")
def test_a_recorder_of_another_account_is_reported_and_given_up_after_lease_and_grace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, environment(RECORDER_DIR=folder):
        Path(folder).chmod(0o777)
        sender, email_ids = left_by_a_dead_sender()
        with refused(sender.recorder.path):
            assert (rescue.orphans(), rescue.orphans()) == (0, 0)
            assert lost() == 0
            assert sender.recorder.path.exists()
            end_leases()
            assert lost() == 1
        assert statuses(email_ids) == {"in_doubt"}
        assert sum("file_unusable" in line for line in caplog.messages) == 1
        assert quarantine.size(Path(folder)) == 1
