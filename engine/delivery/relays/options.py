"""The options behind the `?` of a relay's URL or a domain's limit; a fault names its option and what is right."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from urllib.parse import parse_qsl

from errors import InvalidInput

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAY_MAX = 1_000_000_000


class Options(Mapping[str, str]):
    """Options by name; `place` is the setting they stand in, as faults tell it."""

    def __init__(self, query: str, place: str) -> None:
        self._given = dict(parse_qsl(query, keep_blank_values=True))
        self._place = place

    def __getitem__(self, name: str) -> str:
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def count(self, name: str, most: int = _DAY_MAX) -> int | None:
        """A whole number from 1 on; None when it is not given."""
        value = self.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,10}", value) or not 1 <= int(value) <= most:
            raise self.fault(name, f"expected a whole number from 1 to {most}")
        return int(value)

    def rate(self, name: str) -> float | None:
        """Messages a second, from `20`, `20/s`, `1200/m` or `5000/h`; None when it is not given."""
        value = self.get(name)
        if value is None:
            return None
        found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(?:/([smh]))?", value)
        if not found or float(found[1]) <= 0:
            raise self.fault(name, "expected messages a second, as 20 or 20/s, or 1200/m, or 5000/h")
        return float(found[1]) / _SECONDS[found[2] or "s"]

    def plan(self, name: str) -> tuple[date, int, float] | None:
        """A first day, its number of messages and the growth from day to day, from `2026-03-02,50,1.5`."""
        value = self.get(name)
        if value is None:
            return None
        parts = value.split(",")
        try:
            day, first, growth = parts + ["50", "1.5"][len(parts) - 1 :]
            found = date.fromisoformat(day), int(first), float(growth)
        except ValueError:
            raise self.fault(name, "expected DAY,FIRST,GROWTH, as 2026-03-02,50,1.5") from None
        if not 1 <= found[1] <= _DAY_MAX or not 1 <= found[2] <= 10:
            raise self.fault(name, "expected DAY,FIRST,GROWTH with a first of 1 or more and a growth of 1 to 10")
        return found

    def rest(self, known: frozenset[str]) -> list[tuple[str, str]]:
        """The options that are not among the known ones."""
        return [(name, value) for name, value in self._given.items() if name not in known]

    def refuse_others(self, known: frozenset[str]) -> None:
        """Raise InvalidInput when there is an option that is none."""
        if others := self.rest(known):
            raise self.fault("options", f"unknown option {others[0][0]!r}: expected {', '.join(sorted(known))}")

    def fault(self, name: str, message: str) -> InvalidInput:
        """What is wrong with one option; never its value, which may be part of a secret."""
        return InvalidInput.of(f"{self._place}.{name}", message)
