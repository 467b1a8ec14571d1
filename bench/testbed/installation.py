"""A whole installation to measure: durable PostgreSQL, Valkey and real workers, all on this machine."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import text

import settings
from local import ports
from local import secrets as local_secrets
from local.postgres import Postgres
from local.valkey import Valkey
from models import migrations, vault
from models import session as database
from models.session import transaction

_OWN_TEMPLATES = Path(__file__).parents[1] / "templates"
_TEMPLATES = Path(__file__).parents[2] / "email_templates"
_EMPTY = text(
    "TRUNCATE contacts, campaigns, campaign_steps, enrollments, emails, events, send_groups, senders, "
    "suppressions, email_stats CASCADE"
)


@dataclass
class Installation:
    """An installation: its folder, its database server, and the worker processes started in it."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def worker(self, queues: str, concurrency: int) -> subprocess.Popen[bytes]:
        """Start a Celery worker on these queues."""
        options = ["-Q", queues, "-c", str(concurrency), "-n", f"{queues}@%h", "--without-gossip", "--without-mingle"]
        return self.process("-m", "celery", "-A", "worker", "worker", *options)

    def sending(self, processes: int = 3) -> subprocess.Popen[bytes]:
        """Start everything a campaign needs, beat included; return the worker that sends, ready."""
        senders = self.worker("campaign", processes)
        self.worker("sequence", 1)
        self.process("-m", "celery", "-A", "worker", "beat", "-s", str(self.folder / "beat"))
        self.started -= 1  # beat never reports that it is ready
        self.wait_for_workers()
        return senders

    def process(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a Python process of the installation, with the current environment."""
        with (self.folder / "processes.log").open("ab") as output:
            worker = subprocess.Popen(
                [sys.executable, *arguments], stdout=output, stderr=output, start_new_session=True
            )
        self.workers.append(worker)
        self.started += 1
        return worker

    def wait_for_workers(self) -> None:
        """Wait until every worker is ready, so that only its work is measured."""
        log = self.folder / "processes.log"
        while log.read_text(errors="replace").count(" ready.") < self.started:
            time.sleep(0.1)

    def stop_workers(self) -> None:
        """Send SIGTERM, and SIGKILL to what is left after ten seconds."""
        families = [family(worker.pid) for worker in self.workers]
        for worker in self.workers:
            worker.terminate()
        for worker, members in zip(self.workers, families, strict=True):
            try:
                worker.wait(10)
            except subprocess.TimeoutExpired:
                for process in members:
                    with suppress(psutil.NoSuchProcess):  # it may have ended
                        process.kill()
                worker.wait()
        self.workers.clear()

    def empty(self) -> None:
        """Delete the rows of every table and vacuum."""
        with transaction() as session:
            session.execute(_EMPTY)

    def settle(self) -> None:
        """Let the database update its statistics and write a checkpoint."""
        with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))

    def cpu_s(self) -> dict[str, float]:
        """Return the user and system seconds used by each part so far, including processes that have ended."""
        workers = [process for worker in self.workers for process in family(worker.pid)]
        return {
            "workers": _cpu_s(workers),
            "postgres": _cpu_s(family(self.postgres.pid)),
            "valkey": _cpu_s(family(self.valkey.pid)),
        }


def family(pid: int | None) -> list[psutil.Process]:
    """Return a process and all its living descendants."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def peak_mib(processes: list[psutil.Process]) -> float:
    """Return the largest peak of resident memory among these processes, in MiB (VmHWM of proc(5))."""
    return max(_high_water_kib(process.pid) for process in processes) / 1024


def wait_until_idle(query: str, *, within_s: float) -> None:
    """Wait until a query for waiting work returns false."""
    deadline = time.monotonic() + within_s
    while True:
        with transaction() as session:
            if not session.scalar(text(query)):
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"still busy after {within_s:.0f} s: {query}")
        time.sleep(0.05)


@contextmanager
def installed(smtp_port: int, **settings_of: str) -> Iterator[Installation]:
    """Provide an installation that sends to `smtp_port`, and remove it when the block ends."""
    with tempfile.TemporaryDirectory(prefix="cadencia-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        password = secrets.token_urlsafe(16)
        tuned = {"max_wal_size": "4GB", "shared_buffers": "256MB"}
        postgres = Postgres(folder / "postgres", ports.free(), password, settings=tuned)
        valkey = Valkey(folder / "valkey", ports.free(), password)
        installation = Installation(folder, postgres, valkey)
        postgres.start()
        valkey.start()
        try:
            postgres.create("bench")
            with environment(_environment(installation, smtp_port) | settings_of):
                forget()
                migrations.upgrade()
                yield installation
        finally:
            installation.stop_workers()
            forget()
            valkey.kill()
            postgres.kill()


def _environment(installation: Installation, smtp_port: int) -> dict[str, str]:
    """Return its environment, with the product's templates and the benchmark's in one folder."""
    templates = installation.folder / "templates"
    templates.mkdir()
    for entry in (*_TEMPLATES.iterdir(), *_OWN_TEMPLATES.iterdir()):
        (templates / entry.name).symlink_to(entry)
    return local_secrets.load(installation.folder / "secrets.env") | {
        "DATABASE_URL": installation.postgres.url("bench"),
        "CELERY_BROKER_URL": installation.valkey.url,
        "SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        "MAIL_FROM": "Cadencia <hola@cadencia.example>",
        "RECORDER_DIR": str(installation.folder / "recorders"),
        "SPOOL_DIR": str(installation.folder / "spool"),
        "LOG_FILE": str(installation.folder / "email_system.log"),
        "TEMPLATES_DIR": str(templates),
        "BELL_ENABLED": "true",
        "ENVIRONMENT": "test",
    }


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set these variables in this process, and so in the processes it starts meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def forget() -> None:
    """Clear this process's caches of settings from its environment."""
    if database.engine.cache_info().currsize:
        database.engine().dispose()
    for cached in (settings.current, vault.current, database.engine):
        cached.cache_clear()


def _cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU time of processes and of children they outlived: an autovacuum may begin and end within a run."""
    times = [process.cpu_times() for process in processes if process.is_running()]
    return float(sum(each.user + each.system + each.children_user + each.children_system for each in times))


def _high_water_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
