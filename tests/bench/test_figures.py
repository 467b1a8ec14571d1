"""The figures of the benchmarks: medians, bars, tables and lines that programs read."""

import json

import pytest

from bench.report import figures, page


@pytest.mark.parametrize(
    ("name", "value", "reached"),
    [
        ("campaign_over_smtp_source", 0.9, True),
        ("campaign_over_smtp_source", 0.89, False),
        ("cpu_us_per_message", 80, True),
        ("cpu_us_per_message", 80.1, False),
    ],
)
def test_a_bar_is_reached_from_its_own_side(name: str, value: float, reached: bool) -> None:
    assert figures.BARS[name].is_reached(value) is reached


def test_a_figure_is_the_median_of_its_runs_with_their_extremes() -> None:
    line = figures.of("campaign_over_naive", [90.04, 70, 85.26], digits=1, messages_per_second=[1, 2, 3]).line
    measured = json.loads(line)
    assert (measured["value"], measured["spread"], measured["runs"], measured["bar"]) == (85.3, [70, 90.0], 3, 80)
    assert measured["messages_per_second"] == [1, 2, 3] and "cores" in measured["machine"]


def test_a_line_of_output_is_not_taken_for_a_figure() -> None:
    assert figures.read('{"bench": "compose", "value": 1}') is None
    assert figures.read("half a table") is None
    line = figures.of("campaign_over_naive", [1.0]).line
    assert figures.read(f"{line}\n") == json.loads(line)


def test_the_table_has_a_verdict_for_each_figure_and_says_what_was_skipped() -> None:
    measured = json.loads(figures.of("cpu_us_per_message", [81.0, 79.0, 70.0]).line)
    missing = json.loads(figures.skipped("campaign_over_smtp_source", "it is not here"))
    first, second = figures.rows([measured, missing])
    assert first[1:3] == ("–", "–") and first[-1] == "skipped: it is not here"
    assert second[1:] == ("79", "70 – 81", "3", "≤ 80", "reached")
    assert figures.table([measured]).count("\n") == 1


def test_the_page_gets_the_table_between_its_marks() -> None:
    measured = {
        **json.loads(figures.of("cpu_us_per_message", [81.0], split={"postgres": 30.5}).line),
        "measured": "2026-01-02T03",
    }
    written = page.filled(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", [measured])
    assert "old" not in written and written.startswith("before\n") and written.endswith("\nafter\n")
    assert "Measured 2026-01-02 on " in written and "| ≤ 80 | missed |" in written and "postgres 30.5 µs" in written
    assert page.filled(written, [measured]) == written
