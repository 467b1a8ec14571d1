"""Rate limits, counted in Redis or, while Redis is unavailable, in this process (rule R36).

Only limited routes call this module: Flask-Limiter's hooks on every request cost a send 150 µs (measured).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic, time
from typing import TypeVar, cast
from uuid import UUID

import limits
from flask import Flask, current_app, request
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage, storage_from_string

from errors import TooOften, Unauthenticated
from settings import Settings

log = logging.getLogger(__name__)

AWAY_S = 5.0  # after a failure Redis is not used for this long, so that not every request waits for its time-out

# Back-off of an account: so many wrong passwords without a wait, then one attempt in 2, 4, 8 … 300 s. Counts of wrong
# passwords end after an hour. Networks that logged in before are counted apart from all others for this many days.
FREE_FAILURES = 5
BACK_OFF_MAX_S = 300
_FAILURES_KEPT_S = 3_600
_NETWORK_KNOWN_S = 30 * 86_400
_NETWORKS_CACHED = 8_192

_NAME = "cadencia-limits"
_SHARED = {"socket_connect_timeout": 1, "socket_timeout": 1, "wrap_exceptions": True}

T = TypeVar("T")


class Counters:
    """Counters by limit and caller; shared by all processes while the storage answers.

    Keys contain no name and no address, only their digests under a key.
    """

    def __init__(self, settings: Settings) -> None:
        where = settings.rate_limit_storage_url
        self._own = cast(Storage, storage_from_string("memory://"))
        self._shared: Storage | None = None
        if where is not None:
            self._shared = cast(Storage, storage_from_string(where.get_secret_value(), **_SHARED))
        self._away_until = 0.0
        rates = {"login": settings.login_rate, "track": settings.track_rate, "test": settings.test_rate,
                 "form": settings.form_rate, "one form": settings.one_form_rate}  # fmt: skip
        self._rates = {name: limits.parse(rate) for name, rate in rates.items()}
        secret = settings.jwt_secret_key.get_secret_value().encode()
        self._key = blake2b(secret, digest_size=32, person=b"cadencia limits").digest()

    def count(self, name: str, caller: str, times: int = 1) -> None:
        """Count `times` calls and raise TooOften if they exceed the limit.

        A batch larger than the whole limit counts as the limit less one, so that it passes in a fresh period.
        """
        rate = self._rates[name]
        cost = min(times, max(1, rate.amount - 1))
        key = self._named(name, caller)
        if cost and self._run(lambda storage: storage.incr(key, rate.get_expiry(), cost)) > rate.amount:
            raise self._too_often(key)

    def count_each(self, name: str, callers: Sequence[str]) -> list[TooOften | None]:
        """Count a call of each caller; return the errors of those that exceed the limit, in their order.

        A caller who occurs several times is counted at once.
        """
        rate = self._rates[name]
        keys = [self._named(name, caller) for caller in callers]
        times = Counter(keys)

        added = self._run(lambda storage: _increased(storage, times, rate.get_expiry()))
        counts = {key: count - times[key] for key, count in added.items()}
        errors: list[TooOften | None] = []
        for key in keys:
            counts[key] += 1
            errors.append(self._too_often(key) if counts[key] > rate.amount else None)
        return errors

    @contextmanager
    def back_off(self, account: str, network: str) -> Iterator[None]:
        """Run a check of the account's password; raise TooOften before it if too many have failed.

        The attempt counts as failed before the check, so that parallel attempts cannot pass together. Unless the check
        raises Unauthenticated, the count is taken back. After a success `network` is known to the account, and its own
        failures are forgotten; those of all other networks stay.
        """
        known = self._named("known", account, network)
        is_known = self._run(lambda storage: storage.get(known)) > 0
        failures = self._named("failures", account, network if is_known else "")
        gate = f"{failures}:gate"
        self._admit(failures, gate)
        try:
            yield
        except Unauthenticated:
            raise
        except BaseException:
            self._forgive(failures, gate)
            raise
        if is_known:
            self._run(lambda storage: (storage.clear(failures), storage.clear(gate)))
        else:
            self._forgive(failures, gate)
        self._run(lambda storage: (storage.clear(known), storage.incr(known, _NETWORK_KNOWN_S)))

    def _admit(self, failures: str, gate: str) -> None:
        count = self._run(lambda storage: storage.incr(failures, _FAILURES_KEPT_S))
        if count <= FREE_FAILURES:
            return
        wait_s = min(2 ** min(count - FREE_FAILURES, 10), BACK_OFF_MAX_S)
        if self._run(lambda storage: storage.incr(gate, wait_s)) > 1:  # of attempts at once, one passes
            self._run(lambda storage: storage.incr(failures, _FAILURES_KEPT_S, -1))
            raise self._too_often(gate)

    def _forgive(self, failures: str, gate: str) -> None:
        self._run(lambda storage: (storage.clear(gate), storage.incr(failures, _FAILURES_KEPT_S, -1)))

    def _too_often(self, key: str) -> TooOften:
        wait_s = self._run(lambda storage: storage.get_expiry(key)) - time()
        return TooOften("rate: too many requests; wait as long as Retry-After says", wait_s=max(1, ceil(wait_s)))

    def _named(self, *parts: str) -> str:
        digest = blake2b("\n".join(parts).encode(), key=self._key, digest_size=16)  # keeps the interpreter lock
        return f"{parts[0]}:{digest.hexdigest()}"

    def _run(self, work: Callable[[Storage], T]) -> T:
        if self._shared is None or monotonic() < self._away_until:
            return work(self._own)
        try:
            return work(self._shared)
        except StorageError as error:
            log.warning("rate_limit_storage_unavailable error=%s", type(error.storage_error).__name__)
            self._away_until = monotonic() + AWAY_S
            return work(self._own)


def _increased(storage: Storage, times: Mapping[str, int], expiry_s: int) -> dict[str, int]:
    """Add to several counters, in Redis by one round trip for all; return the counts by key."""
    if not isinstance(storage, RedisStorage):
        return {key: storage.incr(key, expiry_s, number) for key, number in times.items()}
    try:
        with storage.storage.pipeline(transaction=False) as pipeline:
            for key, number in times.items():
                storage.lua_incr_expire([storage.prefixed_key(key)], [expiry_s, number], client=pipeline)
            return dict(zip(times, map(int, pipeline.execute()), strict=True))
    except storage.base_exceptions as error:
        raise StorageError(error) from error


def install(app: Flask, settings: Settings) -> None:
    """Attach counters with the configured storage to `app`; an exceeded limit is answered 429 with Retry-After."""
    app.extensions[_NAME] = Counters(settings)


@contextmanager
def login(account: str) -> Iterator[None]:
    """Limit one login by the caller's network, then by the account; the block checks the password. Raises TooOften.

    The limits of a name are the same whether or not an account has it.
    """
    caller = network(request.remote_addr or "")
    _counters().count("login", caller)
    with _counters().back_off(account, caller):
        yield


def track(times: int = 1) -> None:
    """Count `times` events from the caller's network, except for a preflight. Raise TooOften if over the limit."""
    if request.method != "OPTIONS":
        _counters().count("track", network(request.remote_addr or ""), times)


