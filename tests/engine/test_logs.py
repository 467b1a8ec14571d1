"""The log has its format, and no address."""

import logging
from collections.abc import Iterator
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
