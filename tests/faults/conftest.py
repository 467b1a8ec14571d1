"""What a scenario gets: a place of its own on servers it may kill; and the summary of all of them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local import ports
from models import migrations
from tests import processes
from tests.conftest import environment
from tests.faults import accounts, place
from tests.faults.extent import TIMEOUT_S
from tests.faults.place import Place, Servers

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here kills something, and takes its time in the long form."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.fault)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers of this test process alone, with a migrated template database to clone."""
    with place.serving() as started:
        started.postgres.create("template")
        with environment(DATABASE_URL=started.postgres.url("template")):
            migrations.upgrade()
        yield started


@pytest.fixture
def here(servers: Servers, tmp_path: Path) -> Iterator[Place]:
    """A fresh ledger and an empty broker, with this process pointed at them; a relay may be started."""
    name = f"faults_{next(_numbers)}"
    with psycopg.connect(servers.postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    servers.flush()
    port = ports.free()
    with (
        environment(**place.environment(tmp_path, servers, name, port)),
        processes.running(tmp_path / "processes.log") as started,
    ):
        yield Place(tmp_path, servers, started, port)
    servers.postgres.drop(name)


@pytest.fixture
def audited(here: Place, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Any:
    """Audits the run and refuses what no run may have: a message lost or mailed twice, or more doubt than in flight."""

    def audit(*, in_doubt_max: int = accounts.IN_FLIGHT_MAX) -> accounts.Verdict:
        verdict = here.judge(request.node.name.removeprefix("test_"))
        record_property("verdict", verdict.as_json())
        accounts.check(verdict, in_doubt_max=in_doubt_max)
        return verdict

    return audit


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Kills, faults by kind and the audit: of every scenario and in total."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = [
        json.loads(str(value))
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "verdict" and report.when == "call"
    ]
    if told:
        terminalreporter.section("audit of the fault scenarios")
        for line in accounts.table([_verdict(each) for each in told]):
            terminalreporter.write_line(line)


def _verdict(told: dict[str, Any]) -> accounts.Verdict:
    counted = {name: Counter(told.pop(name)) for name in ("kills", "faults", "statuses")}
    return accounts.Verdict(**told, **counted)
