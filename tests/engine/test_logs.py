"""The log has its format, and no address."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import logs


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    file, before = tmp_path / "deep" / "email_system.log", logging.getLogger().handlers[:]
    logs.install(file, "INFO")
    yield file
    for handler in set(logging.getLogger().handlers) - set(before):
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_a_line_has_the_specified_format(log: Path) -> None:
    logging.getLogger("worker").info("Email sent: %s", "email_1")
    assert log.read_text().split(" - ")[1:] == ["worker", "INFO", "Email sent: email_1\n"]


def test_the_console_gets_the_same_line(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.install(log, "INFO")
    logging.getLogger("web").warning("hola")
    assert capsys.readouterr().err.endswith(" - web - WARNING - hola\n")


def test_addresses_are_redacted_everywhere(log: Path) -> None:
    try:
        raise ValueError("550 <ana.perez+x@empresa.example>: unknown")
    except ValueError:
        logging.getLogger("x").exception("to=%s GET /u?e=%s", "ñandú@correo.example", "luis%40empresa.example")
    written = log.read_text()
    assert written.count(logs.REDACTED) == 4  # twice in the message, in the error, in the line that raised it
    for part in ("ana.perez", "empresa.example", "correo.example", "luis", "@"):
        assert part not in written
    assert "550 <<address>>: unknown" in written and "Traceback" in written


def test_a_message_cannot_forge_a_line_or_move_the_cursor(log: Path) -> None:
    logging.getLogger("x").info("a\n2026-01-01 00:00:00,000 - root - INFO - forged\r\x1b[2J")
    assert log.read_text().count("\n") == 1
    assert "\x1b" not in log.read_text()


MESSAGES = ["Email sent: email_1", "to ana@empresa.example", "a\nb\r\x1b[2J", "ñandú", "50 %40 done"]


def test_lines_writes_the_same_as_one_call_each(log: Path) -> None:
    logger = logging.getLogger("cadencia.sending")
    for message in MESSAGES:
        logger.info(message)
    one_by_one = [line.split(" - ", 1)[1] for line in log.read_text().splitlines()]
    log.write_text("")
    logs.lines(logger, logging.INFO, MESSAGES)
    assert [line.split(" - ", 1)[1] for line in log.read_text().splitlines()] == one_by_one
    assert len(one_by_one) == len(MESSAGES)


def test_lines_passes_records_to_other_handlers(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("x")
    logs.lines(logger, logging.DEBUG, ["too fine"])
    logs.lines(logger, logging.INFO, [])
    logs.lines(logger, logging.INFO, ["one", "two"])
    assert caplog.messages == ["one", "two"]
    assert "too fine" not in log.read_text()


def test_lines_reopens_a_log_that_was_moved(log: Path) -> None:
    logging.getLogger("x").info("before")
    log.rename(log.with_suffix(".1"))
    logs.lines(logging.getLogger("x"), logging.INFO, ["after"])
    assert "after" in log.read_text()


def test_lines_that_cannot_be_written_stop_no_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    logs.install(Path("/dev/full"), "INFO")
    try:
        logs.lines(logging.getLogger("x"), logging.INFO, ["one", "two"])
        assert capsys.readouterr().err.count(" - x - INFO - ") == 2  # the console has them
    finally:
        for handler in set(logging.getLogger().handlers) - set(before):
            logging.getLogger().removeHandler(handler)


def test_installing_twice_writes_each_line_once(log: Path) -> None:
    logs.install(log, "INFO")
    logging.getLogger("x").info("once")
    assert log.read_text().count("once") == 1


def test_a_log_that_was_moved_is_created_again(log: Path) -> None:
    logging.getLogger("x").info("before")
    log.rename(log.with_suffix(".1"))
    logging.getLogger("x").info("after")
    assert "after" in log.read_text()


def test_redacting_a_long_line_takes_no_time(log: Path) -> None:
    logging.getLogger("x").info("%s", "a" * 200_000 + "@" + "@" * 50_000 + "%" * 50_000)
    assert log.stat().st_size > 0


def test_a_full_disk_is_reported_once_and_stops_no_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    logs.install(Path("/dev/full"), "INFO")
    for _ in range(3):
        logging.getLogger("x").info("to %s", "ana@empresa.example")
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
    said = capsys.readouterr().err
    assert said.count("log_unwritable") == 1 and "No space left" in said
    assert said.count(f"to {logs.REDACTED}") == 3 and "ana@" not in said


def test_a_log_without_its_folder_stops_no_work(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.install(log, "INFO")
    log.parent.rename(log.parent.with_name("moved"))
    log.parent.touch()
    logging.getLogger("x").info("still here")
    assert "still here" in capsys.readouterr().err


READABLE = [
    "Cannot connect to redis://:**@127.0.0.1:6379/0: Connection refused",
    "mingle: bulk@worker-2 answers; events@worker-2 does not",
    "relay says 250 ok <0192f0c1d2e37a4b8c9d0e1f2a3b4c5d@cadencia.example> queued",
]
PRIVATE = [
    ("redis://:s3cret@127.0.0.1:6379/0", "redis://:**@127.0.0.1:6379/0"),
    ("redis://:s3/cr@et@127.0.0.1:6379/0", "redis://:**@127.0.0.1:6379/0"),
    ("postgresql://cadencia:s3cret@db:5432/cadencia", "postgresql://**@db:5432/cadencia"),
    ("smtp://ana%40empresa.example:s3cret@relay.example:587", "smtp://**@relay.example:587"),
    ("events@empresa.example", logs.REDACTED),
    ("ana@servidor and bulk@empresa.example", f"{logs.REDACTED} and {logs.REDACTED}"),
    ("0192f0c1d2e37a4b8c9d0e1f2a3b4c5d@another.example", logs.REDACTED),
    ("x.0192f0c1d2e37a4b8c9d0e1f2a3b4c5d@cadencia.example", logs.REDACTED),
    ("https://ana@empresa.example/", f"https:{logs.REDACTED}"),
]


def test_hosts_of_our_servers_our_workers_and_message_ids_stay_readable() -> None:
    formatter = logs.Redacting("cadencia.example")
    assert [formatter.redacted(line) for line in READABLE] == READABLE
    assert [formatter.redacted(line) for line, _ in PRIVATE] == [shown for _, shown in PRIVATE]


def writer(file: Path, name: str) -> logging.Logger:
    """A logger of its own on the file, as another process would have it."""
    logger = logging.getLogger(f"rotation.{name}")
    logger.propagate = False
    handler = logs._File(file, logs.Rotation(max_bytes=2_000, keep=200))
    handler.setFormatter(logs.Redacting())
    logger.addHandler(handler)
    return logger


def test_a_large_file_is_renamed_and_no_line_of_any_writer_is_lost(tmp_path: Path) -> None:
    def write(name: str) -> None:
        logger = writer(tmp_path / "log", name)
        for number in range(500):
            logger.warning("%s %d", name, number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, "abcd"))
    written = [path.read_text() for path in tmp_path.iterdir()]
    counts = {name: sum(text.count(f" - {name} ") for text in written) for name in "abcd"}
    assert counts == dict.fromkeys("abcd", 500)
    assert len(written) > 5  # the limit is soft: while one of them renames, the others write on


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    handler = logs._File(tmp_path / "log", logs.Rotation(max_bytes=100, keep=2))
    handler.setFormatter(logs.Redacting())
    for number in range(9):
        handler.handle(logging.makeLogRecord({"msg": f"line {number} {'x' * 60}"}))
    handler.close()
    kept = {path.name: path.read_text().rpartition("line ")[2][0] for path in tmp_path.iterdir()}
    assert kept == {"log": "8", "log.1": "7", "log.2": "6"}


def test_a_file_that_cannot_be_renamed_is_written_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.1" / "in the way").mkdir(parents=True)
    handler = logs._File(tmp_path / "log", logs.Rotation(max_bytes=10, keep=1))
    for _ in range(3):
        handler.handle(logging.makeLogRecord({"msg": "a line of more than ten bytes"}))
    handler.close()
    assert (tmp_path / "log").read_text().count("a line") == 3
    assert capsys.readouterr().err.count("log_unwritable") == 1
