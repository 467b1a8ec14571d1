"""A supervisor of processes: starts them from commands, prefixes their output, restarts them when they end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from local import parentage
from local.stack import ROOT

_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _STEADY_S = 0.5, 20.0, 30.0
_SYSTEM = "cadencia"


@dataclass
class _Supervised:
    """One process: its command, and the state of its restarts."""

    name: str
    command: str
    colour: str | None
    environment: dict[str, str]
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    pause_s: float = field(default=_FIRST_PAUSE_S)


class Supervisor:
    """The processes of an installation. Use it from the main thread: on Linux they end when that does."""

    def __init__(self, environment: Mapping[str, str], *, log: Path | None = None) -> None:
        """Write the output of the processes to `log`, or to the terminal."""
        self._environment = dict(environment)
        self._printer = Printer(log.open("a", encoding="utf-8") if log else sys.stdout, width=len(_SYSTEM))
        self._colours = get_colours()
        self._processes: list[_Supervised] = []

    def start(self, name: str, command: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a process from a shell command, such as one of the Procfile, in this environment or the usual one."""
        process = _Supervised(name, command, next(self._colours), dict(environment or self._environment))
        self._printer.width = max(self._printer.width, len(name))
        self._processes.append(process)
        self._launch(process)

    def restart_ended(self) -> None:
        """Start ended processes again after a pause: half a second, doubled each time, at most 20 s."""
        for process in self._processes:
            if process.child is None and time.monotonic() >= process.restart_at:
                self._launch(process)
            elif process.child is not None and (status := process.child.poll()) is not None:
                self._schedule_restart(process, status)

    def are_all_running(self) -> bool:
        """Return True if every process runs."""
        return all(process.child is not None and process.child.poll() is None for process in self._processes)

    def stop(self, *, within_s: float = 12.0) -> None:
        """Send SIGTERM to all, and SIGKILL to the process groups that still run after `within_s` seconds."""
        children = [process.child for process in self._processes if process.child is not None]
        for child in children:
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + within_s
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and its children, if it left any
            child.wait()
        self._processes.clear()

    def say(self, text: str) -> None:
        """Print a line of our own between theirs."""
        self._print(_SYSTEM, None, text.encode())

    def _launch(self, process: _Supervised) -> None:
        process.child = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {process.command}"],
            cwd=ROOT,
            env=process.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=parentage.end_with_parent(signal.SIGTERM),
        )
        process.started_at = time.monotonic()
        threading.Thread(target=self._copy_output, args=[process, process.child], daemon=True).start()

    def _schedule_restart(self, process: _Supervised, status: int) -> None:
        if time.monotonic() - process.started_at > _STEADY_S:
            process.pause_s = _FIRST_PAUSE_S
        self.say(f"{process.name} ended with status {status}; starting it again in {process.pause_s:g} s")
        assert process.child is not None  # noqa: S101  # it has just ended
        with suppress(ProcessLookupError):
            os.killpg(process.child.pid, signal.SIGTERM)  # forked children of a worker that was killed
        process.child, process.restart_at = None, time.monotonic() + process.pause_s
        process.pause_s = min(2 * process.pause_s, _LONGEST_PAUSE_S)

    def _copy_output(self, process: _Supervised, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        with child.stdout as lines:
            for line in lines:
                self._print(process.name, process.colour, line)

    def _print(self, name: str, colour: str | None, line: bytes) -> None:
        now = datetime.now().astimezone()
        self._printer.write(Message(type="line", data=line, time=now, name=name, colour=colour))
