"""Classifying sequences of hits from a file or a pipe; listing and draining spool files."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.ingest import records
from engine.tracking import events
from engine.tracking.events import IncomingEvent
from models import ids
from models.session import transaction
from tests.cli.conftest import Run
from tests.conftest import environment
from tests.engine.ingest.test_spool import left_by_another
from tests.mails import NOW, mail

LINE = {
    "name": "a",
    "sent_at": "2026-01-15T10:00:00Z",
    "whatever": 1,
    "hits": [
        {"at": 1.5, "kind": "clicked", "method": "HEAD", "agent": "curl/8", "address": "192.0.2.7", "label": "machine"},
        {"at": "2026-01-15T11:00:00Z", "kind": "opened", "agent": "GoogleImageProxy", "label": "unknown"},
    ],
}


@pytest.fixture
def classify(cadencia: Run, tmp_path: Path) -> Iterator[Run]:
    """Return a function that runs `cadencia events classify`, which needs settings but no database."""
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/none", LOG_FILE=str(tmp_path / "log")):
        yield partial(cadencia, "events", "classify")


def test_classifications_rules_and_the_table_are_printed(classify: Run, tmp_path: Path) -> None:
    file = tmp_path / "hits.jsonl"
    file.write_text(f"{json.dumps(LINE)}\n\n")
    lines = classify(str(file)).stdout.splitlines()
    assert lines[0] == "a\tclicked 0\tmachine\thead, library, fast, at-once"
    assert lines[1] == "a\topened\thuman\tin-stead\tlabelled unknown"
    assert [line.split() for line in lines[3:]] == [
        ["label", "human", "machine", "unknown"],
        ["human", "0", "0", "0"],
        ["machine", "0", "1", "0"],
        ["unknown", "1", "0", "0"],
    ]


def test_programs_get_an_object_for_each_sequence_from_a_pipe(classify: Run) -> None:
    printed = classify("-", "--json", text=f"{json.dumps(LINE)}\n{json.dumps({'hits': []})}\n")
    first, second = map(json.loads, printed.stdout.splitlines())
    assert [hit["classification"] for hit in first["hits"]] == ["machine", "human"] and second["hits"] == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line: is not JSON"),
        ("[]", "line: is not a JSON object"),
        ('{"hits": 1}', "hits: a list of objects"),
        ('{"hits": [{"kind": "seen", "at": 1}]}', 'hits[0].kind: "opened" or "clicked"'),
        ('{"hits": [{"kind": "opened"}]}', "hits[0].at: a moment such as 2026-01-15T10:00:00Z or seconds"),
        ('{"hits": [{"kind": "opened", "at": 1e300}]}', "hits[0].at: a moment"),
        ('{"sent_at": 5, "hits": []}', "sent_at: a moment such as 2026-01-15T10:00:00Z is expected"),
        ('{"hits": [{"kind": "clicked", "at": 1, "link": "x"}]}', "hits[0].link: the number of a link"),
        ('{"hits": [{"kind": "clicked", "at": 1, "agent": 7}]}', "hits[0].agent: a text is expected"),
        ('{"label": "bot", "hits": [{"kind": "clicked", "at": 1}]}', "hits[0].label: one of human, machine, unknown"),
    ],
)
def test_an_invalid_line_is_reported_with_its_number_and_field(classify: Run, line: str, message: str) -> None:
    refused = classify("-", text=f"{json.dumps(LINE)}\n{line}\n", status=2)
    assert f"line 2: {message}" in refused.stderr


def test_spool_lists_the_files_and_drain_stores_them(run: Run, tmp_path: Path) -> None:
    with transaction() as session:
        entry = events.prepare(IncomingEvent(mail(session).id, "opened"), now=NOW)
    path = left_by_another(tmp_path / "carried", records.encoded(entry))
    spool_command = partial(run, "events", "spool", "--dir", str(path.parent))
    assert spool_command().stdout == f"{path}\t{len(records.encoded(entry))} bytes\n"
    assert spool_command("--drain").stdout == "1 events stored\n"
    with transaction() as session:
        assert session.scalar(text("SELECT dedupe_key FROM events")) == entry.dedupe_key
    assert spool_command().stdout == ""


def test_drain_keeps_the_file_while_the_database_is_unavailable(cadencia: Run, tmp_path: Path) -> None:
    path = left_by_another(
        tmp_path / "carried", records.encoded(events.prepare(IncomingEvent(ids.new(), "opened"), now=NOW))
    )
    gone = "postgresql://cadencia:x@127.0.0.1:9/gone"
    with environment(DATABASE_URL=gone, LOG_FILE=str(tmp_path / "log")):
        refused = cadencia("events", "spool", "--dir", str(path.parent), "--drain", status=1)
    assert refused.stderr.endswith("Error: database: not reachable\n")
    assert path.exists()
