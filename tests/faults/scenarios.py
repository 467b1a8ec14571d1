"""A scenario: durable servers, a relay and real processes, and functions to load, watch and kill them."""

import random
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
from engine.campaigns.drafting import drafts
from errors import Unavailable
from local import ports
from local.postgres import Postgres
from local.valkey import Valkey
from models.session import transaction
from tests import processes, sends, sequence, services
from tests.faults import comparison
from tests.faults.relay import Log
from tests.forkserver import Child
from tests.processes import Processes

# As in production, but with short ticks and back-offs, and e-mails in doubt are held in both lanes.
ENVIRONMENT = {
    "BELL_ENABLED": "true",
    "TICK_S": "0.3",
    "DRAIN_SLICE_S": "2",
    "SEND_GROUP_SIZE": "25",
    "RETRY_MINUTES": "0.005",
    "SMTP_CONNECTIONS": str(comparison.IN_FLIGHT_MAX),
    "SMTP_CONNECT_TIMEOUT_S": "5",
    "SMTP_COMMAND_TIMEOUT_S": "15",
    "SMTP_DOT_TIMEOUT_S": "15",
    "IN_DOUBT_CAMPAIGN": "hold",
    "IN_DOUBT_TRANSACTIONAL": "hold",
    "PAUSE_BOUNCE_PERCENT": "0",
    "PAUSE_REFUSED_PERCENT": "0",
    "PYTHONFAULTHANDLER": "1",  # on SIGABRT a process prints its stacks
}

_BUSY = text("""
SELECT EXISTS (SELECT 1 FROM emails WHERE status IN ('queued', 'claimed', 'sending'))
    OR EXISTS (SELECT 1 FROM send_groups WHERE state = 'open')
    OR EXISTS (SELECT 1 FROM enrollments n WHERE n.state = 'active' OR (n.state = 'waiting' AND NOT EXISTS (
               SELECT 1 FROM emails e
                WHERE e.enrollment_id = n.id AND e.step = n.next_step AND e.status = 'in_doubt')))
""")

_DIAGNOSTICS = {
    "statuses": text("SELECT status, count(*), min(due_at) AS due_at, now() FROM emails GROUP BY status"),
    "group": text("""
SELECT g.id, g.sender_id, s.pid, s.fenced_at, g.is_started, cardinality(g.members) AS emails, g.started_at,
       g.leased_until
  FROM send_groups g JOIN senders s ON s.id = g.sender_id WHERE g.state = 'open'"""),
    "connection": text("""
SELECT pid, state, wait_event_type, wait_event, now() - state_change AS since, left(query, 100) AS query
  FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"""),
}


