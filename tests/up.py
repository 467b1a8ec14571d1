"""A running `make up` for tests: its process, its output and its environment."""

import json
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from cli import env_file
from local import parentage
from tests.processes import ROOT, until


class Up:
    """The running installation, and the output and file that it writes."""

    def __init__(self, process: subprocess.Popen[str], state: Path, log: Path) -> None:
        self.process, self.state, self.log = process, state, log

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        return env_file.read(self.state / "local.env")

    def call(self, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.environment['TOKEN']}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.environment["PUBLIC_URL"] + path, data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running() -> Iterator[Up]:
    """Run `make up` with its state in a temporary folder; at the end it stops, and leaves no process behind.

    Not in a folder of pytest, whose parent another run closes to other accounts: PostgreSQL may run as one.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with _started(folder) as up:
            yield up


@contextmanager
def _started(folder: Path) -> Iterator[Up]:
    with (folder / "log").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.up", "--state", str(folder / "var")],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=parentage.end_with_parent(signal.SIGTERM),
        )
    started = Up(process, folder / "var", folder / "log")
    try:
        until(lambda: "Cadencia is up" in started.said, "everything is up", within_s=90)
        yield started
    finally:
        children = started.descendants() if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, started.said[-5000:]
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
