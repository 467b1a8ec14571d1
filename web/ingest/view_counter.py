"""Counters of views of landing pages and forms: in memory, added to the database once a second.

A view costs no statement and no write. A process that is killed loses the views of its last second. While the database
is unavailable, the counters keep them; their number is bounded.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from time import sleep
from typing import Any, TypeAlias
from uuid import UUID

from engine import clock
from engine.tracking import views
from engine.tracking.views import Key
from errors import Unavailable
from models.session import Session, retrying

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 1.0
COUNTERS_MAX = 5_000
SOURCES_MAX = 100  # distinct sources of one page in one hour; others count as `other`

Add: TypeAlias = Callable[[Session, Mapping[Key, tuple[int, int]]], None]


class ViewCounter:
    """The views of this process that are not in the database yet; shared by its threads. `add` stores them."""

    def __init__(self, add: Add) -> None:
        self._add = add
        self._guard = threading.Lock()
        self._counted: dict[Key, list[int]] = {}
        self._sources: defaultdict[tuple[UUID, Any], set[str]] = defaultdict(set)
        self._is_running = False

    def count(self, page_id: UUID, source: str, observed: Mapping[str, Any]) -> None:
        """Count a view of a page or form; `observed` is the result of `Observer.observe` for the request."""
        now = clock.now()
        is_machine = views.is_machine(observed, now=now)
        key = views.key(page_id, source, now)
        with self._guard:
            key = self._bounded(key)
            counts = self._counted.get(key)
            if counts is None:
                if len(self._counted) >= COUNTERS_MAX:
                    return
                counts = self._counted[key] = [0, 0]
            counts[is_machine] += 1
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="view-counter", daemon=True).start()

    def flush(self) -> None:
        """Add the counted views to the database; they stay if it is unavailable."""
        with self._guard:
            counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            retrying(lambda session: self._add(session, {key: (each[0], each[1]) for key, each in counted.items()}))
        except Exception as error:
            with self._guard:
                for key, each in counted.items():
                    counts = self._counted.setdefault(key, [0, 0])
                    counts[0] += each[0]
                    counts[1] += each[1]
            if not isinstance(error, Unavailable):
                raise

    def _bounded(self, key: Key) -> Key:
        """Return the key, with the source `other` if the page has too many in this hour."""
        if (key.page_id, key.hour) not in self._sources and len(self._sources) > COUNTERS_MAX // 10:
            self._sources.clear()
        sources = self._sources[key.page_id, key.hour]
        if key.source not in sources and len(sources) >= SOURCES_MAX:
            return key._replace(source=views.OTHER)
        sources.add(key.source)
        return key

    def _run(self) -> None:
        while True:
            sleep(FLUSH_EVERY_S)
            try:
                self.flush()
            except Exception as error:  # the thread must survive an unforeseen error
                log.error("views_failed error=%s", type(error).__name__, exc_info=error)
            with self._guard:
                if not self._counted:
                    self._is_running = False
                    return
