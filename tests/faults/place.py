"""Where things are killed: durable servers, a relay, real processes, and what a scenario does with them."""

import random
import secrets
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import redis
from sqlalchemy import text

from engine import bell, clock
from engine.campaigns import campaigns
from errors import Unavailable
from local import ports
from local.postgres import Postgres
from local.valkey import Valkey
from models.session import transaction
from tests import orders, processes, sequence
from tests.faults import accounts
from tests.faults.relay import Log
from tests.processes import Processes

# As in production but for the waiting: leases, ticks and back-offs are short, and doubt is held in both lanes.
ENVIRONMENT = {
    "BELL_ENABLED": "true",
    "TICK_S": "0.3",
    "DRAIN_SLICE_S": "2",
    "SEND_GROUP_SIZE": "25",
    "RETRY_MINUTES": "0.005",
    "SMTP_CONNECTIONS": str(accounts.IN_FLIGHT_MAX),
    "SMTP_CONNECT_TIMEOUT_S": "5",
    "SMTP_COMMAND_TIMEOUT_S": "15",
    "SMTP_DOT_TIMEOUT_S": "15",
    "IN_DOUBT_CAMPAIGN": "hold",
    "IN_DOUBT_TRANSACTIONAL": "hold",
    "PAUSE_BOUNCE_PERCENT": "0",
    "PAUSE_REFUSED_PERCENT": "0",
    "PYTHONFAULTHANDLER": "1",  # SIGABRT makes a process tell where it hangs
}

_BUSY = text("""
SELECT EXISTS (SELECT 1 FROM emails WHERE status IN ('queued', 'claimed', 'sending'))
    OR EXISTS (SELECT 1 FROM send_groups WHERE state = 'open')
    OR EXISTS (SELECT 1 FROM enrollments n WHERE n.state = 'active' OR (n.state = 'waiting' AND NOT EXISTS (
               SELECT 1 FROM emails e
                WHERE e.enrollment_id = n.id AND e.step = n.next_step AND e.status = 'in_doubt')))
""")

