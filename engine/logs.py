"""Logging of every process: one format, to a file and to the console, without e-mail addresses.

Processes share the file. Each line is one append, and the process that finds the file too large renames it.
"""

import fcntl
import logging
import logging.handlers
import os
import platform
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from settings import Settings

FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
REDACTED = "<address>"
REPORT_EVERY_S = 60.0

# Anything like an address, also percent-encoded. The pattern scans no text twice.
_ADDRESS = r"[^\s@<>\"'(),:;=\[\]{}%]{1,64}(?:@|%40)[^\s@<>\"'(),:;=\[\]{}%]{1,255}"
# The URL of one of our servers: user and password are replaced, the host stays.
_SERVER = r"(?P<scheme>\b(?:rediss?|postgresql|smtps?|lmtp|imaps?)://)(?P<login>[^\s\"'<>,]{1,256}@)"
_CONTROLS = {code: rf"\x{code:02x}" for code in (*range(9), *range(11, 32), 127)}


@dataclass(frozen=True, slots=True)
class Rotation:
    """The size at which the file is renamed to `….1`, 0 for never, and how many such files are kept."""

    max_bytes: int = 50_000_000
    keep: int = 5


class Redacting(logging.Formatter):
    """Formatter that replaces addresses by `<address>`, also in tracebacks, and escapes control characters.

    Three texts that look like addresses stay: the hosts of our servers' URLs, the names of our workers on hosts without
    a domain and on this host, and our Message-IDs, which are hexadecimal ids at `message_domain`.
    """

    def __init__(self, message_domain: str = "") -> None:
        super().__init__(FORMAT)
        hosts = rf"(?:[A-Za-z0-9-]{{1,63}}|{re.escape(platform.node())})"
        worker = rf"(?:send|bulk|events|celery)@{hosts}"
        message_id = rf"[0-9a-f]{{32}}@{re.escape(message_domain)}" if message_domain else r"(?!)"
        own = rf"(?P<own>(?<![\w.+%-])(?:{worker}|{message_id})(?![\w-])(?!\.\w))"
        self._pattern = re.compile(f"{_SERVER}|{own}|{_ADDRESS}")

    def redacted(self, text: str) -> str:
        """Return the text without addresses and passwords."""
        return self._pattern.sub(_replacement, text) if "@" in text or "%40" in text else text

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line, or as lines if it has a traceback."""
        return self.redacted(super().format(record)).translate(_CONTROLS)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name the base class calls
        """Return the message on one line, so that a line break in it cannot forge a log line."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def _replacement(match: re.Match[str]) -> str:
    if match["scheme"]:
        return f"{match['scheme']}{':' if match['login'].startswith(':') else ''}**@"
    return match["own"] or REDACTED


def lines(logger: logging.Logger, level: int, messages: Sequence[str]) -> None:
    """Log many messages of one moment: the same lines as one call for each, at a twentieth of the cost."""
    if not messages or not logger.isEnabledFor(level):
        return
    records = None
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.formatter, Redacting):
            _write(handler, _formatted(handler.formatter, logger.name, level, messages))
            continue
        records = records or [_record(logger, level, message) for message in messages]
        for record in records:
            handler.handle(record)


def _formatted(formatter: Redacting, name: str, level: int, messages: Sequence[str]) -> str:
    """Return the lines as `Redacting` formats them."""
    first = _record(logging.getLogger(name), level, "")
    moment = formatter.formatTime(first)
    head = f"{moment} - {name} - {first.levelname} - "
    whole = "\n".join([head + message.replace("\r", "\\r").replace("\n", "\\n") for message in messages]) + "\n"
    whole = formatter.redacted(whole)
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
    """The log file; opened again after it was moved, and renamed when it is too large."""

    def __init__(self, file: Path, rotation: Rotation) -> None:
        super().__init__(file, encoding="utf-8")
        self._rotation = rotation
        self._rotate_after = 0.0  # monotonic seconds

    def reopenIfNeeded(self) -> None:  # noqa: N802  # the name the base class calls
        """Open the file again if it was moved; move it if it is too large."""
        super().reopenIfNeeded()
        limit, stream = self._rotation.max_bytes, self.stream
        if limit and stream and os.fstat(stream.fileno()).st_size >= limit and monotonic() >= self._rotate_after:
            try:
                self._rotate(stream.fileno())
            except OSError:  # the folder may forbid it: go on with the large file
                self._rotate_after = monotonic() + REPORT_EVERY_S
                self.handleError(_record(logging.getLogger(), logging.ERROR, ""))
            super().reopenIfNeeded()

    def _rotate(self, descriptor: int) -> None:
        """Rename the files. One process at a time does it, under a lock on their folder; the others write on.

        A process that still has the old file open writes to it until its next line: nothing is lost.
        """
        folder = os.open(Path(self.baseFilename).parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.stat(self.baseFilename), os.fstat(descriptor)):  # noqa: PTH116  # a text
                return
            for number in range(self._rotation.keep, 0, -1):
                newer = f"{self.baseFilename}.{number - 1}" if number > 1 else self.baseFilename
                with suppress(FileNotFoundError):
                    Path(newer).replace(f"{self.baseFilename}.{number}")
        except (BlockingIOError, FileNotFoundError):
            return
        finally:
            os.close(folder)


class _Console(_Enduring, logging.StreamHandler):  # type: ignore[type-arg]  # generic only for the type checker
    """Standard error."""


def set_up(configured: Settings) -> None:
    """Send the log of this process where the settings say. Safe to repeat."""
    rotation = Rotation(configured.log_max_bytes, configured.log_keep_files)
    install(configured.log_file, configured.log_level, rotation, configured.message_domain)


def install(file: Path, level: str, rotation: Rotation | None = None, message_domain: str = "") -> None:
    """Send the log of this process to `file` and to standard error. Safe to repeat.

    Processes may share the file: each line is one append. A file that was moved is created again. A file that cannot be
    written loses its lines, but stops no work.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, Redacting)]:
        root.removeHandler(handler)
        handler.close()
    for handler in (_File(file, rotation or Rotation()), _Console(sys.stderr)):
        handler.setFormatter(Redacting(message_domain))
        root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # seven lines at every start
