"""Draining spools: each entry takes effect once, with any other content of the file and any number of reads."""

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from engine import quarantine
from engine.engagement import consent, reactions
from engine.ingest import drain, records, spool
from engine.tracking import events
from engine.tracking.events import IncomingEvent
from errors import Unavailable
from models import ids
from models.session import retrying, transaction
from tests.conftest import environment
from tests.engine.ingest.test_spool import left_by_another
from tests.mails import HOUR, NOW, mail


def drained(folder: Path) -> int:
    return drain.spools(folder, run=retrying, now=NOW)


def hits(count: int) -> list[events.Entry]:
    with transaction() as session:
        email_id = mail(session).id
    data = [{"method": "GET", "agent": str(number)} for number in range(count)]
    return [events.prepare(IncomingEvent(email_id, "opened", data=each), now=NOW) for each in data]


def stored() -> list[bytes]:
    with transaction() as session:
        return sorted(session.scalars(text("SELECT dedupe_key FROM events")))


def keys(entries: list[events.Entry]) -> list[bytes]:
    return sorted(entry.dedupe_key for entry in entries)


def test_a_file_read_twice_stores_each_event_once(ledger: str, tmp_path: Path) -> None:
    folder, kept = tmp_path / "spool", hits(3)
    path = left_by_another(folder, b"".join(map(records.encoded, kept)))
    copy = tmp_path / "copy"
    shutil.copy(path, copy)
    assert drained(folder) == 3
    shutil.copy(copy, path)
    assert drained(folder) == 3
    assert (stored(), list(folder.iterdir())) == (keys(kept), [])


def test_unknown_emails_and_corrupt_lines_do_not_block_the_others(ledger: str, tmp_path: Path) -> None:
    kept, stranger = hits(2), events.prepare(IncomingEvent(ids.new(), "opened"), now=NOW)
    lines = [records.encoded(kept[0]), b"rubbish\n", records.encoded(stranger), records.encoded(kept[1]), b"0000 1"]
    folder = tmp_path / "spool"
    path = left_by_another(folder, b"".join(lines))
    drained(folder)
    assert stored() == keys(kept)
    assert list(folder.iterdir()) == [path.with_suffix(spool.CORRUPT_SUFFIX)]
    assert path.with_suffix(spool.CORRUPT_SUFFIX).read_bytes() == b"rubbish\n"


def test_a_file_stays_while_the_database_is_unavailable(ledger: str, tmp_path: Path) -> None:
    folder, kept = tmp_path / "spool", hits(1)
    path = left_by_another(folder, records.encoded(kept[0]))
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"), pytest.raises(Unavailable):
        drained(folder)
    assert path.exists()
    drained(folder)
    assert stored() == keys(kept)


def test_a_spooled_unsubscribe_suppresses_the_contact(ledger: str, tmp_path: Path) -> None:
    with transaction() as session:
        email_id = mail(session).id
    entry = consent.change("unsubscribed", email_id, now=NOW)
    left_by_another(tmp_path / "spool", records.encoded(entry))
    drained(tmp_path / "spool")
    with transaction() as session:
        assert list(session.scalars(text("SELECT reason FROM suppressions"))) == ["unsubscribed"]


@pytest.mark.parametrize("is_undo_first", [False, True])
def test_the_latest_consent_change_wins_in_any_order_of_files(ledger: str, tmp_path: Path, is_undo_first: bool) -> None:
    """Two processes spooled a change each; their files are drained in either order, twice."""
    with transaction() as session:
        email_id = mail(session).id
    words = [
        consent.change("unsubscribed", email_id, now=NOW),
        consent.change("resubscribed", email_id, now=NOW + HOUR),
    ]
    for entry in 2 * (words[::-1] if is_undo_first else words):
        left_by_another(tmp_path / "spool", records.encoded(entry))
        drained(tmp_path / "spool")
    with transaction() as session:
        reactions.apply(session, now=NOW + HOUR)
        assert list(session.scalars(text("SELECT reason FROM suppressions"))) == []


