"""Logging of every process: one format, to a file and to the console, without e-mail addresses."""

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
REPORT_EVERY_S = 60.0

# Anything like an address, also percent-encoded. The pattern scans no text twice.
_ADDRESS = re.compile(r"[^\s@<>\"'(),:;=\[\]{}%]{1,64}(?:@|%40)[^\s@<>\"'(),:;=\[\]{}%]{1,255}")
_CONTROLS = {code: rf"\x{code:02x}" for code in (*range(9), *range(11, 32), 127)}


class Redacting(logging.Formatter):
    """Formatter that replaces addresses by `<address>`, also in tracebacks, and escapes control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, or as lines if it has a traceback."""
        line = super().format(record)
        if "@" in line or "%40" in line:
            line = _ADDRESS.sub(REDACTED, line)
        return line.translate(_CONTROLS)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name the base class calls
        """Return the message on one line, so that a line break in it cannot forge a log line."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def lines(logger: logging.Logger, level: int, messages: Sequence[str]) -> None:
    """Log many messages of one moment: the same lines as one call for each, at a twentieth of the cost."""
    if not messages or not logger.isEnabledFor(level):
        return
    records = None
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, Redacting):
            _write(handler, _formatted(logger.name, level, messages))
            continue
        records = records or [_record(logger, level, message) for message in messages]
        for record in records:
            handler.handle(record)


def _formatted(name: str, level: int, messages: Sequence[str]) -> str:
    """Return the lines as `Redacting` formats them."""
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
    """Write all lines in one append, so that processes that share a file do not mix theirs."""
    handler.acquire()
    try:
        if isinstance(handler, logging.handlers.WatchedFileHandler):
            handler.reopenIfNeeded()
        handler.stream.write(whole)
        handler.flush()
    except Exception:  # noqa: BLE001  # as logging does: a failure to log must not stop the work
        handler.handleError(_record(logging.getLogger(), logging.ERROR, "log lines were lost"))
    finally:
        handler.release()


class _Enduring(logging.Handler):
    """Mixin of handlers whose failure, such as a full disk, does not stop the work.

    Reports the failure once a minute without the record, because logging would print it unredacted.
    """

    _quiet_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; report a failure."""
        try:
            super().emit(record)
        except OSError:  # the check for a moved file may fail, too
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  # the name the base class calls
        """Report the failure on standard error, at most once a minute."""
        if monotonic() >= self._quiet_until:
            self._quiet_until = monotonic() + REPORT_EVERY_S
            with suppress(OSError, ValueError):
                print(f"log_unwritable error={sys.exc_info()[1]!r}", file=sys.stderr, flush=True)


class _File(_Enduring, logging.handlers.WatchedFileHandler):
    """The log file; opened again after it was moved."""


class _Console(_Enduring, logging.StreamHandler):  # type: ignore[type-arg]  # generic only for the type checker
    """Standard error."""


def install(file: Path, level: str) -> None:
    """Send the log of this process to `file` and to standard error. Safe to repeat.

    Processes may share the file: each line is one append. A file that was moved is created again. A file that cannot be
    written loses its lines, but stops no work.
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
