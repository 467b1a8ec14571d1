"""A server run as a direct child process on a folder of its own: one at a time, none left behind."""

import fcntl
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypedDict

import psutil

import errors
from local import parentage

_POLL_S = 0.01
_TAIL_LINES = 8

# What a child sees of the environment: no secret, and the same words and times everywhere.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}


class Identity(TypedDict):
    """Who a program runs as, in the words of `subprocess`."""

    user: int | None
    group: int | None
    extra_groups: tuple[int, ...] | None


class Child:
    """One program on one folder. `<folder>.lock` keeps out a second one, `<folder>.log` takes its output.

    Where Linux allows it, the child is told to end when the thread that started it ends, provided
    that was the main thread; so a killed parent leaves no server behind.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder.resolve()
        self.log = Path(f"{self.folder}.log")
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self.is_running() and self._process else None

    def is_running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def claim(self) -> None:
        """Takes the folder; ends what a parent that died left running on it. Raises Unavailable when in use."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{self.folder}.lock").open("ab")  # noqa: SIM115  # held for as long as the server runs
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise errors.Unavailable(
                f"{self.folder}: in use by another running Cadencia; stop that one first"
            ) from None
        self._lock = lock
        _end(self._inhabitants())

    def start(self, arguments: Sequence[str], *, stdin: bytes = b"", account: pwd.struct_passwd | None = None) -> None:
        """Starts the program in its folder, as `account` if one is given; claim the folder first."""
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self._process = subprocess.Popen(
                [str(self.program), *arguments],
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=parentage.end_with_parent(signal.SIGINT),
                **as_account(account),
            )
        assert self._process.stdin is not None  # noqa: S101  # narrows the type: it is a pipe
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(stdin)

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
        """Returns once `ready` says so. Raises Unavailable, with the log's end, if the program ends or is late."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.is_running():
                raise errors.Unavailable(f"{self.program.name} ended while starting; {self._log_end()}")
            if time.monotonic() > deadline:
                raise errors.Unavailable(
                    f"{self.program.name} does not answer after {timeout_s:.0f} s; {self._log_end()}"
                )
            time.sleep(_POLL_S)

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Asks the program to end (SIGINT), waits, kills it if it does not. Nothing happens if none runs."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the program and everything of it on the folder; returns when all are gone and reaped."""
        if self._process is not None:
            if self.is_running():
                self._process.send_signal(signal.SIGSTOP)  # no new children while they are counted
            doomed = self._inhabitants()
            for process in doomed:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.kill()
            self._process.wait()
            _await_end(doomed)
            self._process = None
        self.release()

    def release(self) -> None:
        """Gives the folder back; for a start that failed before the program ran."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _inhabitants(self) -> list[psutil.Process]:
        # Both servers work inside their data folder, and so do their children, orphaned or not.
        folder = str(self.folder)
        return [
            process
            for process in psutil.process_iter(["name", "cwd"])
            if process.info["name"] == self.program.name and process.info["cwd"] == folder
        ]

    def _log_end(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return f"the end of {self.log}:\n  " + "\n  ".join(lines)


def as_account(account: pwd.struct_passwd | None) -> Identity:
    """The arguments that make `subprocess` run a program as this account; None stands for our own."""
    if account is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    for process in _await_end(processes):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _await_end(processes)


def _await_end(processes: list[psutil.Process], *, timeout_s: float = 10.0) -> list[psutil.Process]:
    # Waits for processes that are not our children, and returns those still there at the end. A zombie
    # holds nothing any more: whoever inherited it may take a second to collect it.
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
