"""Parsing of the options after the `?` of a relay's URL or a domain's limit, with errors that name the option."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from urllib.parse import parse_qsl

from errors import InvalidInput

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MAX_COUNT = 1_000_000_000


class Options(Mapping[str, str]):
    """Options by name; `place` is the setting that holds them, for error messages."""

    def __init__(self, query: str, place: str) -> None:
        self._values = dict(parse_qsl(query, keep_blank_values=True))
        self._place = place

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def count(self, name: str, most: int = _MAX_COUNT) -> int | None:
        """Return a whole number from 1 to `most`, or None if the option is missing. Raises InvalidInput."""
        value = self.get(name)
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{1,10}", value) or not 1 <= int(value) <= most:
            raise self.error(name, f"expected a whole number from 1 to {most}")
        return int(value)

    def rate(self, name: str) -> float | None:
        """Return messages per second, from `20`, `20/s`, `1200/m` or `5000/h`; None if the option is missing."""
        value = self.get(name)
        if value is None:
            return None
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(?:/([smh]))?", value)
        if not match or float(match[1]) <= 0:
            raise self.error(name, "expected messages a second, as 20 or 20/s, or 1200/m, or 5000/h")
        return float(match[1]) / _SECONDS[match[2] or "s"]

    def warm_up(self, name: str) -> tuple[date, int, float] | None:
        """Return the first day, its number of messages and the daily growth, from `2026-03-02,50,1.5`."""
        value = self.get(name)
        if value is None:
            return None
        parts = value.split(",")
        try:
            day, first, growth = parts + ["50", "1.5"][len(parts) - 1 :]
            plan = date.fromisoformat(day), int(first), float(growth)
        except ValueError:
            raise self.error(name, "expected DAY,FIRST,GROWTH, as 2026-03-02,50,1.5") from None
        if not 1 <= plan[1] <= _MAX_COUNT or not 1 <= plan[2] <= 10:
            raise self.error(name, "expected DAY,FIRST,GROWTH with a first of 1 or more and a growth of 1 to 10")
        return plan

    def others(self, known: frozenset[str]) -> list[tuple[str, str]]:
        """Return the options that are not among the known ones."""
        return [(name, value) for name, value in self._values.items() if name not in known]

    def refuse_others(self, known: frozenset[str]) -> None:
        """Raise InvalidInput if there is an option that is not among the known ones."""
        if others := self.others(known):
            raise self.error("options", f"unknown option {others[0][0]!r}: expected {', '.join(sorted(known))}")

    def error(self, name: str, message: str) -> InvalidInput:
        """Return an InvalidInput for one option. It never holds the value, which may be part of a secret."""
        return InvalidInput.of(f"{self._place}.{name}", message)
