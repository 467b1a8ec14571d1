"""A signed-in visitor: fetches pages over a persistent connection, and keeps many pages open."""

import heapq
import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# As web/pages/frame/static/app.js does: every three seconds, and more slowly while nothing changes.
FETCHED_EVERY_S, SLOWER, FETCHED_AT_LEAST_EVERY_S = 3.0, 1.5, 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, the milliseconds until its head was read, its size."""

    status: int
    ms: float
    size: int
    is_fragment: bool


class Visitor:
    """One signed-in person at one web server."""

    def __init__(self, port: int, session: str) -> None:
        self.port, self._headers = port, {"Cookie": f"cadencia={session}", "Accept-Language": "es"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def another(self) -> "Visitor":
        """Return the same person with another connection."""
        visitor = Visitor(self.port, "")
        visitor._headers = self._headers
        return visitor

    def get(self, path: str, etag: str = "") -> Answer:
        """Fetch a path."""
        return self.fetch(path, etag)[0]

    def fetch(self, path: str, etag: str = "") -> tuple[Answer, str]:
        """Fetch a path unless it still has this tag; return the answer and its tag."""
        headers = {**self._headers, **({"If-None-Match": etag} if etag else {})}
        began = time.perf_counter()
        for is_last in (False, False, True):
            try:
                self._connection.request("GET", path, headers=headers)
                response = self._connection.getresponse()
                break
            except ConnectionError:  # the server has closed it meanwhile; a browser connects again, too
                self._connection.close()
                if is_last:
                    raise
        ms = (time.perf_counter() - began) * 1e3
        body = response.read()
        tag = response.getheader("ETag") or ""
        return Answer(response.status, ms, len(body), b"<!doctype" not in body[:100]), tag


@contextmanager
def watching(visitor: Visitor, path: str, pages: int) -> Iterator[list[float]]:
    """Keep this many pages open, which fetch `path` as browsers do; yield the milliseconds that each fetch took."""
    ended, took = threading.Event(), list[float]()
    thread = threading.Thread(target=_watch, args=([visitor.another() for _ in range(pages)], path, ended, took))
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


def _watch(visitors: list[Visitor], path: str, ended: threading.Event, took: list[float]) -> None:
    """Fetch the path for each visitor in turn; the turns begin within three seconds."""
    tags, waits = [""] * len(visitors), [FETCHED_EVERY_S] * len(visitors)
    began = time.monotonic()
    turns = [(began + FETCHED_EVERY_S * number / len(visitors), number) for number in range(len(visitors))]
    while not ended.wait(max(0.0, turns[0][0] - time.monotonic())):
        _, number = turns[0]
        answer, tag = visitors[number].fetch(path, tags[number])
        took.append(answer.ms)
        tags[number] = tag or tags[number]
        is_new = answer.status == 200
        waits[number] = FETCHED_EVERY_S if is_new else min(waits[number] * SLOWER, FETCHED_AT_LEAST_EVERY_S)
        heapq.heapreplace(turns, (time.monotonic() + waits[number], number))
