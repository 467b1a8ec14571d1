"""Servers whose parent process is killed."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from local import ports
from local.valkey import Valkey

ROOT = Path(__file__).parents[2]

_PARENT = """
import sys, time
from pathlib import Path
from local.valkey import Valkey
server = Valkey(Path(sys.argv[1]), int(sys.argv[2]), "password")
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def _orphan(folder: Path, code: str = _PARENT) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), str(ports.free())], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return parent, pid


def _ends(pid: int, *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    _, pid = _orphan(tmp_path / "valkey")
    assert _ends(pid, within_s=5)


def test_start_takes_the_folder_over_when_an_orphan_lives_on_it(tmp_path: Path) -> None:
    threaded = _PARENT.replace(
        "server.start()", "import threading; t = threading.Thread(target=server.start); t.start(); t.join()"
    )
    _, pid = _orphan(tmp_path / "valkey", threaded)
    assert psutil.pid_exists(pid)
    server = Valkey(tmp_path / "valkey", ports.free(), "password")
    server.start()
    try:
        assert _ends(pid, within_s=0.1)
        assert server.pid != pid
    finally:
        server.kill()
