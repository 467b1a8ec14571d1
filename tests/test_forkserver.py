"""Python processes that are forks of one with the libraries imported."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests import forkserver, processes
from tests.forkserver import Child


def start(folder: Path, code: str, *arguments: str, **env: str) -> Child:
    module = f"subject_{len(list(folder.glob('*.py')))}"
    (folder / f"{module}.py").write_text(code)
    return forkserver.start(module, *arguments, output=folder / "log", cwd=folder, env={**os.environ, **env})


def test_a_process_has_its_arguments_environment_folder_output_and_session(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "print(__name__, sys.argv[1:], os.environ['SUBJECT'], os.getcwd(), os.getsid(0) == os.getpid(), flush=True)\n"
        "print([name for name in sys.modules if name.startswith(('worker', 'celery_config'))], file=sys.stderr)\n"
        "sys.exit(7)\n"
    )
    assert start(tmp_path, code, "a", "b c", SUBJECT="é").wait(30) == 7
    assert (tmp_path / "log").read_text().splitlines() == [f"__main__ ['a', 'b c'] é {tmp_path} True", "[]"]


def test_signals_and_time_limits_are_those_of_any_process(tmp_path: Path) -> None:
    child = start(tmp_path, "import time\ntime.sleep(60)\n")
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    assert child.poll() is None
    child.terminate()
    assert child.wait(30) == -signal.SIGTERM == child.poll()
    child.kill()  # of a process that has ended: nothing happens
    assert not psutil.pid_exists(child.pid)


def test_descriptors_of_other_processes_are_closed(tmp_path: Path) -> None:
    first = start(tmp_path, "import time\ntime.sleep(60)\n")
    second = start(tmp_path, "import os\nprint(sorted(os.listdir('/proc/self/fd')), flush=True)\n")
    try:
        assert second.wait(30) == 0
        assert (tmp_path / "log").read_text() == "['0', '1', '2', '3']\n"  # the fourth is that of the list itself
    finally:
        first.kill()
        first.wait(30)


def test_an_unknown_module_ends_with_a_message(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = forkserver.start("no_such_module", output=log, cwd=tmp_path, env=os.environ)
    processes.until(lambda: child.poll() is not None, "it has ended")
    assert (child.returncode, "No module named no_such_module" in log.read_text()) == (1, True)


def test_a_program_has_what_a_shell_gives_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "subject.py").write_text(
        "import os, sys\n"
        "sys.stdout.reconfigure(errors='replace')\n"
        "print(sys.argv[1:], os.getcwd(), os.environ['SUBJECT'], sys.stdin.read())\n"
        "print('a fault', file=sys.stderr)\n"
        "sys.exit(7)\n"
    )
    descriptor = forkserver.write_program(tmp_path / "program", "subject")
    script = 'echo "$(echo read | ./program a "b c")" 1>&2; ./program </dev/null >/dev/null 2>&1'
    env = {**os.environ, "SUBJECT": "é"}
    ran = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=env, pass_fds=[descriptor], capture_output=True, text=True, timeout=30
    )
    assert (ran.returncode, ran.stdout) == (7, "")
    assert sorted(ran.stderr.splitlines()) == [f"['a', 'b c'] {tmp_path} é read", "a fault"]
