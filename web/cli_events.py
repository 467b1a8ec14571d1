"""Commands about events: those that wait in files, and who is behind a hit."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import click
from flask.cli import AppGroup

from engine.tracking import bots
from engine.tracking.bots import sequences
from errors import InvalidInput
from web import process
from web.cli import plainly
from web.ingest import spool_drain

events = AppGroup("events", help="What came back: opens, clicks, and who is behind them.")
GROUPS = (events,)


@events.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--json", "is_json", is_flag=True, help="One JSON object for each sequence, for programs.")
def judge(file: TextIO, is_json: bool) -> None:
    """Judge sequences of hits from FILE (- for standard input): human, machine or unknown, and by which rules.

    One JSON object a line is one mail. `at` is a moment (ISO 8601) or seconds after the sending; of a hit only `at` and
    `kind` (opened, clicked) must be there; keys that are not known are ignored. With labels, a table follows of how
    verdicts agree with them. A bad line ends it with status 2. docs/tracking.md tells all keys.

    \b
    flask --app web events judge hits.jsonl
    {"name": "a", "sent_at": "2026-01-15T10:00:00Z", "label": "machine",
     "hits": [{"at": 1.5, "kind": "clicked", "link": 0, "method": "HEAD", "agent": "curl/8", "address": "192.0.2.7"}]}
    """
    pairs: list[tuple[str, str]] = []
    for sequence in _read(file):
        verdicts = sequence.judged()
        pairs += [(label, verdict.source) for label, verdict in zip(sequence.labels, verdicts, strict=True) if label]
        for line in _lines(sequence, verdicts, is_json=is_json):
            click.echo(line)
    if pairs and not is_json:
        click.echo(f"\n{sequences.confusion(pairs)}")


@events.command("spool")
@click.option("--take-in", is_flag=True, help="Store what processes left that are no more.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="The folder; SPOOL_DIR unless given.")
@plainly
def spool(take_in: bool, folder: Path | None) -> None:
    """List the files of hits that are not in the database yet; --take-in stores those that dead processes left.

    A web process takes in its own at once, or as soon as the database is back; while it is asked for anything, also
    what others left.

    \b
    flask --app web events spool
    flask --app web events spool --take-in
    """
    where = folder or process.current().settings.spool_dir
    if take_in:
        click.echo(f"{spool_drain.take_in(where)} events taken in")
    for path, size in spool_drain.waiting(where).items():
        click.echo(f"{path}\t{size} bytes")


def _read(lines: Iterable[str]) -> Iterator[sequences.Sequence]:
    observer = process.current().observer
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield sequences.read(line, observer)
        except InvalidInput as error:
            click.echo(f"line {number}: {error}", err=True)
            raise click.exceptions.Exit(2) from None


def _lines(sequence: sequences.Sequence, verdicts: list[bots.Verdict], *, is_json: bool) -> Iterator[str]:
    if is_json:
        hits = [{"verdict": verdict.source, "reasons": list(verdict.reasons)} for verdict in verdicts]
        yield json.dumps({"name": sequence.name, "hits": hits})
        return
    for hit, verdict, label in zip(sequence.hits, verdicts, sequence.labels, strict=True):
        differs = f"\tlabelled {label}" if label not in ("", verdict.source) else ""
        what = f"{hit.kind} {hit.link}" if hit.kind == "clicked" else hit.kind
        yield f"{sequence.name}\t{what}\t{verdict.source}\t{', '.join(verdict.reasons) or '-'}{differs}"