def test(account_id: UUID, times: int) -> None:
    """Count `times` test e-mails of the account. Raise TooOften if over the limit."""
    _counters().count("test", str(account_id), times)


def form() -> None:
    """Count a submission from the caller's network, to any form. Raise TooOften if over the limit."""
    _counters().count("form", network(request.remote_addr or ""))


def forms(counters: Counters, submissions: Sequence[tuple[str, str]]) -> list[TooOften | None]:
    """Count submissions, each from a network to a form, as `form` and `one_form` do; return the errors in their order.

    A submission refused by its network's limit does not count for the form, so no network can use up the form's limit.
    """
    refused = counters.count_each("form", [caller for caller, _ in submissions])
    admitted = [index for index, error in enumerate(refused) if error is None]
    errors = counters.count_each("one form", [submissions[index][1] for index in admitted])
    for index, error in zip(admitted, errors, strict=True):
        refused[index] = error
    return refused


def one_form(slug: str) -> None:
    """Count a submission to this form, from anywhere. Raise TooOften if over the limit."""
    _counters().count("one form", slug)


def of(app: Flask) -> Counters:
    """Return the counters of `app`."""
    counters: Counters = app.extensions[_NAME]
    return counters


def _counters() -> Counters:
    return of(current_app)


@lru_cache(maxsize=_NETWORKS_CACHED)
def network(address: str) -> str:
    """Return the network that one caller controls: an IPv4 address, or the /64 of an IPv6 address; one for all others.

    Some proxies add a port: `192.0.2.1:4711`, `[2001:db8::1]:4711`.
    """
    host = address.partition("]")[0].lstrip("[") if address.startswith("[") else address
    host = host.partition(":")[0] if host.count(":") == 1 else host.partition("%")[0]
    try:
        parsed = ip_address(host)
    except ValueError:
        return "unreadable"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
