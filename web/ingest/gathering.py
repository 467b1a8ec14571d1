"""Gather entries that arrive at the same moment, to store them together."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import sleep
from typing import Generic, TypeVar

T = TypeVar("T")


class Gathering(Generic[T]):
    """Threads that store all entries of the same moment by one call of `store`, and then call back for each.

    No request's thread waits for it: sixteen that are woken together compete for the interpreter lock, at 90 µs of CPU
    each, and polling costs a third of that (measured; docs/decisions/0009). `store` must not raise. After a group of
    more than one the thread waits `gather_s` for more entries, up to `pauses` times, as long as each pause brings some.
    With two `threads` one gathers the next group while the other stores.
    """

    def __init__(self, store: Callable[[list[T]], None], *, gather_s: float, pauses: int = 1, threads: int = 1) -> None:
        self._store = store
        self._gather_s = gather_s
        self._pauses = pauses
        self._threads = threads
        self._queue: SimpleQueue[tuple[T, Callable[[], None]]] = SimpleQueue()
        self._guard = threading.Lock()
        self._turn = threading.Lock()  # to gather
        self._running = 0

    def add(self, entry: T, callback: Callable[[], None]) -> None:
        """Queue the entry; `callback` is called when it is stored."""
        self._queue.put((entry, callback))
        if self._running < self._threads:
            self._start()

    def _start(self) -> None:
        with self._guard:
            if self._running < self._threads:
                self._running += 1
                threading.Thread(target=self._run, name="group-commit", daemon=True).start()

    def _run(self) -> None:
        size = 1
        try:
            while True:
                size = self._commit(size)
        finally:
            with self._guard:
                self._running -= 1  # the next `add` starts a new thread

    def _commit(self, last_size: int) -> int:
        with self._turn:
            group = [self._queue.get()]
            if last_size > 1:
                self._wait_for_more()
            group += [self._queue.get() for _ in range(self._queue.qsize())]
        self._store([entry for entry, _ in group])
        for _, callback in group:
            callback()
        return len(group)

    def _wait_for_more(self) -> None:
        for _ in range(self._pauses):
            size = self._queue.qsize()
            sleep(self._gather_s)
            if self._queue.qsize() == size:
                return
