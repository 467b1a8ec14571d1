"""The status of each relay: published by every sending process, and reported with its limits and its traffic."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.delivery import smtp
from engine.delivery.relays import config, redis_store
from engine.delivery.relays.breaker import RelayStatus
from engine.delivery.relays.config import RelayConfig
from engine.delivery.relays.daily_quota import Calendar, DailyQuota
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from engine.delivery.smtp import replies
from errors import InvalidInput

_PUBLISH_EVERY_S = 10.0
_EXPIRE_S = 90
_CHECK_TIMEOUT_S = 10.0
_WORST_FIRST = ("open", "half-open", "closed")
# Keys of statuses that did not expire yet, in a sorted set: a search of all keys would read those of the broker, too.
KEYS = "board"
_WRITE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[2], KEYS[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""
_SENT = text(
    "SELECT relay, count(*) AS emails FROM emails WHERE sent_at >= :since AND relay IS NOT NULL GROUP BY relay"
)


@dataclass(frozen=True, slots=True)
class Overview:
    """One relay: its name, its limits in words, and its status in each process that sent lately, the worst first.

    `left_today` is the rest of the daily limit, None without a limit.
    """

    name: str
    limits: str
    statuses: tuple[RelayStatus, ...]
    left_today: int | None


class StatusBoard:
    """Publishes the statuses of this process in Redis: on each change, and every 10 s because they expire."""

    def __init__(self, store: Store, sender_name: str) -> None:
        self._store = store
        self._sender_name = sender_name
        self._published: dict[str, tuple[str, float]] = {}  # state and time, by relay

    def publish(self, status: RelayStatus) -> bool:
        """Store the status if it is due, and return True if the state has changed."""
        now = time.monotonic()
        before, at = self._published.get(status.name, ("closed", float("-inf")))
        if before == status.state and now - at < _PUBLISH_EVERY_S:
            return False
        self._published[status.name] = status.state, now
        value = {**asdict(status), "why": replies.redact(status.why)}
        keys = [f"board:{status.name}:{self._sender_name}", KEYS]
        self._store.run(_WRITE, keys, [json.dumps(value), _EXPIRE_S])
        return before != status.state


def read(store: Store) -> dict[str, list[RelayStatus]]:
    """Return the published statuses of the last 90 s by relay, one for each process. Raises Unavailable."""
    return of(store.reported(KEYS)[0])


def of(published: Iterable[str]) -> dict[str, list[RelayStatus]]:
    """Return the statuses that are the values of the keys in `KEYS`, by relay."""
    statuses: dict[str, list[RelayStatus]] = {}
    for value in published:
        status = RelayStatus(**json.loads(value))
        statuses.setdefault(status.name, []).append(status)
    return statuses


def overview(calendar: Calendar) -> list[Overview]:
    """Return every relay of the settings, in their order. Raises InvalidInput, and Unavailable without Redis."""
    store = redis_store.configured()
    statuses = read(store)
    reader = Sender("", 1)
    return [
        Overview(
            relay.name,
            ", ".join(_limits(relay)),
            tuple(sorted(statuses.get(relay.name, ()), key=lambda status: _WORST_FIRST.index(status.state))),
            DailyQuota(store, relay.name, relay.warm_up, calendar, reader).remaining(),
        )
        for relay in config.relays()
    ]


def check_connections(recipient: str) -> Iterator[tuple[str, str]]:
    """Ask each relay to take an e-mail to `recipient`, and send none. Yield its name and the error, "" for none.

    Connects with TLS and credentials. Raises InvalidInput for a recipient that is no address.
    """
    mail_from = settings.current().envelope_sender
    for relay in config.relays():
        transport = smtp.Transport(relay.relay, replace(relay.limits, connect_timeout_s=_CHECK_TIMEOUT_S))
        try:
            transport.check(mail_from, recipient)
        except ValueError as error:
            raise InvalidInput.of("to", f"{recipient!r} is no {error}") from error
        except smtp.RelayUnavailable as error:
            yield relay.name, str(error.of(relay.name))
        else:
            transport.close()
            yield relay.name, ""


def sent_since(session: Session, moment: datetime) -> dict[str, int]:
    """Return the number of e-mails each relay took since `moment`, by relay. For reports only: it reads the table."""
    return {row.relay: row.emails for row in session.execute(_SENT, {"since": moment})}


def _limits(relay: RelayConfig) -> Iterator[str]:
    yield f"weight {relay.weight}"
    if relay.rate:
        yield f"{relay.rate.per_s:g}/s"
    if relay.connections:
        yield f"{relay.connections} connections"
    if relay.warm_up.daily:
        yield f"{relay.warm_up.daily} a day"
    if relay.warm_up.starts:
        yield f"warm-up from {relay.warm_up.starts} with {relay.warm_up.first}, times {relay.warm_up.growth:g} a day"
