"""Hit sequences are judged from a file or a pipe, and a bad line is told plainly; what waits in files is taken in."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from engine.ingest import spool
from engine.tracking import events
from engine.tracking.events import Arrival
from models import ids
from models.session import transaction
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
def run(app: Flask) -> Any:
    runner = app.test_cli_runner()
    return lambda *arguments, text=None: runner.invoke(args=["events", "judge", *arguments], input=text)


def test_verdicts_reasons_and_the_table_are_printed(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "hits.jsonl"
    file.write_text(f"{json.dumps(LINE)}\n\n")
    shown = run(str(file))
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0] == "a\tclicked 0\tmachine\thead, library, fast, at-once"
    assert lines[1] == "a\topened\thuman\tin-stead\tlabelled unknown"
    assert [line.split() for line in lines[3:]] == [
        ["label", "human", "machine", "unknown"],
        ["human", "0", "0", "0"],
        ["machine", "0", "1", "0"],
        ["unknown", "1", "0", "0"],
    ]


def test_programs_get_an_object_for_each_sequence_from_a_pipe(run: Any) -> None:
    shown = run("-", "--json", text=f"{json.dumps(LINE)}\n{json.dumps({'hits': []})}\n")
    first, second = map(json.loads, shown.output.splitlines())
    assert [hit["verdict"] for hit in first["hits"]] == ["machine", "human"] and second["hits"] == []


@pytest.mark.parametrize(
    ("line", "told"),
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
def test_a_bad_line_is_told_with_number_field_and_what_is_right(run: Any, line: str, told: str) -> None:
    shown = run("-", text=f"{json.dumps(LINE)}\n{line}\n")
    assert shown.exit_code == 2
    assert f"line 2: {told}" in shown.output


def test_spool_lists_what_waits_and_takes_it_in(app: Flask, tmp_path: Path) -> None:
    with transaction() as session:
        entry = events.entry(Arrival(mail(session).id, "opened"), now=NOW)
    path = left_by_another(tmp_path / "carried", spool.encoded(entry))
    runner, command = app.test_cli_runner(), ["events", "spool", "--dir", str(path.parent)]
    listed = runner.invoke(args=command)
    assert (listed.exit_code, listed.output) == (0, f"{path}\t{len(spool.encoded(entry))} bytes\n")
    taken = runner.invoke(args=[*command, "--take-in"])
    assert (taken.exit_code, taken.output) == (0, "1 events taken in\n")
    with transaction() as session:
        assert session.scalar(text("SELECT dedupe_key FROM events")) == entry.dedupe_key
    assert runner.invoke(args=command).output == ""


def test_spool_says_plainly_that_the_database_is_away_and_keeps_the_file(app: Flask, tmp_path: Path) -> None:
    path = left_by_another(tmp_path / "carried", spool.encoded(events.entry(Arrival(ids.new(), "opened"), now=NOW)))
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/gone"):
        shown = app.test_cli_runner().invoke(args=["events", "spool", "--dir", str(path.parent), "--take-in"])
    assert (shown.exit_code != 0, "Traceback" in shown.output, path.exists()) == (True, False, True)
