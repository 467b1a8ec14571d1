"""How fast mail may go to one recipient domain: what comes too early is given back, to be due at its turn."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from engine.delivery.outcomes import Paced
from engine.delivery.pace.options import Options
from engine.delivery.pace.shared import Shared
from engine.delivery.pace.timeline import Rate
from engine.delivery.smtp import Letter
from errors import InvalidInput

_PLACE = "domain_limits"
_NAMES = re.compile(r"[\w-]+(\.[\w-]+)+(,[\w-]+(\.[\w-]+)+)*")
_BURST_S = 1.0  # as long as a tick: mails that wait come due between two ticks
_BLOCK_S = 0.5
_FRESH_S = 1.0
_URGENT_S = 5.0


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """The recipient domains that share one rate, as `hotmail.com,outlook.com?rate=20` says."""

    names: tuple[str, ...]
    rate: Rate


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
        raise InvalidInput.of(place, "expected domains and a rate, as gmail.com,googlemail.com?rate=20/s")
    options = Options(query, place)
    options.refuse_others(frozenset({"rate"}))
    per_s = options.rate("rate")
    if per_s is None:
        raise options.fault("rate", "is missing; expected messages a second, as rate=20/s or rate=600/m")
    return DomainLimit(tuple(names.split(",")), Rate(per_s, burst_s=_BURST_S))


class _Door:
    """One limit as this process passes through it: a few moments at hand, and when to ask for more."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._left = 0
        self._fresh_until = 0.0
        self.ask_at = 0.0

    def passes(self, *, is_urgent: bool) -> bool:
        """Whether one message may go now. Urgent ones may use the moments of the next five seconds."""
        now = time.monotonic()
        if now > self._fresh_until:
            self._left = 0
        if not self._left and (is_urgent or now >= self.ask_at):
            self._ask(now, _URGENT_S if is_urgent else 0.0)
        if not self._left:
            return False
        self._left -= 1
        return True

    def _ask(self, now: float, within_s: float) -> None:
        block = max(1, ceil(self.shared.rate.per_s * _BLOCK_S / self.shared.senders)) if not within_s else 1
        grant = self.shared.take(block, within_s=within_s)
        self._left = grant.messages
        self._fresh_until = now + _FRESH_S
        self.ask_at = now if grant.messages else now + grant.wait_s


class Gate:
    """The letters of one group on their way out: those whose domain has no room now stay behind."""

    def __init__(self, doors: Mapping[str, _Door], letters: Iterable[Letter], *, is_urgent: bool) -> None:
        self._doors = doors
        self._letters = letters
        self._is_urgent = is_urgent
        self._behind: dict[_Door, list[int]] = {}

    def __iter__(self) -> Iterator[Letter]:
        """The letters that may go now, one by one as they are asked for."""
        doors, is_urgent = self._doors, self._is_urgent
        for letter in self._letters:
            door = doors.get(letter.recipient.rpartition("@")[2].lower())
            if door is None or door.passes(is_urgent=is_urgent):
                yield letter
            else:
                self._behind.setdefault(door, []).append(letter.slot)

    def postponed(self) -> dict[int, Paced]:
        """Those that stayed behind, each with the time until its turn; one round trip for each limit."""
        return {slot: paced for door, slots in self._behind.items() for slot, paced in self._turns(door, slots)}

    def _turns(self, door: _Door, slots: list[int]) -> Iterator[tuple[int, Paced]]:
        if self._is_urgent:  # they stand in no line, and ask again as soon as it can be of use
            yield from ((slot, Paced(max(1.0, door.ask_at - time.monotonic()))) for slot in slots)
            return
        grant = door.shared.line_up(len(slots))
        for place, slot in enumerate(slots):
            yield slot, Paced(grant.wait_s + place * grant.interval_s)


class Domains:
    """The limits of all recipient domains that have one."""

    def __init__(self, limits: Mapping[str, Shared]) -> None:
        doors = {shared: _Door(shared) for shared in limits.values()}
        self._doors = {name: doors[shared] for name, shared in limits.items()}

    def gate(self, letters: Iterable[Letter], *, is_urgent: bool) -> Gate:
        """The gate for one group of letters."""
        return Gate(self._doors, letters, is_urgent=is_urgent)
