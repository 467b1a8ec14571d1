"""Charts as SVG, drawn on the server: shapes for the macros in `charts.html`. Each has its data as a table, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, log10

# Drawn for each kind of screen, so that labels have their size; Bootstrap's classes show one of them.
WIDTHS = {"d-md-none": 340, "d-none d-md-block d-lg-none": 700, "d-none d-lg-block": 1_100}
_HEIGHT, _LEFT, _BOTTOM, _TOP = 180, 44, 24, 10
_ROUND = {"first": 0.0, "second": 4.0}  # corners of bars: never colour alone


@dataclass(frozen=True, slots=True)
class Mark:
    """A label at an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Stack:
    """Stacked bars with their axes; the bars of each kind are one path, and "" if there are none."""

    width: int
    height: int
    left: int
    base: float
    first: str
    second: str
    columns: tuple[Mark, ...]
    levels: tuple[Mark, ...]


def stack(labels: Sequence[str], first: Sequence[int], second: Sequence[int], *, width: int) -> Stack:
    """Return stacked bars, one for each label: the values of `first` below those of `second`."""
    top = round_up(max((a + b for a, b in zip(first, second, strict=True)), default=0))
    base = _HEIGHT - _BOTTOM
    per_unit = (base - _TOP) / top
    step = (width - _LEFT) / max(1, len(labels))
    paths: dict[str, list[str]] = {"first": [], "second": []}
    for number, values in enumerate(zip(first, second, strict=True)):
        x, y = _LEFT + step * (number + 0.15), float(base)
        for kind, value in zip(paths, values, strict=True):
            height = value * per_unit
            y -= height
            if value:
                paths[kind].append(_bar(x, y, step * 0.7, height, round_by=_ROUND[kind]))
    shown = ceil(len(labels) * 44 / (width - _LEFT))  # every so many, so that labels do not touch
    columns = tuple(
        Mark(round(_LEFT + step * (number + 0.5), 1), _HEIGHT - 6, label)
        for number, label in enumerate(labels)
        if number % max(1, shown) == 0
    )
    levels = tuple(Mark(_LEFT - 6, round(base - part * top * per_unit, 1), short(part * top)) for part in (0, 0.5, 1))
    return Stack(width, _HEIGHT, _LEFT, base, "".join(paths["first"]), "".join(paths["second"]), columns, levels)


def _bar(x: float, y: float, width: float, height: float, *, round_by: float) -> str:
    """Return a bar as a part of a path, from its upper left corner, with corners that are rounded by so much."""
    r = min(round_by, width / 2, height / 2)
    if not r:
        return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"
    across, down = width - 2 * r, height - 2 * r
    corner = f"a{r:.1f} {r:.1f} 0 0 1 "
    return (
        f"M{x + r:.1f} {y:.1f}h{across:.1f}{corner}{r:.1f} {r:.1f}v{down:.1f}{corner}-{r:.1f} {r:.1f}"
        f"h-{across:.1f}{corner}-{r:.1f} -{r:.1f}v-{down:.1f}{corner}{r:.1f} -{r:.1f}z"
    )


@dataclass(frozen=True, slots=True)
class Day:
    """A cell of a calendar: its heat is from 0 (nothing) to 4."""

    day: date
    first: int
    second: int
    heat: int
    text: str


def month(first_day: date, first: Mapping[date, int], second: Mapping[date, int]) -> list[list[Day | None]]:
    """Return the weeks of a month from Monday, with None for days of other months; `first_day` is its first."""
    totals = {day: first.get(day, 0) + second.get(day, 0) for day in (*first, *second)}
    top = max(totals.values(), default=0)

    def cell(day: date) -> Day | None:
        if day.month != first_day.month:
            return None
        total = totals.get(day, 0)
        heat = ceil(4 * total / top) if total else 0
        return Day(day, first.get(day, 0), second.get(day, 0), heat, short(total) if total else "")

    monday = first_day - timedelta(days=first_day.weekday())
    weeks = [[cell(monday + timedelta(days=7 * week + day)) for day in range(7)] for week in range(6)]
    return [week for week in weeks if any(week)]


def round_up(value: int) -> int:
    """Return the next of 2, 4, 10, 20, 40, 100 … that is at least `value`."""
    if value <= 2:
        return 2
    unit = 10 ** int(log10(value))
    return int(next(unit * factor for factor in (1, 2, 4, 10) if unit * factor >= value))


def short(value: float) -> str:
    """Return a number as it fits in a chart: 1.2 k, 3 M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g}"
