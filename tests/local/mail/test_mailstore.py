"""The inbox on disk."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.mail.mailstore import Mailstore, Stored

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RAW = b"Subject: Hola\r\n\r\n.\xc3\xb1\r\nReceived: not a trace line\r\n"


@pytest.fixture
def store(tmp_path: Path) -> Mailstore:
    """An empty inbox."""
    return Mailstore(tmp_path / "inbox")


def _add(store: Mailstore, *recipients: str, raw: bytes = RAW) -> int:
    return store.add(raw, sender="hola@cadencia.example", recipients=recipients, received_at=NOON)


def test_a_message_comes_back_byte_for_byte_when_read(store: Mailstore) -> None:
    number = _add(store, "ana@example.com", "íñigo@example.com")
    expected = Stored(number, "hola@cadencia.example", ("ana@example.com", "íñigo@example.com"), NOON, RAW)
    assert store.read(number) == expected
    assert [path.name for path in store.folder.iterdir()] == ["00000001.eml"]


def test_the_envelope_sender_may_be_empty_when_it_is_a_bounce(store: Mailstore) -> None:
    number = store.add(RAW, sender="", recipients=["ana@example.com"], received_at=NOON)
    assert store.read(number).sender == ""


def test_numbers_go_on_when_opened_again(store: Mailstore) -> None:
    _add(store, "a@example.com")
    reopened = Mailstore(store.folder)
    assert reopened.last == 1
    assert _add(reopened, "b@example.com") == 2


def test_a_reader_sees_messages_that_a_writer_adds(store: Mailstore) -> None:
    reader = Mailstore(store.folder)
    _add(store, "a@example.com")
    _add(store, "b@example.com")
    assert [message.recipients for message in reader.since(0)] == [("a@example.com",), ("b@example.com",)]
    assert list(reader.since(2)) == []


def test_messages_come_newest_first_and_by_recipient_when_listed(store: Mailstore) -> None:
    for address in ("ana@a.example", "blas@b.example", "ANA@c.example"):
        _add(store, address)
    assert [message.number for message in store.latest()] == [3, 2, 1]
    assert [message.number for message in store.latest(before=3)] == [2, 1]
    assert [message.number for message in store.latest(recipient="ana@")] == [3, 1]


def test_the_others_are_listed_when_one_file_is_removed(store: Mailstore) -> None:
    for _ in range(3):
        _add(store, "a@example.com")
    (store.folder / "00000002.eml").unlink()
    assert store.read(2) is None
    assert [message.number for message in store.latest()] == [3, 1]


def test_no_message_is_overwritten_when_several_writers_add(store: Mailstore) -> None:
    writers = [Mailstore(store.folder) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda n: _add(writers[n % 4], f"{n}@example.com"), range(100)))
    assert sorted(numbers) == list(range(1, 101))
    assert {message.recipients[0] for message in store.since(0)} == {f"{n}@example.com" for n in range(100)}
    assert len(list(store.folder.iterdir())) == 100


def test_a_file_without_trace_lines_is_reported(store: Mailstore) -> None:
    (store.folder / "00000001.eml").write_bytes(b"Subject: from elsewhere\r\n\r\n")
    with pytest.raises(ValueError, match="message 1: not a file of this inbox"):
        store.read(1)


def test_only_the_owner_may_read_the_messages(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir(mode=0o755)
    store = Mailstore(tmp_path / "inbox")
    _add(store, "ana@example.com")
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in store.folder.iterdir()] == [0o600]
