"""Limits by recipient domain: which messages of a group may go now, and when the others are to come again."""

import re
import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence

from engine.delivery.outcomes import Outcome, Paced
from engine.delivery.relays.doors import HOLD_S, DomainLimit, Door
from engine.delivery.relays.gcra import Rate
from engine.delivery.relays.options import Options
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Member
from engine.delivery.smtp import Log
from errors import InvalidInput

_PLACE = "domain_limits"
_NAMES = re.compile(r"[\w-]+(\.[\w-]+)+(,[\w-]+(\.[\w-]+)+)*")


def read(limits: str) -> list[DomainLimit]:
    """Read limits, separated by blanks; raises InvalidInput naming the one at fault by its number."""
    found = [_limit(number, limit) for number, limit in enumerate(limits.split(), start=1)]
    names = [name for limit in found for name in limit.names]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidInput.of(_PLACE, f"{min(twice)} is in it twice; give each domain once")
    return found


def _limit(number: int, limit: str) -> DomainLimit:
    names, _, query = limit.lower().partition("?")
    place = f"{_PLACE}[{number}]"
    if not _NAMES.fullmatch(names):
        raise InvalidInput.of(place, "expected domains and limits, as gmail.com,googlemail.com?rate=20/s&connections=4")
    options = Options(query, place)
    options.refuse_others(frozenset({"rate", "connections"}))
    per_s, connections = options.rate("rate"), options.count("connections", most=10_000)
    if per_s is None and connections is None:
        raise options.fault("rate", "is missing; expected rate=20/s or rate=600/m, connections=4, or both")
    return DomainLimit(tuple(names.split(",")), Rate(per_s) if per_s is not None else None, connections)


class Gate:
    """The messages of one group on their way out, by slot: those whose domain has no room wait, the others go."""

    def __init__(self, doors: Sequence[Door | None], refused: Collection[int], *, is_urgent: bool) -> None:
        self._doors = doors
        self._refused = refused
        self._lines: dict[Door, deque[int]] = {door: deque() for door in doors if door is not None}
        for door in self._lines:
            door.expect(doors.count(door), is_urgent=is_urgent)

    def __iter__(self) -> Iterator[int | None]:
        """The slots in the order in which they may go; None for none just now. Some wait too long for it, and stay."""
        for slot, door in enumerate(self._doors):
            yield from self._let_in()
            if door is None:
                yield slot
            else:
                self._lines[door].append(slot)
        until = time.monotonic() + HOLD_S
        yield from self._let_in()
        while any(self._lines.values()) and time.monotonic() < until:
            yield None
            yield from self._let_in()

    def watch(self, log: Log) -> Log:
        """The log, with an ear for the messages that are answered."""
        return _Watched(log, self._doors)

    def renew(self) -> None:
        """To be called about once a second while messages are on their way."""
        for door in self._lines:
            door.renew()

    def close(self) -> dict[int, Outcome]:
        """Nothing is on its way any more: those that stayed behind, each with the time until it is to come again."""
        behind: dict[int, Outcome] = {}
        for door, line in self._lines.items():
            door.leave()
            if line:
                behind |= {slot: Paced(wait_s) for slot, wait_s in zip(line, door.line_up(len(line)), strict=True)}
        return behind

    def _let_in(self) -> Iterator[int]:
        for door, line in self._lines.items():
            while line and door.lets_in(line[0], self._refused):
                yield line.popleft()


class _Watched:
    """A flight recorder that tells the doors which messages are on their way no more."""

    def __init__(self, log: Log, doors: Sequence[Door | None]) -> None:
        self.complete = log.complete
        self._answered = log.answered
        self._doors = doors

    def answered(self, slot: int, code: int, reply: bytes, ms: int, phase: int) -> None:
        self._answered(slot, code, reply, ms, phase)
        door = self._doors[slot]
        if door is not None:
            door.answered(slot)


class Domains:
    """The limits of all recipient domains that have one."""

    def __init__(self, limits: Sequence[DomainLimit], store: Store, member: Member) -> None:
        self._all = [Door(limit, store, member) for limit in limits]
        self._doors = {name: door for limit, door in zip(limits, self._all, strict=True) for name in limit.names}

    def gate(self, addresses: Sequence[str], refused: Collection[int], *, is_urgent: bool) -> Gate:
        """The gate for one group of messages; `refused` has the slots of those that turn out to be none."""
        doors = [self._doors.get(address.rpartition("@")[2].lower()) for address in addresses]
        return Gate(doors, refused, is_urgent=is_urgent)

    def turn_in_s(self) -> float | None:
        """The seconds until the next of those that stayed behind is to come again; None when there is none."""
        return min((turn_s for door in self._all if (turn_s := door.turn_in_s()) is not None), default=None)