@dataclass
class Servers:
    """One durable PostgreSQL and one Valkey, which scenarios kill and start again."""

    postgres: Postgres
    valkey: Valkey

    def flush(self) -> None:
        """Delete everything in the broker (FLUSHALL)."""
        with redis.Redis.from_url(self.valkey.url) as client:
            client.flushall()

    def answers(self) -> bool:
        """Return True if the database answers."""
        with suppress(psycopg.OperationalError):
            return bool(self.query("SELECT 1"))
        return False

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement, run as the owner of the server."""
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


@dataclass
class Scenario:
    """The database, broker, relay and processes of one test; `kills` counts the kills by process."""

    folder: Path
    servers: Servers
    processes: Processes
    relay_port: int
    kills: Counter[str] = field(default_factory=Counter)
    emails: int = 0

    def relay(self, *options: str) -> Child:
        """Start the relay and wait until it listens."""
        arguments = ["--port", str(self.relay_port), "--log", str(self.folder / "relay.log"), *options]
        relay = self.processes.start("tests.faults.relay", *arguments)
        processes.until(lambda: not ports.is_free(self.relay_port), "the relay listens")
        return relay

    def keeper(self) -> Child:
        """Start the worker that sweeps, with beat inside."""
        return self.processes.worker("sequence,events", *self._beat())

    def all_in_one(self) -> Child:
        """Start a worker for all queues of a sequence, and wait until it is ready."""
        ready = self.ready
        worker = self.processes.worker("sequence,campaign,events", *self._beat())
        processes.until(lambda: self.ready > ready, "the worker is ready")
        return worker

    @property
    def ready(self) -> int:
        """Return the number of workers that have logged that they are ready."""
        log = self.folder / "log"
        return log.read_text().count(" ready.") if log.exists() else 0

    def points(self, plan: list[tuple[int, str]], queue: str, *options: str) -> Child:
        """Start a worker whose children die at the points of the plan."""
        self.plan.write_text("".join(f"{times} {point}\n" for times, point in plan))
        return self.wrapped_worker(queue, "--plan", str(self.plan), *options)

    def wrapped_worker(self, queue: str, *options: str, beat: bool = False) -> Child:
        """Start the worker of tests/faults/worker.py with these options."""
        usual = ["-Q", queue, "-c", "2", "-n", f"{queue.replace(',', '-')}@%h", *(self._beat() if beat else [])]
        return self.processes.start("tests.faults.worker", *options, "--", *usual)

    def _beat(self) -> list[str]:
        return ["-B", "-s", str(self.folder / "schedule")]

    @property
    def plan(self) -> Path:
        """The file with the points at which children die."""
        return self.folder / "plan"

    @property
    def log(self) -> Log:
        """Return the log of the relay."""
        return Log.read(self.folder / "relay.log")

    def queue(self, lane: str, count: int) -> None:
        """Queue e-mails to `count` contacts: single sends, or a campaign of one step."""
        if lane == "campaign":
            self.launch(count)
            return
        with transaction() as session:
            sends.queue(session, count, now=clock.now())
        self.emails += count
        bell.ring("transactional")

    def launch(self, count: int, *, days: tuple[int, ...] = (0,)) -> None:
        """Launch a campaign to `count` contacts, with this many days before each step."""
        now = clock.now()
        with transaction() as session:
            sequence.people(session, count)
            campaign = drafts.create(session, sequence.draft(days=days), library=sequence.library(), now=now)
            campaigns.launch(session, campaign, now=now)
        self.emails += count * len(days)
        bell.ring("sequence")
        bell.ring("campaign")

    def until_accepted(self, count: int) -> None:
        """Wait until the relay has accepted this many e-mails."""
        self._until(lambda: self.log.count("accepted") >= count, f"{count} e-mails are accepted")

    def until_more_accepted(self, count: int) -> None:
        """Wait until the relay has accepted this many more, or all of them."""
        self.until_accepted(min(self.log.count("accepted") + count, self.emails))

    def until_settled(self, *, within_s: float = 60.0) -> None:
        """Wait until nothing is queued, claimed or due."""
        self._until(lambda: not self.is_busy(), "every e-mail has ended", within_s=within_s, every_s=0.2)

    def _until(self, holds: Callable[[], object], claim: str, **how: float) -> None:
        try:
            processes.until(holds, claim, **how)
        except AssertionError:
            self._print_diagnostics()
            raise

    def _print_diagnostics(self) -> None:
        """Print open groups and connections, and let every process write its stacks to the log."""
        with transaction() as session:
            for what, query in _DIAGNOSTICS.items():
                for row in session.execute(query).mappings():
                    print(what, dict(row))
        print("recorders", sorted(path.name for path in (self.folder / "recorders").glob("*")))
        self.processes.tell_where()

    def is_busy(self) -> bool:
        """Return True if anything is in flight, or if the database is unavailable."""
        try:
            with transaction() as session:
                return bool(session.scalar(_BUSY))
        except Unavailable:
            return True

    def kill(self, name: str, process: psutil.Process | Child) -> None:
        """Kill the process (SIGKILL) while there is work, and count it."""
        assert self.is_busy(), f"nothing is in flight: killing this {name} would prove nothing"
        process.kill()
        self.kills[name] += 1

    def kill_child(self, worker: Child, chance: random.Random) -> None:
        """Kill one of the children that run a worker's tasks (SIGKILL)."""

        def killed() -> bool:
            children = processes.pool_children(worker)
            with suppress(psutil.NoSuchProcess):  # it has just died: try another one
                if children:
                    self.kill("child", chance.choice(children))
                    return True
            return False

        processes.until(killed, "a child could be killed")

    def compare(self, scenario: str) -> comparison.Report:
        """Compare the relay's log with the database, after every e-mail has ended."""
        return comparison.compare(scenario, self.log, emails=self.emails, kills=self.kills)


@contextmanager
def serving() -> Iterator[Servers]:
    """Start a durable PostgreSQL with a migrated database `template`, and a Valkey; remove both at the end."""
    with tempfile.TemporaryDirectory(prefix="cadencia-faults-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # started by root, PostgreSQL runs as another account
        password = services.copy_cluster(folder / "postgres")
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
    """Return the environment of a scenario's processes."""
    return ENVIRONMENT | {
        "DATABASE_URL": servers.postgres.url(database_name),
        "CELERY_BROKER_URL": servers.valkey.url,
        "SMTP_URL": f"smtp://127.0.0.1:{relay_port}",
        "RECORDER_DIR": str(folder / "recorders"),
        "SPOOL_DIR": str(folder / "spool"),
        "LOG_FILE": str(folder / "log"),
    }
