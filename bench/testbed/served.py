"""Processes of an installation, started by the lines of the Procfile, the web server above all."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.testbed.installation import Installation, family
from engine.access import accounts, bearer_tokens
from local import parentage, ports
from models.session import transaction

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Served:
    """A web server of the installation."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def cpu_s(self) -> float:
        """Return the user and system time of all its processes."""
        times = [each.cpu_times() for each in family(self.process.pid)]
        return float(sum(each.user + each.system for each in times))


@contextmanager
def served(installation: Installation, app: str = "web:create_app", path: str = "/healthz") -> Iterator[Served]:
    """Run the Procfile's web server with this application; ready when `path` answers."""
    port = ports.free()
    process = _start(installation, command("web").replace("web:create_app", app), WEB_PORT=str(port))
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}{path}")
        yield Served(port, process)
    finally:
        process.terminate()
        process.wait(20)


def work(installation: Installation, *names: str) -> None:
    """Start these workers of the Procfile, or beat; return when the workers are ready."""
    for name in names:
        installation.workers.append(_start(installation, command(name)))
        installation.started += name != "beat"  # beat never reports that it is ready
    installation.wait_for_workers()


def caller(scopes: Sequence[str]) -> str:
    """Return the token of a new account with these scopes."""
    now = datetime.now(UTC)
    with transaction() as session:
        account = accounts.create(session, f"bench {now.isoformat()}", f"password of {now.isoformat()}", scopes=scopes)
    return bearer_tokens.issue(account, now=now).access


def command(name: str) -> str:
    """Return a line of the Procfile."""
    lines = (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines())
    return {key: value.strip() for key, _, value in lines}[name]


def _start(installation: Installation, line: str, **environment: str) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    whole = {**os.environ, "PATH": path, "STATE": str(installation.folder), **environment}
    with (installation.folder / "processes.log").open("ab") as output:
        return subprocess.Popen(
            ["/bin/sh", "-c", f"exec {line}"],
            cwd=ROOT, env=whole, stdout=output, stderr=output, start_new_session=True,
            preexec_fn=parentage.end_with_parent(signal.SIGTERM),
        )  # fmt: skip


def _wait_until_it_answers(url: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own server
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
