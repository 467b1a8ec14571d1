"""Supervised processes whose supervisor is killed."""

import os
import sys
from pathlib import Path

import psutil
from honcho.environ import parse_procfile

from local import ports
from tests.processes import ROOT, until

_SUPERVISOR = """
import os, sys, time
from pathlib import Path
from local.supervisor import Supervisor
supervisor = Supervisor(os.environ, log=Path(sys.argv[1]))
supervisor.start("web", sys.argv[2])
time.sleep(60)
"""


def test_the_web_server_ends_when_its_supervisor_is_killed_while_it_starts(tmp_path: Path) -> None:
    command = parse_procfile((ROOT / "Procfile").read_text()).processes["web"]
    environment = os.environ | {
        "WEB_PORT": str(ports.free()),
        "SPOOL_DIR": str(tmp_path / "spool"),
        "LOG_FILE": str(tmp_path / "log"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    arguments = [sys.executable, "-c", _SUPERVISOR, str(tmp_path / "output"), command]
    supervisor = psutil.Popen(arguments, cwd=ROOT, env=environment)
    family: list[psutil.Process] = []
    try:
        # Three processes: granian and its two workers, which still load the application.
        until(lambda: len(supervisor.children(recursive=True)) == 3, "the workers are forked", every_s=0.01)
        family = supervisor.children(recursive=True)
    finally:
        supervisor.kill()
        supervisor.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    for process in alive:
        process.kill()
    assert alive == []
