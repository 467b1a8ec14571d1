"""Relays under test: real servers, channels to them, and a balancer over those."""

import time
from contextlib import ExitStack
from datetime import date

from engine.delivery import smtp
from engine.delivery.relays import config
from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.daily_quota import Calendar
from engine.delivery.relays.domain_limits import DomainLimits
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.relay import RelayChannel, SharedState
from engine.delivery.relays.shared_rate import Sender
from engine.delivery.relays.status import StatusBoard
from models import ids
from tests.engine.delivery.smtp.dialogue import Drop, Rule, usual
from tests.engine.delivery.smtp.senders_side import FROM, QUICK, MemoryLog, messages
from tests.engine.delivery.smtp.servers import Server

NO_REDIS = "redis://127.0.0.1:9/0"
NO_SERVER = "smtp://127.0.0.1:9"
DAY = date(2026, 3, 2)


class Network:
    """Starts servers and connects relays to them; everything is closed with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def server(self, rule: Rule = usual, **options: object) -> Server:
        return self._stack.enter_context(Server(rule, **options).running())  # type: ignore[arg-type]

    def channels(
        self, *urls: str, redis: str = NO_REDIS, sent: int = 0, client: smtp.Limits = QUICK
    ) -> list[RelayChannel]:
        shared = SharedState(Store(redis), Sender(ids.new().hex, 1), Calendar(lambda: DAY, lambda _: sent))
        return [RelayChannel(relay, shared) for relay in config.parse_relays(urls[0], " ".join(urls[1:]), client)]

    def relays(
        self,
        *urls: str,
        limits: DomainLimits | None = None,
        redis: str = NO_REDIS,
        sent: int = 0,
        client: smtp.Limits = QUICK,
    ) -> Relays:
        return self.balancer(self.channels(*urls, redis=redis, sent=sent, client=client), limits=limits, redis=redis)

    def balancer(
        self, channels: list[RelayChannel], *, limits: DomainLimits | None = None, redis: str = NO_REDIS
    ) -> Relays:
        relays = Relays(channels, limits, StatusBoard(Store(redis), ids.new().hex))
        self._stack.callback(relays.abort)
        return relays


def send(relays: Relays, count: int = 1) -> list[object]:
    """Send one group as a drain does, and return its outcomes."""
    if not relays.is_open:
        relays.open()
    return list(relays.send(messages(count), FROM, MemoryLog()).values())


def accepted(*servers: Server) -> list[int]:
    """Return the number of messages that each server has accepted."""
    return [len(server.accepted) for server in servers]


def answering(event: str, reply: bytes | Drop) -> Rule:
    """Return the rule of a server that answers an event always in this way."""
    return lambda happening, _visit: reply if happening == event else None


def wait_until_usable(relays: Relays) -> None:
    time.sleep(max(0.0, relays.paused_until - time.monotonic()) + 0.01)
