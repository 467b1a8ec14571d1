"""The report of `cadencia events reclassify`."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.engagement.reclassify import Page


class Report:
    """Totals over the pages that were classified again."""

    def __init__(self) -> None:
        self._events = self._emails = self._contacts = 0
        self._changes: Counter[tuple[str, str]] = Counter()
        self._rules: Counter[tuple[str, str, str]] = Counter()

    def add(self, page: "Page") -> None:
        """Add the counts of a page."""
        self._events += page.events
        self._emails += page.emails
        self._contacts += page.contacts
        self._changes += page.classifications
        self._rules += page.rules

    def lines(self) -> Iterator[str]:
        """Yield the report: changes by old and new classification, each with the rules that apply now."""
        yield f"{self._events} opens and clicks classified, {sum(self._changes.values())} classifications changed"
        for (old, new), count in sorted(self._changes.items()):
            rules = [(rule, times) for (*change, rule), times in sorted(self._rules.items()) if change == [old, new]]
            yield f"  {old} -> {new}: {count}" + "".join(f", {rule} {times}" for rule, times in rules)
        yield f"{self._emails} e-mails and {self._contacts} contacts changed"
