"""A server as a direct child process on a folder of its own: one at a time, and none left behind."""

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

# The environment of a child: no secrets, and the same language and time zone everywhere.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}


class Identity(TypedDict):
    """The account of a program, as arguments of `subprocess`."""

    user: int | None
    group: int | None
    extra_groups: tuple[int, ...] | None


def is_in_use(folder: Path) -> bool:
    """Return True if a program claims the folder now."""
    path = Path(f"{folder}.lock")
    if not path.exists():
        return False
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Child:
    """One program on one folder. `<folder>.lock` keeps out a second one, `<folder>.log` takes its output.

    On Linux the kernel ends the child when the thread that started it ends, if that was the main thread. So a killed
    parent leaves no server behind.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self.program = program
        self.folder = folder.resolve()
        self.log = Path(f"{self.folder}.log")
        self._lock: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Return the process id while the program runs, else None."""
        return self._process.pid if self.is_running() and self._process else None

    def is_running(self) -> bool:
        """Return True if the program was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def claim(self) -> None:
        """Lock the folder, and end processes that a dead parent left in it. Raise Unavailable if it is in use."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{self.folder}.lock").open("ab")  # noqa: SIM115  # open for as long as the server runs
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise errors.Unavailable(
                f"{self.folder}: in use by another running Cadencia; stop that one first"
            ) from None
        self._lock = lock
        _terminate(self._processes_in_folder())

    def start(self, arguments: Sequence[str], *, stdin: bytes = b"", account: pwd.struct_passwd | None = None) -> None:
        """Start the program in its folder, as `account` if not None; claim the folder first."""
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
        """Return once `ready` returns True.

        Raise Unavailable, with the end of the log, if the program ends or is late.
        """
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
        """Send SIGINT, wait, and kill the program if it has not ended. Do nothing if none runs."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the program and its processes in the folder; return when all have ended and are reaped."""
        if self._process is not None:
            if self.is_running():
                self._process.send_signal(signal.SIGSTOP)  # so that it starts no children while they are listed
            processes = self._processes_in_folder()
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.kill()
            self._process.wait()
            _wait_for_end(processes)
            self._process = None
        self.release()

    def release(self) -> None:
        """Unlock the folder; for a start that failed before the program ran."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _processes_in_folder(self) -> list[psutil.Process]:
        # The working directory of both servers is their data folder; their children inherit it, orphaned or not.
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
    """Return the arguments that make `subprocess` run a program as this account; None means our own."""
    if account is None:
        return {"user": None, "group": None, "extra_groups": None}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": ()}


def _terminate(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    for process in _wait_for_end(processes):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait_for_end(processes)


def _wait_for_end(processes: list[psutil.Process], *, timeout_s: float = 10.0) -> list[psutil.Process]:
    # For processes that are not our children; returns those that still run at the end. A zombie holds no resources; its
    # new parent may take a second to reap it.
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if _is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
