"""The demo as a user runs it: real processes, a small file of contacts, a clean audit."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local import parentage
from tests.processes import ROOT, until

PEOPLE = (
    "email;nombre;apellidos;empresa;sector\n"
    + "".join(f"persona{n}@empresa{n % 5}.example;Ana;Ruiz {n};Empresa {n % 5};Logística\n" for n in range(25))
    + "rebota.uno@empresa.example;Luis;Vega;Empresa;Turismo\n"
    + "ocupado.dos@empresa.example;Eva;Mar;Empresa;Turismo\n"
    + "persona1@empresa1.example;Ana;Otra vez;Empresa 1;Logística\n"
    + "no es una dirección;X;Y;Z;W\n"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.demo", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=110
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of these demos, one after the other: only the first makes its cluster."""
    return tmp_path_factory.mktemp("demo") / "a state"


def test_the_demo_ends_with_a_clean_audit(tmp_path: Path, state: Path) -> None:
    contacts = tmp_path / "leads.csv"
    contacts.write_text("\ufeff" + PEOPLE, encoding="utf-8")
    picture = tmp_path / "picture.svg"
    done = run("--contacts", str(contacts), "--state", str(state), "--picture", str(picture))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "27 contacts imported from leads.csv, 1 lines refused" in done.stdout
    assert "line 30" in done.stdout
    assert "audit: clean" in done.stdout
    assert "bounced" in done.stdout
    assert "persona" not in done.stdout
    assert "Luis Vega (Empresa): No e-mail was sent" in done.stdout
    assert f"python -m local.mail.inbox --store {state / 'inbox'}" in done.stdout
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg") and "email_3_ultima_llamada" in drawn and "url(" not in drawn.replace("url(#", "")
    log = (state / "email_system.log").read_text()
    assert "Email sent: email_" in log
    assert "@empresa" not in log


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    done = run("--contacts", str(tmp_path / "missing.csv"))
    assert done.returncode == 2
    assert "there is no file" in done.stderr


def test_a_second_demo_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "00000001.eml").touch()
    with (tmp_path / "postgres.lock").open("ab") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        done = run("--state", str(tmp_path))
    assert done.returncode == 1
    assert "in use by another running Cadencia" in done.stderr
    assert (tmp_path / "inbox" / "00000001.eml").exists()


def test_a_stopped_demo_leaves_no_process(tmp_path: Path, state: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        demo = subprocess.Popen(
            [sys.executable, "-m", "local.demo", "--state", str(state)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            preexec_fn=parentage.end_with_parent(signal.SIGTERM),
        )
    try:
        until(lambda: "the web server, the workers" in log.read_text(), "the processes are being started")
        until(lambda: len(psutil.Process(demo.pid).children()) >= 7, "two servers and five processes run")
        started = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(signal.SIGTERM)  # SIGINT has the same handler, and stops `make up` in its test
        assert demo.wait(30) == 128 + signal.SIGINT
    finally:
        demo.kill()
    assert log.read_text().endswith("stopped before the end; nothing was audited\n")
    _, left = psutil.wait_procs(started, timeout=5)
    assert left == []
