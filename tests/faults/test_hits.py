"""Hits while processes and servers die: each answered hit is one event, and there are no other events."""

import http.client
import random
import threading
import time
from collections.abc import Callable
from itertools import count
from uuid import UUID

from sqlalchemy import text

import settings
from engine.tracking import tokens
from local import ports
from models import session as database
from models.session import transaction
from tests import mails, processes
from tests.faults.extent import SEED, extent
from tests.faults.scenarios import Scenario
from tests.forkserver import Child

HITS = extent(3_000, 50_000)
EMAILS = extent(200, 4_000)  # so many that none gets the hits a minute at which they are stored no more
READERS = 8
TARGET = "https://agenda.example/cadencia"
_EVENTS = text("SELECT email_id, event_data ->> 'agent' AS agent, count(*) AS times FROM events GROUP BY 1, 2")

Hits = set[tuple[UUID, str]]


class Readers:
    """Threads that request pixels and links over persistent connections; each hit has its own user agent."""

    def __init__(self, web_ports: list[int], email_ids: list[UUID]) -> None:
        self._ports = web_ports
        self._signer = tokens.Signer(settings.current().tracking_ring)
        self._mails = email_ids
        self.requested: Hits = set()
        self.answered: Hits = set()
        self.refused: list[int] = []
        self.slowest_s = 0.0
        self.is_ending = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(READERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Let each thread end after its share of the hits, and wait for them."""
        self.is_ending.set()
        for thread in self._threads:
            thread.join()

    def _read(self, number: int) -> None:
        chance, connection = random.Random(SEED + number), None
        for hit in count():
            if hit >= HITS // READERS and self.is_ending.is_set():
                return
            email_id, agent = chance.choice(self._mails), f"reader {number} hit {hit}"
            self.requested.add((email_id, agent))
            url = self._url(email_id, is_click=chance.random() < 0.5)
            try:
                port = chance.choice(self._ports)
                connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=15)
                self._request(connection, url, (email_id, agent))
            except (OSError, http.client.HTTPException):
                connection = None  # the server died, so the hit was not answered
                time.sleep(0.02)
            time.sleep(0.002)

    def _url(self, email_id: UUID, *, is_click: bool) -> str:
        if is_click:
            return f"/c/{self._signer.clicked(email_id, 1, TARGET)}"
        return f"/o/{self._signer.opened(email_id)}.gif"

    def _request(self, connection: http.client.HTTPConnection, url: str, hit: tuple[UUID, str]) -> None:
        began = time.monotonic()
        connection.request("GET", url, headers={"User-Agent": hit[1]})
        response = connection.getresponse()
        response.read()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if response.status in (200, 302):
            self.answered.add(hit)
        else:
            self.refused.append(response.status)


def stored() -> dict[tuple[UUID, str], int]:
    with transaction() as session:
        return {(row.email_id, row.agent): row.times for row in session.execute(_EVENTS)}


def is_applied() -> bool:
    with transaction() as session:
        return not session.scalar(text("SELECT count(*) FROM events WHERE applied_at IS NULL"))


def test_every_hit_that_was_answered_is_stored_once(scenario: Scenario) -> None:
    chance = random.Random(SEED)
    with transaction() as session:
        email_ids = [mails.mail(session).id for _ in range(EMAILS)]
    web_ports = [ports.free(), ports.free()]
    webs = {port: scenario.processes.web(port) for port in web_ports}
    worker = [scenario.processes.worker("sequence,events", *scenario._beat())]
    readers = Readers(web_ports, email_ids)
    readers.start()
    failures: list[Callable[[], None]] = [
        lambda: kill_database(scenario, chance),
        lambda: kill_broker(scenario, chance),
        lambda: kill_web(scenario, webs, chance),
        lambda: kill_worker(scenario, worker),
    ]
    for failure in chance.sample(failures * extent(1, 6), len(failures) * extent(1, 6)):
        time.sleep(chance.uniform(0.2, 0.6))
        failure()
    readers.wait()
    database.engine().dispose()
    spool = settings.current().spool_dir
    kill_web(scenario, webs, chance)  # the next one drains its spool
    processes.until(lambda: not list(spool.glob("*.spool")), "the spool is drained", within_s=60)
    events = stored()
    assert readers.refused == []
    assert len(readers.answered) > HITS / 2
    assert readers.answered - events.keys() == set()
    assert events.keys() - readers.requested == set()
    assert set(events.values()) == {1}
    processes.until(is_applied, "every event is applied", within_s=extent(60, 600))
    assert "spool_drained" in (scenario.folder / "log").read_text()


def kill_database(scenario: Scenario, chance: random.Random) -> None:
    scenario.servers.postgres.kill()
    time.sleep(chance.uniform(0.3, 1.5))
    scenario.servers.postgres.start()
    scenario.kills["postmaster killed"] += 1


def kill_broker(scenario: Scenario, chance: random.Random) -> None:
    scenario.servers.valkey.kill()
    time.sleep(chance.uniform(0.0, 0.5))
    scenario.servers.valkey.start()
    scenario.kills["valkey"] += 1


def kill_web(scenario: Scenario, webs: dict[int, Child], chance: random.Random) -> None:
    """Kill one web server with its children, and start another in its place."""
    port = chance.choice(sorted(webs))
    for process in processes.family(webs[port].pid):
        process.kill()
    webs[port].wait()
    webs[port] = scenario.processes.web(port)
    scenario.kills["web"] += 1


def kill_worker(scenario: Scenario, worker: list[Child]) -> None:
    for process in processes.family(worker[0].pid):
        process.kill()
    worker[0] = scenario.processes.worker("sequence,events", *scenario._beat())
    scenario.kills["worker"] += 1
