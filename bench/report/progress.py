"""Progress of a benchmark on standard error: a bar on a terminal, plain lines in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LINE_EVERY_S = 10.0
_COLUMNS = (TextColumn("{task.description:>28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


class Bar:
    """Progress of one piece of work of known size."""

    def __init__(self, words: str, total: int, console: Console, bars: Progress | None) -> None:
        self._words, self._total, self._console, self._bars = words, total, console, bars
        self._task = bars.add_task(words, total=total) if bars else None
        self._next_line = time.monotonic() + _LINE_EVERY_S

    def show(self, done: int) -> None:
        """Show this much as done."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=done)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY_S
            self._console.print(f"{self._words}: {done}/{self._total}", markup=False)


@contextmanager
def bar(words: str, total: int) -> Iterator[Bar]:
    """Show a bar while the block runs; without a terminal, a line every ten seconds."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield Bar(words, total, console, None)
        return
    with Progress(*_COLUMNS, console=console, transient=True, refresh_per_second=2) as bars:
        yield Bar(words, total, console, bars)


def say(words: str) -> None:
    """Print one line."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(words, markup=False)
