"""The bell: notify workers, after a commit, that there is work. The only module that publishes to the broker.

Ringing never fails and never waits for the broker: the periodic sweep finds the work if a ring is lost.
"""

import logging
import os
import threading
from functools import lru_cache
from time import sleep

from celery import Celery
from kombu.exceptions import OperationalError

import settings

log = logging.getLogger(__name__)

COALESCE_S = 0.05
BELLS = {
    "transactional": "sending.deliver_transactional",
    "campaign": "sending.deliver_campaign",
    "events": "events.apply",
    "imports": "imports.store",
    "sequence": "followups.call_due",
}


class _Ringer:
    """A thread that publishes each bell at most once per 50 ms, however often it is rung."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._rung: set[str] = set()
        self._wake = threading.Condition()
        threading.Thread(target=self._run, name="bell", daemon=True).start()

    def ring(self, bell: str) -> None:
        with self._wake:
            self._rung.add(bell)
            self._wake.notify()

    def _run(self) -> None:
        publisher = _publisher()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._rung)
                rung, self._rung = self._rung, set()
            for bell in sorted(rung):
                _publish(publisher, bell)
            sleep(COALESCE_S)


def _publisher() -> Celery:
    app = Celery("cadencia-bell", set_as_current=False)
    app.config_from_object("celery_config")
    # Give up soon on a dead broker: the sweep rings again (rule R3).
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "socket_timeout": 2, "max_retries": 1}
    return app


def _publish(publisher: Celery, bell: str) -> None:
    try:
        publisher.send_task(BELLS[bell], queue=bell, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("bell_lost bell=%s error=%s", bell, type(error).__name__)


_lock = threading.Lock()


@lru_cache(maxsize=1)
def _ringer(pid: int) -> _Ringer:  # noqa: ARG001  # the cache key: a fork gets a ringer of its own
    return _Ringer()


def ring(bell: str) -> None:
    """Ring "transactional", "campaign", "events", "imports" or "sequence"; return at once.

    Call it after the commit: a worker that looks before it finds nothing.
    """
    if bell not in BELLS:
        raise ValueError(f"no bell {bell!r}; there are {', '.join(BELLS)}")
    if not settings.current().bell_enabled:
        return
    with _lock:
        _ringer(os.getpid()).ring(bell)
