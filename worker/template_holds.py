"""Templates that this process cannot use, by their labels: each is tried again after a growing pause."""

from dataclasses import dataclass
from time import monotonic

FIRST_S, LONGEST_S = 10.0, 300.0


@dataclass(slots=True)
class _Hold:
    seconds: float
    until: float  # monotonic seconds


class TemplateHolds:
    """The templates on hold, each twice as long as the last time, and those that have worked in this process."""

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}
        self._working: set[str] = set()

    def current(self) -> list[str]:
        """Return the templates that must not be claimed now."""
        if not self._holds:
            return []
        now = monotonic()
        return [name for name, hold in self._holds.items() if hold.until > now]

    def hold(self, name: str) -> float:
        """Put the template on hold and return for how many seconds."""
        last = self._holds.get(name)
        seconds = min(last.seconds * 2, LONGEST_S) if last else FIRST_S
        self._holds[name] = _Hold(seconds, monotonic() + seconds)
        self._working.discard(name)
        return seconds

    def works(self, name: str) -> bool:
        """Return True if an e-mail of the template was composed since its last hold."""
        return name in self._working

    def release(self, name: str) -> bool:
        """End the hold of a template that works; return True at the first e-mail of it."""
        if name in self._working:
            return False
        self._working.add(name)
        self._holds.pop(name, None)
        return True
