"""Messages in the spool and in a Maildir are recorded once, and wait while the database is unavailable."""

import os
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from engine.inbound import mail_spool, maildir
from engine.ingest import spool
from errors import InvalidInput, Unavailable
from models import Event
from models.session import retrying, transaction
from tests.engine.inbound import arrivals
from tests.mails import NOW, Mail, mail


def now() -> datetime:
    return NOW


@pytest.fixture
def sent(ledger: str) -> Mail:
    """An e-mail, committed."""
    with transaction() as session:
        return mail(session)


def events() -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(Event)) or 0


def store(folder: Path, raw: bytes) -> Path:
    draft = mail_spool.draft(
        folder, sender="ana@empresa.example", recipients=["hola\r\nX: y@x.example"], limit_bytes=9_999
    )
    draft.write(raw)
    draft.publish()
    draft.discard()
    [path] = [path for path in folder.glob("*.mail") if path.read_bytes().endswith(raw)]
    return path


def test_messages_are_recorded_and_removed(sent: Mail, tmp_path: Path) -> None:
    paths = [store(tmp_path, arrivals.reply_to(sent, number)) for number in range(3)]
    assert (
        paths[0]
        .read_bytes()
        .startswith(b"Return-Path: <ana@empresa.example>\r\nDelivered-To: hola??X: y@x.example\r\n")
    )
    assert (mail_spool.drain(tmp_path, run=retrying, now=now), events()) == (3, 3)
    assert list(tmp_path.iterdir()) == []
    store(tmp_path, arrivals.reply_to(sent, 1))
    assert (mail_spool.drain(tmp_path, run=retrying, now=now), events()) == (1, 3)


def test_messages_wait_while_the_database_is_unavailable(sent: Mail, tmp_path: Path) -> None:
    path = store(tmp_path, arrivals.reply_to(sent))
    with pytest.raises(Unavailable):
        mail_spool.drain(tmp_path, run=arrivals.unavailable, now=now)
    assert list(tmp_path.iterdir()) == [path]
    assert (mail_spool.drain(tmp_path, run=retrying, now=now), events()) == (1, 1)


def test_the_age_of_the_spool_is_that_of_a_waiting_message(tmp_path: Path) -> None:
    assert spool.age_s(tmp_path) is None
    waiting = store(tmp_path / mail_spool.FOLDER, b"Subject: x\r\n\r\n")
    os.utime(waiting, (0, 0))
    assert (spool.age_s(tmp_path) or 0) > 3_600


def test_a_message_that_cannot_be_recorded_goes_into_quarantine(ledger: str, tmp_path: Path) -> None:
    path = store(tmp_path, b"Subject: x\r\n\r\n")
    assert mail_spool.drain(tmp_path, run=arrivals.broken, now=now) == 0
    assert [left.name for left in tmp_path.iterdir()] == [f"{path.name}.bad"]
    assert mail_spool.drain(tmp_path / "missing", run=retrying, now=now) == 0


def test_a_draft_that_is_not_published_is_never_recorded(tmp_path: Path) -> None:
    draft = mail_spool.draft(tmp_path, sender="", recipients=[], limit_bytes=1_000)
    assert mail_spool.drain(tmp_path, run=arrivals.broken, now=now) == 0
    with pytest.raises(mail_spool.MailSpoolFull):
        mail_spool.draft(tmp_path, sender="", recipients=[], limit_bytes=0)
    draft.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty Maildir."""
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))


def test_new_messages_of_a_maildir_are_recorded_and_marked_as_read(sent: Mail, folder: Path) -> None:
    (folder / "new" / "1.host").write_bytes(arrivals.reply_to(sent))
    (folder / "new" / "2.host").write_bytes(arrivals.reply_to(sent, 2) + b"x" * 5_000)
    assert maildir.record(folder, limit_bytes=1_000, run=retrying, now=now) == 2
    assert (names(folder), events()) == (["cur/1.host:2,S", "cur/2.host:2,S"], 2)


def test_messages_stay_in_a_maildir_while_the_database_is_unavailable(folder: Path) -> None:
    (folder / "new" / "1.host").write_bytes(b"Subject: x\r\n\r\n")
    with pytest.raises(Unavailable):
        maildir.record(folder, limit_bytes=1_000, run=arrivals.unavailable, now=now)
    assert names(folder) == ["new/1.host"]


def test_a_message_of_a_maildir_that_cannot_be_recorded_is_flagged(folder: Path) -> None:
    (folder / "new" / "1.host").write_bytes(b"Subject: x\r\n\r\n")
    assert maildir.record(folder, limit_bytes=1_000, run=arrivals.broken, now=now) == 0
    assert names(folder) == ["cur/1.host:2,FS"]


def test_another_folder_is_no_maildir(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no folders `new` and `cur`"):
        maildir.check(tmp_path)
