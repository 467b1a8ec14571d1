"""Hits while everything dies: each one that was answered is an event, once, and nothing else is."""

import http.client
import random
import subprocess
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
from tests.faults.place import Place

HITS = extent(3_000, 50_000)
READERS = 8
TARGET = "https://agenda.example/cadencia"
_SENT = text("SELECT email_id, event_data ->> 'agent' AS agent, count(*) AS times FROM events GROUP BY 1, 2")

Answered = set[tuple[UUID, str]]


class Readers:
    """Threads that ask for pixels and links over kept connections, each hit under an agent of its own."""

    def __init__(self, ports_of: list[int], email_ids: list[UUID]) -> None:
        self._ports = ports_of
        self._signer = tokens.Signer(settings.current().tracking_ring)
        self._mails = email_ids
        self.asked: Answered = set()
        self.answered: Answered = set()
        self.refused: list[int] = []
        self.slowest_s = 0.0
        self.is_over = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(READERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until each has asked as often as it is to, and longer while things are being killed."""
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, number: int) -> None:
        chance, connection = random.Random(SEED + number), None
        for hit in count():
            if hit >= HITS // READERS and self.is_over.is_set():
                return
            email_id, agent = chance.choice(self._mails), f"reader {number} hit {hit}"
            self.asked.add((email_id, agent))
            url = self._url(email_id, is_click=chance.random() < 0.5)
            try:
                port = chance.choice(self._ports)
                connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=15)
                self._ask(connection, url, (email_id, agent))
            except (OSError, http.client.HTTPException):
                connection = None  # it died in between: nobody was told anything
                time.sleep(0.02)
            time.sleep(0.002)

    def _url(self, email_id: UUID, *, is_click: bool) -> str:
        if is_click:
            return f"/c/{self._signer.clicked(email_id, 1, TARGET)}"
        return f"/o/{self._signer.opened(email_id)}.gif"

    def _ask(self, connection: http.client.HTTPConnection, url: str, hit: tuple[UUID, str]) -> None:
        began = time.monotonic()
        connection.request("GET", url, headers={"User-Agent": hit[1]})
        answer = connection.getresponse()
        answer.read()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if answer.status in (200, 302):
            self.answered.add(hit)
        else:
            self.refused.append(answer.status)


def stored() -> dict[tuple[UUID, str], int]:
    with transaction() as session:
        return {(row.email_id, row.agent): row.times for row in session.execute(_SENT)}


def is_applied() -> bool:
    with transaction() as session:
        return not session.scalar(text("SELECT count(*) FROM events WHERE applied_at IS NULL"))


def test_every_hit_that_was_answered_is_stored_once(here: Place) -> None:
    chance = random.Random(SEED)
    with transaction() as session:
        email_ids = [mails.mail(session).id for _ in range(200)]
    taken = [ports.free(), ports.free()]
    webs = {port: here.processes.web(port) for port in taken}
    worker = [here.processes.worker("sequence,events", *here._beat())]
    readers = Readers(taken, email_ids)
    readers.start()
    fates: list[Callable[[], None]] = [
        lambda: kill_database(here, chance),
        lambda: kill_broker(here, chance),
        lambda: kill_web(here, webs, chance),
        lambda: kill_worker(here, worker),
    ]
    for fate in chance.sample(fates * extent(1, 6), len(fates) * extent(1, 6)):
        time.sleep(chance.uniform(0.2, 0.6))
        fate()
    readers.wait()
    database.engine().dispose()
    spool = settings.current().spool_dir
    kill_web(here, webs, chance)  # and what it leaves is taken in by the next
    processes.until(lambda: not list(spool.glob("*.spool")), "the spool is taken in", within_s=60)
    found = stored()
    assert readers.refused == []
    assert len(readers.answered) > HITS / 2
    assert readers.answered - found.keys() == set()
    assert found.keys() - readers.asked == set()
    assert set(found.values()) == {1}
    processes.until(is_applied, "every event is applied", within_s=extent(60, 600))
    assert "spool_drained" in (here.folder / "log").read_text()


def kill_database(here: Place, chance: random.Random) -> None:
    here.servers.postgres.kill()
    time.sleep(chance.uniform(0.3, 1.5))
    here.servers.postgres.start()
    here.kills["postmaster killed"] += 1


def kill_broker(here: Place, chance: random.Random) -> None:
    here.servers.valkey.kill()
    time.sleep(chance.uniform(0.0, 0.5))
    here.servers.valkey.start()
    here.kills["valkey"] += 1


def kill_web(here: Place, webs: dict[int, subprocess.Popen[bytes]], chance: random.Random) -> None:
    """The whole family of one web server; another takes its place."""
    port = chance.choice(sorted(webs))
    for process in processes.family(webs[port].pid):
        process.kill()
    webs[port].wait()
    webs[port] = here.processes.web(port)
    here.kills["web"] += 1


def kill_worker(here: Place, worker: list[subprocess.Popen[bytes]]) -> None:
    for process in processes.family(worker[0].pid):
        process.kill()
    worker[0] = here.processes.worker("sequence,events", *here._beat())
    here.kills["worker"] += 1
