"""Python processes that start without importing the libraries again: forks of a process that has imported them.

A worker or a web server imports for two seconds of CPU, and the tests start a hundred. Otherwise a fork equals `python
-m MODULE …`: it runs the module as `__main__`, in a session, environment and folder of its own.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from runpy import run_module
from typing import Any

from local import parentage

# No module that reads the settings or makes objects that a process shares with its own forks: no `worker`, no
# `celery_config`.
PRELOADED = (
    "celery.bin.worker",
    "celery.bin.beat",
    "celery.apps.worker",
    "celery.apps.beat",
    "celery.concurrency.prefork",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.events.snapshot",
    "kombu.transport.redis",
    "granian.cli",
    "web",
    "engine.upkeep",
    "engine.ingest.drain",
    "engine.campaigns.auto_pause",
    "engine.delivery.recovery",
    "engine.delivery.relays.balancer",
    "engine.messages.compose",
    "psutil",
    "cli.main",
)
_NEVER = ("celery_config", "worker", "tests.faults")
_MESSAGE_BYTES_MAX = 1_000_000


class Child:
    """A forked process, with the part of the interface of `subprocess.Popen` that the tests use."""

    def __init__(self, pid: int, exit_status: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._exit_status = exit_status

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, or minus the signal; raises TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._exit_status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            self.returncode = int(self._exit_status.recv(100) or b"-9")  # the server has ended, and its children too
            self._exit_status.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit status of a process that has ended, else None."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0.0)
        return None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(module: str, *arguments: str, output: Path, cwd: Path, env: Mapping[str, str]) -> Child:
    """Start `python -m module …`; its output is appended to `output`. Ends with the tests, by SIGTERM."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = {"argv": [module, *arguments], "cwd": str(cwd), "env": dict(env)}
    with theirs, output.open("ab") as log:
        socket.send_fds(connection(), [json.dumps(request).encode()], [theirs.fileno(), log.fileno()])
    return Child(int(ours.recv(100)), ours)


# A program that is `python -m MODULE …` for a shell: its folder, environment, standard streams and exit status.
# It gets the connection to the server as an inherited descriptor, and starts without the site's packages.
_PROGRAM = """#!{python} -IS
import json, os, socket, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
request = {{"argv": [{module!r}, *sys.argv[1:]], "cwd": os.getcwd(), "env": dict(os.environ)}}
with theirs, socket.socket(fileno={descriptor}) as server:
    socket.send_fds(server, [json.dumps(request).encode()], [theirs.fileno(), 1, 2, 0])
ours.recv(100)
sys.exit(int(ours.recv(100)))
"""


def write_program(path: Path, module: str) -> int:
    """Write a program that runs `module`; return the descriptor that it must inherit."""
    descriptor = connection().fileno()
    path.write_text(_PROGRAM.format(python=sys.executable, module=module, descriptor=descriptor))
    path.chmod(0o755)
    return descriptor


@lru_cache(maxsize=1)
def connection() -> socket.socket:
    """Start the server of this test process and return the connection to it; when that closes, it ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=Path(__file__).parents[1],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=parentage.end_with_parent(signal.SIGKILL),
        )
    return ours


class Server:
    """The process that forks: it answers each request with a process id and, later, an exit status."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._children: dict[int, socket.socket] = {}
        self._ended, wake = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> dict[str, Any] | None:
        """Fork a child for each request until the tests end. Return the request in a child, None in the server."""
        while True:
            select.select([self._requests.fileno(), self._ended], [], [])
            self._report_exits()
            if select.select([self._requests], [], [], 0)[0]:
                message, descriptors, _, _ = socket.recv_fds(self._requests, _MESSAGE_BYTES_MAX, 4)
                if not message:
                    return None
                if self._fork(*descriptors) == 0:
                    request: dict[str, Any] = json.loads(message)
                    return request

    def _fork(self, connection: int, output: int, *errors_and_input: int) -> int:
        """Fork; return 0 in the child, which has closed everything of the server.

        Without a descriptor for standard error that is `output`, too.
        """
        pid = os.fork()
        if pid:
            self._children[pid] = socket.socket(fileno=connection)
            self._children[pid].send(str(pid).encode())
            for descriptor in (output, *errors_and_input):
                os.close(descriptor)
            return pid
        os.setsid()
        signal.set_wakeup_fd(-1)
        for inherited in (self._requests, *self._children.values()):
            inherited.detach()  # otherwise its finalizer would close a descriptor that the module has opened since
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for target, descriptor in zip((1, 2, 0), (output, *(errors_and_input or (output,))), strict=False):
            os.dup2(descriptor, target)
        if errors_and_input:  # a shell's, whose pipes cannot seek as the descriptors of the server could
            sys.stdin = open(0, closefd=False)  # noqa: SIM115  # open until the process ends
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # as above
            sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115  # as above
        os.closerange(3, 1_000)
        end_with_parent = parentage.end_with_parent(signal.SIGTERM)
        if end_with_parent is not None:
            end_with_parent()
        return 0

    def _report_exits(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._ended, 1_000)
        with suppress(ChildProcessError):
            while pid := (exited := os.waitpid(-1, os.WNOHANG))[0]:
                with self._children.pop(pid) as connection, suppress(BrokenPipeError):
                    connection.send(str(os.waitstatus_to_exitcode(exited[1])).encode())


class _Exit:
    """The end of a forked child: without the destruction of all objects, which would copy each page of the server."""

    status: int | None = None

    def leave(self) -> None:
        """Exit with the status, if there is one. To be registered first, so that it is called last."""
        if self.status is not None:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(self.status)


def main() -> None:
    """Serve; in a forked child, run the requested module."""
    ending = _Exit()
    atexit.register(ending.leave)
    for name in PRELOADED:
        import_module(name)
    assert not [name for name in sys.modules if name.startswith(_NEVER)]
    gc.collect()
    gc.freeze()  # a collection in a child would copy all pages
    request = Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if request is not None:
        gc.unfreeze()
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        sys.path[0] = request["cwd"]  # as with -m
        module, *arguments = request["argv"]
        sys.argv = [module, *arguments]
        if os.environ.get("PYTHONFAULTHANDLER"):
            import faulthandler

            faulthandler.enable()
        try:
            run_module(module, run_name="__main__", alter_sys=True)
            ending.status = 0
        except SystemExit as ended:
            ending.status = 0 if ended.code is None else ended.code if isinstance(ended.code, int) else 1
            raise


if __name__ == "__main__":
    main()
