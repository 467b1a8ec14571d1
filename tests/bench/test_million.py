"""The figures of a thousand times as many contacts."""

import json

import pytest

from bench import million
from bench.testbed.trial import Result


def sent(messages: int, per_s: float, peak_mib: float) -> Result:
    return Result(messages, messages / per_s, {"workers": 1.0}, peak_mib)


def audited(cpu_s: float, command_mib: float) -> million.Audit:
    return million.Audit(cpu_s / 2, cpu_s, command_mib, 64.0)


AUDITS = (audited(0.5, 80), audited(14, 84))


def test_speed_is_over_the_mean_of_both_middle_campaigns_and_memory_over_the_small_one() -> None:
    run = million.Run(sent(10, 5, 100), sent(100, 12, 105), sent(1000, 9, 108), sent(100, 8, 120), *AUDITS)
    speed, memory, *_ = map(json.loads, million.figure_lines([run]))
    assert speed["value"] == pytest.approx(9 / 10) and memory["value"] == pytest.approx(1.08)
    assert speed["messages"] == [10, 100, 100, 1000] and speed["messages_per_second"] == [[5, 12, 8, 9]]


def test_an_audit_is_judged_by_its_cpu_time_at_the_large_size_and_its_memory_over_the_small_one() -> None:
    run = million.Run(sent(10, 5, 100), sent(100, 5, 100), sent(1000, 5, 100), sent(100, 5, 100), *AUDITS)
    *_, cpu, memory = map(json.loads, million.figure_lines([run]))
    assert (cpu["value"], memory["value"]) == (14, pytest.approx(1.05))
    assert cpu["messages"] == [10, 1000] and cpu["seconds"] == [[0.2, 7]] and memory["database_mib"] == [[64, 64]]
