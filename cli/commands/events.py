"""`cadencia events`: opens and clicks, their spool and their classification."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from cli import groups, terminal
from errors import InvalidInput

if TYPE_CHECKING:
    from engine.engagement.reclassify import Page
    from engine.tracking.bots import sequences
    from engine.tracking.bots.hits import Classification
    from engine.tracking.bots.observer import Observer

PAGE = 1_000
_MOMENT = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"))


@click.group(cls=groups.Group)
def group() -> None:
    """Classify opens and clicks, and store those that wait in the spool.

    \b
    Examples:
      cadencia events spool
      cadencia events reclassify --since 2026-01-01 --dry-run
    """


@group.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object per sequence, for programs.")
def classify(file: TextIO, is_json: bool) -> None:
    """Classify sequences of hits from FILE (- for standard input) as human, machine or unknown, with the rules.

    Each line is a JSON object for one e-mail. `at` is a moment (ISO 8601) or seconds after sending; a hit needs only
    `at` and `kind` (opened, clicked); unknown keys are ignored. If there are labels, a table at the end compares them
    with the classifications. An invalid line ends the command with status 2. docs/tracking.md lists all keys.

    \b
    Example:
      cadencia events classify hits.jsonl
      {"name": "a", "sent_at": "2026-01-15T10:00:00Z", "label": "machine",
       "hits": [{"at": 1.5, "kind": "clicked", "link": 0, "method": "HEAD", "agent": "curl/8", "address": "192.0.2.7"}]}
    """
    from engine.tracking.bots import sequences

    pairs: list[tuple[str, str]] = []
    for sequence in _read(file):
        classifications = sequence.classified()
        pairs += [(label, each.source) for label, each in zip(sequence.labels, classifications, strict=True) if label]
        for line in _lines(sequence, classifications, is_json=is_json):
            click.echo(line)
    if pairs and not is_json:
        click.echo(f"\n{sequences.confusion(pairs)}")


@group.command()
@click.option("--drain", "is_draining", is_flag=True, help="Store the entries of processes that have ended.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="The folder.  [default: SPOOL_DIR]")
def spool(is_draining: bool, folder: Path | None) -> None:
    """List the spool files: hits that are not in the database yet.

    A web process stores its own entries at once, or as soon as the database is available again, and those of ended
    processes whenever it serves a request. --drain stores those of ended processes now.

    \b
    Examples:
      cadencia events spool
      cadencia events spool --drain
    """
    import settings
    from engine import clock
    from engine.ingest import drain, spool
    from models.session import retrying

    spool_dir = folder or settings.current().spool_dir
    if is_draining:
        click.echo(f"{drain.spools(spool_dir, run=retrying, now=clock.now())} events stored")
    for path, size_bytes in spool.sizes(spool_dir).items():
        terminal.row(path, f"{size_bytes} bytes")


@group.command()
@click.option("--since", required=True, type=_MOMENT, help="The start of the span, in UTC: a day or a moment.")
@click.option("--until", type=_MOMENT, help="The end of the span, in UTC.  [default: now]")
@click.option("--dry-run", is_flag=True, help="Report the changes and write nothing.")
def reclassify(since: datetime, until: datetime | None, dry_run: bool) -> None:
    """Classify the hits of a span again, and update what depends on them: moments, flags, scores and counts.

    Use it when rules, networks or user agents have changed. Each page is a transaction of its own: the command may
    run while events arrive, twice at once, and be stopped at any time. E-mails whose events have expired are not
    changed.

    \b
    Examples:
      cadencia events reclassify --since 2026-01-01 --dry-run
      cadencia events reclassify --since 2026-01-01T08:00 --until 2026-01-02
    """
    from cli.reclassify_report import Report
    from engine import clock
    from engine.engagement import reclassify
    from models.session import transaction

    span = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) if until else clock.now()
    with transaction() as session:
        total = reclassify.size(session, *span)
    report = Report()
    with terminal.progress("classifying", total, "events") as advance:
        for page in _pages(*span, is_dry=dry_run):
            report.add(page)
            advance(page.events)
    recounted = 0 if dry_run else _recount(*span)
    for line in report.lines():
        click.echo(line)
    click.echo("nothing was written" if dry_run else f"{recounted} rows of the hourly counts changed")


def _read(lines: Iterable[str]) -> "Iterator[sequences.Sequence]":
    from engine.tracking.bots import sequences

    observer = _observer()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield sequences.read(line, observer)
        except InvalidInput as error:
            click.echo(f"line {number}: {error}", err=True)
            raise click.exceptions.Exit(2) from None


def _observer() -> "Observer":
    import settings
    from engine.tracking.bots.observer import Observer

    return Observer(settings.current().index_key.get_secret_value().encode(), settings.current().event_addresses)


def _lines(sequence: "sequences.Sequence", classifications: "list[Classification]", *, is_json: bool) -> Iterator[str]:
    if is_json:
        hits = [{"classification": each.source, "reasons": list(each.reasons)} for each in classifications]
        yield json.dumps({"name": sequence.name, "hits": hits})
        return
    for hit, each, label in zip(sequence.hits, classifications, sequence.labels, strict=True):
        differs = f"\tlabelled {label}" if label not in ("", each.source) else ""
        kind = f"{hit.kind} {hit.link}" if hit.kind == "clicked" else hit.kind
        yield f"{sequence.name}\t{kind}\t{each.source}\t{', '.join(each.reasons) or '-'}{differs}"


def _pages(since: datetime, until: datetime, *, is_dry: bool) -> "Iterator[Page]":
    from engine import clock
    from engine.engagement import reclassify
    from models.session import retrying

    after, process = reclassify.start(since), reclassify.preview if is_dry else reclassify.page
    while page := retrying(partial(process, after=after, until=until, now=clock.now(), limit=PAGE)):
        yield page
        after = page.last


def _recount(since: datetime, until: datetime) -> int:
    from engine.analytics import rollups
    from engine.engagement import reclassify
    from models.session import retrying, transaction

    with transaction() as session:
        hours = list(reclassify.hours(session, since, until))
    return sum(retrying(partial(rollups.recount, hour=hour)) for hour in hours)
