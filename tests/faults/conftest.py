"""Fixtures of the fault scenarios: an installation on servers that may be killed, and the summary of all runs."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local import ports
from tests import processes
from tests.conftest import environment
from tests.faults import comparison, scenarios
from tests.faults.extent import IS_LONG, TIMEOUT_S
from tests.faults.scenarios import Scenario, Servers

collect_ignore = [] if IS_LONG else ["test_forms.py"]  # takes two minutes

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests, which kill processes and take long in the long form."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.fault)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of this test process only, with a migrated template database to clone."""
    with scenarios.serving() as started:
        yield started


@pytest.fixture
def scenario(servers: Servers, tmp_path: Path) -> Iterator[Scenario]:
    """An empty database and broker, which this process uses, and a port for a relay."""
    name = f"faults_{next(_numbers)}"
    with psycopg.connect(servers.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template STRATEGY FILE_COPY")
    servers.flush()
    port = ports.free()
    with (
        environment(**scenarios.environment(tmp_path, servers, name, port)),
        processes.running(tmp_path / "processes.log") as started,
    ):
        yield Scenario(tmp_path, servers, started, port)
    servers.postgres.drop(name)


@pytest.fixture
def audited(scenario: Scenario, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Any:
    """A function that checks the run: nothing lost, nothing sent twice, no more in doubt than was in flight."""

    def audit(*, in_doubt_max: int = comparison.IN_FLIGHT_MAX) -> comparison.Report:
        report = scenario.compare(request.node.name.removeprefix("test_"))
        record_property("report", report.as_json())
        comparison.check(report, in_doubt_max=in_doubt_max)
        return report

    return audit


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print kills, faults and results of every scenario and in total."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    results = [
        json.loads(str(value))
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "report" and report.when == "call"
    ]
    if results:
        terminalreporter.section("audit of the fault scenarios")
        for line in comparison.table([_report(each) for each in results]):
            terminalreporter.write_line(line)


def _report(fields: dict[str, Any]) -> comparison.Report:
    counted: dict[str, Any] = {name: Counter(fields.pop(name)) for name in ("kills", "faults", "statuses")}
    return comparison.Report(**fields, **counted)
