"""Logging for every process: one format, to a file and to the console, and no address in either."""

import logging
import logging.handlers
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
REDACTED = "<address>"
COMPLAIN_EVERY_S = 60.0

# Anything shaped like an address, also percent-encoded. Written so that no run of text is scanned twice.
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;=\[\]{}%]{1,64}(?:@|%40)[^\s@<>\"'(),:;=\[\]{}%]{1,255}")
_CONTROLS = {code: rf"\x{code:02x}" for code in (*range(9), *range(11, 32), 127)}


class Redacting(logging.Formatter):
    """Writes addresses as `<address>`, tracebacks included, and control characters so that they cannot act."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, or as lines when it has a traceback."""
        line = super().format(record)
        if "@" in line or "%40" in line:
            line = _ADDRESS.sub(REDACTED, line)
        return line.translate(_CONTROLS)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name the base class calls
        """The message on one line: a line break in it must not look like a line of ours."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def lines(logger: logging.Logger, level: int, messages: Sequence[str]) -> None:
    """Log many messages of one moment: the same lines as one call for each makes, at a twentieth of the cost."""
    if not messages or not logger.isEnabledFor(level):
        return
    records = None
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, Redacting):
            _write(handler, _told(logger.name, level, messages))
            continue
        records = records or [_record(logger, level, message) for message in messages]
        for record in records:
            handler.handle(record)


def _told(name: str, level: int, messages: Sequence[str]) -> str:
    """The lines as `Redacting` writes them."""
    first = _record(logging.getLogger(name), level, "")
    moment = logging.Formatter(FORMAT).formatTime(first)
    head = f"{moment} - {name} - {first.levelname} - "
    whole = "\n".join([head + message.replace("\r", "\\r").replace("\n", "\\n") for message in messages]) + "\n"
    if "@" in whole or "%40" in whole:
        whole = _ADDRESS.sub(REDACTED, whole)
    return whole if whole.isascii() and whole.replace("\n", "").isprintable() else whole.translate(_CONTROLS)


def _record(logger: logging.Logger, level: int, message: str) -> logging.LogRecord:
    return logger.makeRecord(logger.name, level, "", 0, message, (), None)


def _write(handler: logging.StreamHandler[Any], whole: str) -> None:
    """All of it in one append, so that the lines of processes that share a file never mix."""
    handler.acquire()
    try:
        if isinstance(handler, logging.handlers.WatchedFileHandler):
            handler.reopenIfNeeded()
        handler.stream.write(whole)
        handler.flush()
    except Exception:  # noqa: BLE001  # as logging does it: what cannot be logged must not stop the work
        handler.handleError(_record(logging.getLogger(), logging.ERROR, "log lines were lost"))
    finally:
        handler.release()


class _Enduring(logging.Handler):
    """A handler whose failure, such as a full disk, stops nobody's work.

    It is said once a minute, without the record: what the library would print of that is not redacted.
    """

    _silent_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, if that can be done."""
        try:
            super().emit(record)
        except OSError:  # looking for a file that was moved away may fail, too
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  # the name the base class calls
        """Complain on standard error, unless that was done just now."""
        if monotonic() >= self._silent_until:
            self._silent_until = monotonic() + COMPLAIN_EVERY_S
            with suppress(OSError, ValueError):
                print(f"log_unwritable error={sys.exc_info()[1]!r}", file=sys.stderr, flush=True)


class _File(_Enduring, logging.handlers.WatchedFileHandler):
    """The log file, begun anew when it is moved away."""


class _Console(_Enduring, logging.StreamHandler):  # type: ignore[type-arg]  # generic to the type checker alone
    """Standard error."""


def install(file: Path, level: str) -> None:
    """Send the log of this process to `file` and to standard error; safe to repeat.

    Processes may share the file: each line is one append. A file that is moved away is made anew. A file that cannot
    be written any more costs its lines and nothing else.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, Redacting)]:
        root.removeHandler(handler)
        handler.close()
    for handler in (_File(file, encoding="utf-8"), _Console(sys.stderr)):
        handler.setFormatter(Redacting(FORMAT))
        root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # seven lines at every start
