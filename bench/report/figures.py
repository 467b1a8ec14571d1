"""Figures: their targets, the measured values, and both as a table and as JSON lines."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bar:
    """Target of a figure: at least, or for a cost at most, this value."""

    words: str
    value: float
    at_most: bool = False

    def is_reached(self, value: float) -> bool:
        """Return True if a measured value meets the target."""
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:g}"


BARS = {
    "campaign_over_smtp_source": Bar("campaign msg/s ÷ `smtp-source -d -s 20` msg/s", 0.9),
    "campaign_over_naive": Bar("campaign msg/s ÷ a task and a connection for each message", 80),
    "million_over_hundred_thousand": Bar("msg/s at 1,000,000 contacts ÷ at 100,000", 0.9),
    "cpu_us_per_message": Bar("CPU µs a message: workers + PostgreSQL + Valkey", 80, at_most=True),
    "memory_million_over_ten_thousand": Bar("worker's peak memory at 1,000,000 ÷ at 10,000", 1.1, at_most=True),
    "audit_cpu_s_at_a_million": Bar("CPU seconds of an audit of 1,000,000, command + PostgreSQL", 30, at_most=True),
    "audit_memory_million_over_ten_thousand": Bar(
        "the command's peak memory at 1,000,000 ÷ at 10,000", 1.1, at_most=True
    ),
    "transactional_p99_over_idle_p50": Bar("transactional p99 in a campaign ÷ p50 idle", 10, at_most=True),
    "api_over_empty_view": Bar("durable API sends/s ÷ an empty view/s", 0.12),
    "batch_over_empty_view": Bar("messages/s accepted in batches of 500 ÷ an empty view/s", 1.0),
    "form_over_empty_view": Bar("durable sign-ups by a form/s ÷ an empty view/s", 0.15),
    "pixel_over_empty_view": Bar("durable pixels/s ÷ an empty view/s", 0.6),
    "click_over_empty_view": Bar("durable clicks/s ÷ an empty view/s", 0.5),
    "landing_page_over_empty_view": Bar("landing pages/s ÷ an empty view/s", 0.6),
    "events_batch_over_task_per_event": Bar("events applied/s in batches ÷ one task for each event", 50),
    "apply_ten_million_over_ten_thousand": Bar("events applied/s at 10,000,000 stored ÷ at 10,000", 0.8),
    "tick_ms_at_two_million": Bar("database ms of a tick, 2,000,000 enrollments, none due", 5, at_most=True),
    "tick_two_million_over_ten_thousand": Bar("database ms of a tick at 2,000,000 ÷ at 10,000", 2, at_most=True),
    "hit_to_flag_lag_p99_s": Bar("seconds from a hit to its flag, p99, at 1,000 hits/s", 3, at_most=True),
    "page_over_empty_page": Bar("first byte of the slowest page at 1,000,000 ÷ an empty page", 3, at_most=True),
    "fragment_over_empty_page": Bar("first byte of the slowest fragment there ÷ an empty page", 1.5, at_most=True),
    "unchanged_fragment_over_empty_page": Bar("the same of a fragment that has not changed", 1, at_most=True),
    "pixels_with_fifty_pages": Bar("durable pixels/s with 50 open campaign pages ÷ without", 0.95),
    "import_page_over_command": Bar("rows/s imported by a page ÷ by the command", 0.8),
    "import_with_indexes_over_without": Bar("rows/s imported with the indexes of searches ÷ without", 0.5),
    "healthz_p99_ms_under_attack": Bar("/healthz p99 in ms during slow bodies or half-open headers", 100, at_most=True),
}


@dataclass(frozen=True)
class Figure:
    """One figure: the median of its runs, their spread, and the facts behind it."""

    name: str
    value: float
    spread: tuple[float, float]
    runs: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Return the figure as one line of JSON."""
        measured = {"figure": self.name, "value": self.value, "bar": BARS[self.name].value, "spread": list(self.spread)}
        return json.dumps({**measured, "runs": self.runs, **self.facts}, ensure_ascii=False)


def of(name: str, values: Sequence[float], *, digits: int = 3, **facts: Any) -> Figure:
    """Return the figure of these runs."""
    spread = (round(min(values), digits), round(max(values), digits))
    return Figure(name, round(middle(values), digits), spread, len(values), {**facts, "machine": machine()})


def middle(values: Sequence[float]) -> float:
    """Return the median of the runs."""
    return statistics.median(values)


def skipped(name: str, why: str) -> str:
    """Return a JSON line for a figure that could not be measured."""
    return json.dumps({"figure": name, "value": None, "bar": BARS[name].value, "skipped": why})


def machine() -> str:
    """Return the class of this machine: processor, cores, memory, Python."""
    model = ""
    if (described := Path("/proc/cpuinfo")).exists():
        names = (line for line in described.read_text().splitlines() if line.startswith("model name"))
        model = next(names, "").partition(":")[2].strip()
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}"


def read(line: str) -> dict[str, Any] | None:
    """Return the figure in a line of output; None for any other line."""
    if not line.startswith('{"figure"'):
        return None
    measured: dict[str, Any] = json.loads(line)
    return measured if measured["figure"] in BARS else None


def rows(measured: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the table's cells, one row per figure in the order of `BARS`.

    Name, median, spread, runs, target, result.
    """
    by_name = {each["figure"]: each for each in measured}
    return [_row(bar, by_name[name]) for name, bar in BARS.items() if name in by_name]


def _row(bar: Bar, measured: Mapping[str, Any]) -> tuple[str, ...]:
    if measured["value"] is None:
        return (bar.words, "–", "–", "–", str(bar), f"skipped: {measured['skipped']}")
    spread = " – ".join(f"{each:g}" for each in measured.get("spread") or ())
    result = "reached" if bar.is_reached(measured["value"]) else "missed"
    return (bar.words, f"{measured['value']:g}", spread, str(measured.get("runs", 1)), str(bar), result)


def split(measured: Iterable[Mapping[str, Any]]) -> str:
    """Return the split of a message's CPU time as text; empty if it was not measured."""
    splits = [each["split"] for each in measured if "split" in each]
    parts = [", ".join(f"{part} {us:g} µs" for part, us in each.items()) for each in splits]
    return "".join(f"\nCPU a message: {each}.\n" for each in parts)


HEADINGS = ("figure", "median", "spread", "runs", "to reach", "")


def table(measured: Iterable[Mapping[str, Any]]) -> str:
    """Return the table for a terminal or a log."""
    cells = [HEADINGS, *rows(measured)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                     for row in cells)  # fmt: skip


def markdown(measured: Iterable[Mapping[str, Any]]) -> str:
    """Return the table for a page."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *rows(measured)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines)