def test_consent_changes_are_drained_before_hits(ledger: str, tmp_path: Path) -> None:
    folder, kept = tmp_path / "spool", hits(1)
    own = [spool.Spool(folder, 10_000), spool.Spool(folder, 10_000, spool.CONSENT_SUFFIX)]
    own[0].add(kept)
    own[1].add([consent.change("paused", kept[0].email_id, now=NOW)])
    left_by_another(folder, records.encoded(kept[0]))
    left_by_another(folder, records.encoded(kept[0])).rename(folder / "last.consent")
    for each in own:
        each.seal()
    with closing(drain._files(folder, own)) as files:
        assert [file.path.suffix for file in files] == [".consent", ".consent", ".spool", ".spool"]


def suppressions() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT reason FROM suppressions")))


def test_a_consent_change_is_applied_from_the_file_of_a_living_process(ledger: str, tmp_path: Path) -> None:
    """By another process than its owner, which applies it once more when it drains the file."""
    entry = consent.change("unsubscribed", hits(1)[0].email_id, now=NOW)
    left_by_another(tmp_path, records.encoded(entry)).rename(tmp_path / "living.consent")
    for _ in range(2):
        drain.consent_changes(tmp_path, run=retrying)
        assert (suppressions(), len(list(tmp_path.iterdir()))) == (["unsubscribed"], 1)
    assert drained(tmp_path) == 1
    assert (suppressions(), list(tmp_path.iterdir())) == (["unsubscribed"], [])


def test_a_consent_change_of_an_unknown_email_does_not_block_the_others(ledger: str, tmp_path: Path) -> None:
    email_ids = [ids.new(), hits(1)[0].email_id]
    lines = [records.encoded(consent.change("unsubscribed", email_id, now=NOW)) for email_id in email_ids]
    left_by_another(tmp_path, b"".join(lines)).rename(tmp_path / "file.consent")
    drain.consent_changes(tmp_path, run=retrying)
    assert suppressions() == ["unsubscribed"]


def test_consent_files_of_earlier_versions_are_drained(ledger: str, tmp_path: Path) -> None:
    entry = consent.change("unsubscribed", hits(1)[0].email_id, now=NOW)
    left_by_another(tmp_path, records.encoded(entry)).rename(tmp_path / "file.wishes")
    assert drained(tmp_path) == 1
    assert suppressions() == ["unsubscribed"]


def test_a_consent_change_that_fails_is_kept_aside_and_blocks_no_other(
    ledger: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes = [consent.change("unsubscribed", each.email_id, now=NOW) for each in hits(2)]
    changes[0] = replace(changes[0], source="a source that no constraint allows" * 10)
    path = left_by_another(tmp_path, b"".join(map(records.encoded, changes))).with_suffix(".spool")
    assert drained(tmp_path) == 2
    assert (suppressions(), path.exists()) == (["unsubscribed"], False)
    assert path.with_suffix(spool.CORRUPT_SUFFIX).read_bytes() == records.encoded(changes[0])
    assert any(line.startswith("consent_change_failed") for line in caplog.messages)


def test_entries_that_are_no_files_block_neither_hits_nor_consent_changes(ledger: str, tmp_path: Path) -> None:
    kept = hits(20)
    own = [spool.Spool(tmp_path, 1_000_000)]
    own[0].add(kept)
    own[0].seal()
    for suffix in spool.SUFFIXES:
        (tmp_path / f"0{suffix}").mkdir()
    drain.consent_changes(tmp_path, run=retrying)
    assert drain.spools(tmp_path, own, run=retrying, now=NOW) == 20
    assert stored() == keys(kept)
    assert quarantine.size(tmp_path) == len(spool.SUFFIXES)
    assert spool.paths(tmp_path) == []
