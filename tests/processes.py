"""The real processes of an installation: web server, workers, beat; started, killed and always ended."""

import os
import shlex
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests import forkserver
from tests.forkserver import Child

ROOT = Path(__file__).parents[1]

# The web server's limits of connections, as in the Procfile and the image (tests/rules/test_procfile.py).
LIMITS = shlex.split("--http 1 --http1-header-read-timeout 5000 --backlog 4096 --backpressure 8192")


class Processes:
    """Children of the test, each in a session of its own; their output goes to `log`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._children: list[Child] = []

    def worker(self, queues: str, *options: str, concurrency: int = 1) -> Child:
        """A Celery worker on these queues, with these further options."""
        name = f"{queues.replace(',', '-')}-{len(self._children)}@%h"
        usual = ["-Q", queues, "-c", str(concurrency), "-n", name, "--without-gossip", "--without-mingle"]
        return self.start("celery", "-A", "worker", "worker", *usual, *options)

    def beat(self) -> Child:
        """Another beat of Celery, with a schedule file of its own."""
        schedule = self.log.parent / f"beat-{len(self._children)}"
        return self.start("celery", "-A", "worker", "beat", "-s", str(schedule))

    def web(self, port: int, *, app: str = "web:create_app") -> Child:
        """The web server on `port`; returns when it answers."""
        options = ["--interface", "wsgi", "--factory", "--port", str(port), "--blocking-threads", "64", *LIMITS]
        child = self.start("granian", *options, app)
        until(lambda: _answers(f"http://127.0.0.1:{port}/healthz"), "the web server answers")
        return child

    def start(self, module: str, *arguments: str) -> Child:
        """Start `python -m module …` with this environment."""
        child = forkserver.start(module, *arguments, output=self.log, cwd=ROOT, env=os.environ)
        self._children.append(child)
        return child

    def tell_where(self) -> None:
        """Send SIGABRT to all, and wait until each has written its threads' stacks; needs PYTHONFAULTHANDLER."""
        for child in self._children:
            for process in reversed(family(child.pid)):  # the forked first: their parent would make new ones
                with suppress(psutil.NoSuchProcess):
                    with self.log.open("a") as log:
                        log.write(f"process {process.pid} child of {process.ppid()}, {process.status()}:\n")
                    process.send_signal(signal.SIGABRT)
                    time.sleep(0.2)

    def end(self) -> None:
        """Send SIGKILL to all that still run."""
        for child in self._children:
            for process in family(child.pid):
                process.kill()
            child.wait()


def pool_children(worker: Child) -> list[psutil.Process]:
    """The forked children of a Celery worker, which do its tasks."""
    try:
        return psutil.Process(worker.pid).children()
    except psutil.NoSuchProcess:
        return []


def stop(child: Child, *, within_s: float = 15.0) -> int:
    """Send SIGTERM, as Docker does; return the exit status. Raises TimeoutExpired when it takes longer."""
    child.send_signal(signal.SIGTERM)
    return child.wait(within_s)


def until(holds: Callable[[], object], claim: str, *, within_s: float = 60.0, every_s: float = 0.05) -> None:
    """Wait until `holds()` is true; fails with the claim after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {claim}"
        time.sleep(every_s)


@contextmanager
def running(log: Path) -> Iterator[Processes]:
    """Processes that have ended when the block ends; their output is printed, and pytest shows it of a failed test."""
    processes = Processes(log)
    try:
        yield processes
    finally:
        processes.end()
        if log.exists():
            print(log.read_text(errors="replace")[-40_000:])


def family(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # our own server
            return True
    except OSError:
        return False
