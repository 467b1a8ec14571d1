"""Supervised processes: started from a command, their output prefixed by name, started again when they die."""

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
class _Member:
    """One process: what it is started with, and how it has fared."""

    name: str
    command: str
    colour: str | None
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_s: float = field(default=_FIRST_PAUSE_S)


class Crew:
    """The processes of an installation. To be used from the main thread: on Linux they end when it does."""

    def __init__(self, environment: Mapping[str, str], *, log: Path | None = None) -> None:
        """Their output goes to `log`, or to the terminal."""
        self._environment = dict(environment)
        self._printer = Printer(log.open("a", encoding="utf-8") if log else sys.stdout, width=len(_SYSTEM))
        self._colours = get_colours()
        self._members: list[_Member] = []

    def start(self, name: str, command: str) -> None:
        """Start a process by a line of shell, such as one of the Procfile."""
        member = _Member(name, command, next(self._colours))
        self._printer.width = max(self._printer.width, len(name))
        self._members.append(member)
        self._launch(member)

    def mend(self) -> None:
        """Start again what has died and has had its pause: half a second, doubled each time, at most 20 s."""
        for member in self._members:
            if member.child is None and time.monotonic() >= member.start_again_at:
                self._launch(member)
            elif member.child is not None and (status := member.child.poll()) is not None:
                self._note_death(member, status)

    def is_well(self) -> bool:
        """Whether every process runs."""
        return all(member.child is not None and member.child.poll() is None for member in self._members)

    def stop(self, *, within_s: float = 12.0) -> None:
        """SIGTERM to all; SIGKILL to whole process groups that are still there after `within_s` seconds."""
        children = [member.child for member in self._members if member.child is not None]
        for child in children:
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + within_s
        for child in children:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # its own children too, should it have left any
            child.wait()
        self._members.clear()

    def say(self, words: str) -> None:
        """A line of our own among theirs."""
        self._print(_SYSTEM, None, words.encode())

    def _launch(self, member: _Member) -> None:
        member.child = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {member.command}"],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=parentage.end_with_parent(signal.SIGTERM),
        )
        member.started_at = time.monotonic()
        threading.Thread(target=self._relay, args=[member, member.child], daemon=True).start()

    def _note_death(self, member: _Member, status: int) -> None:
        if time.monotonic() - member.started_at > _STEADY_S:
            member.pause_s = _FIRST_PAUSE_S
        self.say(f"{member.name} ended with status {status}; starting it again in {member.pause_s:g} s")
        assert member.child is not None  # noqa: S101  # it has just died
        with suppress(ProcessLookupError):
            os.killpg(member.child.pid, signal.SIGTERM)  # forked children of a worker whose parent was killed
        member.child, member.start_again_at = None, time.monotonic() + member.pause_s
        member.pause_s = min(2 * member.pause_s, _LONGEST_PAUSE_S)

    def _relay(self, member: _Member, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        with child.stdout as lines:
            for line in lines:
                self._print(member.name, member.colour, line)

    def _print(self, name: str, colour: str | None, line: bytes) -> None:
        now = datetime.now().astimezone()
        self._printer.write(Message(type="line", data=line, time=now, name=name, colour=colour))
