"""Output, progress and errors on a terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import click

import errors

_LINE_EVERY_S = 5.0
# SQLSTATE of PostgreSQL
_UNKNOWN_TABLE_OR_COLUMN = ("42P01", "42703")
_FORBIDDEN = "42501"


def row(*cells: object) -> None:
    """Print one line of tab-separated cells."""
    click.echo("\t".join(map(str, cells)))


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, always_header: bool = True) -> None:
    """Print rows under a header: aligned on a terminal, tab-separated elsewhere, perhaps without the header there."""
    if sys.stdout.isatty():
        for line in aligned([list(header), *([str(cell) for cell in cells] for cells in rows)]):
            click.echo(line)
        return
    for cells in (header, *rows) if always_header else rows:
        row(*cells)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of cells in columns; a column of numbers, apart from its header, is aligned to the right."""
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    is_number = [len(column) > 1 and all(cell.isdecimal() for cell in column[1:]) for column in columns]
    shape = list(zip(widths, is_number, strict=True))
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width) for cell, (width, right) in zip(line, shape, strict=True)
        ).rstrip()
        for line in lines
    ]


def duration(seconds: int) -> str:
    """Return a duration in its two largest units, such as "3 days" or "1 hour 30 minutes"."""
    words = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            words.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(words[:2]) or "0 seconds"


def is_interactive() -> bool:
    """Return True if a person can be asked and sees the question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn an expected error into one plain line and status 1."""
    try:
        yield
    except errors.CadenciaError as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        # The commands may not import the database library, whose error carries that of the driver as `orig`.
        reply = getattr(error, "orig", None)
        state = getattr(reply, "sqlstate", None)
        if state == _FORBIDDEN:
            raise click.ClickException(f"database: {str(reply).partition(chr(10))[0]}") from None
        if state not in _UNKNOWN_TABLE_OR_COLUMN:
            raise
        raise click.ClickException(
            "the tables in the database are not those of this version: run `cadencia db upgrade`"
        ) from None


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that counts more units as done: a bar on a terminal, elsewhere a line every five seconds."""
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            yield bar.update
    else:
        yield _Lines(label, total, unit)


class _Lines:
    """Progress as lines of a log."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done, self._next_at = 0, monotonic() + _LINE_EVERY_S

    def __call__(self, count: int) -> None:
        self._done += count
        if monotonic() >= self._next_at:
            self._next_at = monotonic() + _LINE_EVERY_S
            click.echo(f"{self._label}: {self._done} of {self._total} {self._unit}", err=True)