_IN_THE_WAY = {
    "statuses": text("SELECT status, count(*), min(due_at) AS due_at, now() FROM emails GROUP BY status"),
    "group": text("""
SELECT g.id, g.sender_id, s.pid, s.fenced_at, g.is_started, cardinality(g.members) AS mails, g.started_at,
       g.leased_until
  FROM send_groups g JOIN senders s ON s.id = g.sender_id WHERE g.state = 'open'"""),
    "connection": text("""
SELECT pid, state, wait_event_type, wait_event, now() - state_change AS since, left(query, 100) AS query
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""),
}


@dataclass
class Servers:
    """One durable PostgreSQL and one Valkey, killed and started again as scenarios want it."""

    postgres: Postgres
    valkey: Valkey

    def flush(self) -> None:
        """FLUSHALL: the broker forgets everything."""
        with redis.Redis.from_url(self.valkey.url) as client:
            client.flushall()

    def answers(self) -> bool:
        """Whether the database can be asked."""
        with suppress(psycopg.OperationalError):
            return bool(self.query("SELECT 1"))
        return False

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """The rows of a statement, as the owner of the server."""
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


@dataclass
class Place:
    """One scenario's ledger, broker, relay and processes; `kills` counts what was killed."""

    folder: Path
    servers: Servers
    processes: Processes
    relay_port: int
    kills: Counter[str] = field(default_factory=Counter)
    mails: int = 0

    def relay(self, *options: str) -> subprocess.Popen[bytes]:
        """Start the relay; returns when it listens."""
        arguments = ["--port", str(self.relay_port), "--log", str(self.folder / "relay.log"), *options]
        relay = self.processes.start("-m", "tests.faults.relay", *arguments)
        processes.until(lambda: not ports.is_free(self.relay_port), "the relay listens")
        return relay

    def keeper(self) -> subprocess.Popen[bytes]:
        """The worker that sweeps, with beat inside."""
        return self.processes.worker("sequence,events", *self._beat())

    def all_in_one(self) -> subprocess.Popen[bytes]:
        """A worker for the whole of a sequence; returns when it is ready."""
        ready = self.ready
        worker = self.processes.worker("sequence,campaign,events", *self._beat())
        processes.until(lambda: self.ready > ready, "the worker is ready")
        return worker

    @property
    def ready(self) -> int:
        """How many workers have said that they are ready."""
        log = self.folder / "log"
        return log.read_text().count(" ready.") if log.exists() else 0

    def points(self, plan: list[tuple[int, str]], queue: str, *options: str) -> subprocess.Popen[bytes]:
        """A worker whose children die where the plan says."""
        self.plan.write_text("".join(f"{times} {point}\n" for times, point in plan))
        return self.strange_worker(queue, "--plan", str(self.plan), *options)

    def strange_worker(self, queue: str, *options: str, beat: bool = False) -> subprocess.Popen[bytes]:
        """A worker of tests/faults/worker.py, with these options of that."""
        usual = ["-Q", queue, "-c", "2", "-n", f"{queue.replace(',', '-')}@%h", *(self._beat() if beat else [])]
        return self.processes.start("-m", "tests.faults.worker", *options, "--", *usual)

    def _beat(self) -> list[str]:
        return ["-B", "-s", str(self.folder / "schedule")]

    @property
    def plan(self) -> Path:
        """The file that says which child dies where."""
        return self.folder / "plan"

    @property
    def log(self) -> Log:
        """What the relay did so far."""
        return Log.read(self.folder / "relay.log")

    def queue(self, lane: str, count: int) -> None:
        """Mails to `count` people: single sends, or a campaign of one step."""
        if lane == "campaign":
            self.launch(count)
            return
        with transaction() as session:
            orders.queue(session, count, now=clock.now())
        self.mails += count
        bell.ring("transactional")

    def launch(self, count: int, *, days: tuple[int, ...] = (0,)) -> None:
        """A running campaign to `count` contacts, its steps so many days apart."""
        now = clock.now()
        with transaction() as session:
            sequence.people(session, count)
            campaign = campaigns.create(session, sequence.draft(days=days), library=sequence.library(), now=now)
            campaigns.launch(session, campaign, now=now)
        self.mails += count * len(days)
        bell.ring("sequence")
        bell.ring("campaign")

    def until_taken(self, count: int) -> None:
        """Wait until the relay has taken this many."""
        self._until(lambda: self.log.count("taken") >= count, f"{count} mails are taken")

    def until_more_is_taken(self, count: int) -> None:
        """Wait until the relay has taken so many more, or all there are."""
        self.until_taken(min(self.log.count("taken") + count, self.mails))

    def until_settled(self, *, within_s: float = 60.0) -> None:
        """Wait until nothing is queued, in hand or due."""
        self._until(lambda: not self.is_busy(), "every mail has its end", within_s=within_s, every_s=0.2)

    def _until(self, holds: Callable[[], object], claim: str, **how: float) -> None:
        try:
            processes.until(holds, claim, **how)
        except AssertionError:
            self._tell_why_not()
            raise

    def _tell_why_not(self) -> None:
        """What is in hand, whom the database waits for, and where every process is; the last go to their log."""
        with transaction() as session:
            for what, query in _IN_THE_WAY.items():
                for row in session.execute(query).mappings():
                    print(what, dict(row))
        print("recorders", sorted(path.name for path in (self.folder / "recorders").glob("*")))
        self.processes.tell_where()

    def is_busy(self) -> bool:
        """Whether anything is on its way; also while the database cannot say."""
        try:
            with transaction() as session:
                return bool(session.scalar(_BUSY))
        except Unavailable:
            return True

    def kill(self, name: str, process: psutil.Process | subprocess.Popen[bytes]) -> None:
        """SIGKILL in the middle of the work, and count it."""
        assert self.is_busy(), f"all is done: to kill this {name} proves nothing"
        process.kill()
        self.kills[name] += 1

    def kill_child(self, worker: subprocess.Popen[bytes], chance: random.Random) -> None:
        """SIGKILL to one of the processes that do a worker's tasks."""

        def killed() -> bool:
            children = processes.pool_children(worker)
            with suppress(psutil.NoSuchProcess):  # it died of something else just now: another one
                if children:
                    self.kill("child", chance.choice(children))
                    return True
            return False

        processes.until(killed, "a child could be killed")

    def judge(self, scenario: str) -> accounts.Verdict:
        """The audit of this run, every mail having its end."""
        return accounts.judge(scenario, self.log, mails=self.mails, kills=self.kills)


@contextmanager
def serving() -> Iterator[Servers]:
    """A durable PostgreSQL and a Valkey; gone, data and all, when the block ends."""
    with tempfile.TemporaryDirectory(prefix="cadencia-faults-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # started by root, PostgreSQL runs as another account
        password = secrets.token_urlsafe(16)
        postgres = Postgres(folder / "postgres", ports.free(), password, settings={"shared_buffers": "64MB"})
        servers = Servers(postgres, Valkey(folder / "valkey", ports.free(), password))
        try:
            servers.postgres.start()
            servers.valkey.start()
            yield servers
        finally:
            servers.valkey.kill()
            servers.postgres.kill()


def environment(folder: Path, servers: Servers, database_name: str, relay_port: int) -> dict[str, str]:
    """What the processes of a scenario find in their environment."""
    return ENVIRONMENT | {
        "DATABASE_URL": servers.postgres.url(database_name),
        "CELERY_BROKER_URL": servers.valkey.url,
        "SMTP_URL": f"smtp://127.0.0.1:{relay_port}",
        "RECORDER_DIR": str(folder / "recorders"),
        "SPOOL_DIR": str(folder / "spool"),
        "LOG_FILE": str(folder / "log"),
    }
