"""The command that judges hits anew, beside the others about events."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import click

from engine import clock
from engine.analytics import rollups
from engine.engagement import reclassify
from engine.engagement.reclassify import Page
from models.session import retrying, transaction
from web.cli import plainly
from web.cli_events import events

GROUPS = (events,)
PAGE = 1_000
_MOMENT = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"))
_LINE_EVERY = 50  # pages, where there is no terminal


class Report:
    """What was judged so far, and what became of it."""

    def __init__(self) -> None:
        self.judged = self.mails = self.contacts = 0
        self.verdicts: Counter[tuple[str, str]] = Counter()
        self.rules: Counter[tuple[str, str, str]] = Counter()

    def add(self, page: Page) -> None:
        """Count a page."""
        self.judged += page.events
        self.mails += page.mails
        self.contacts += page.contacts
        self.verdicts += page.verdicts
        self.rules += page.rules

    def lines(self) -> Iterator[str]:
        """The report, verdicts by what they were and are, with the rules that speak now."""
        yield f"{self.judged} opens and clicks judged, {sum(self.verdicts.values())} verdicts changed"
        for (was, now), count in sorted(self.verdicts.items()):
            named = [(rule, n) for (old, new, rule), n in sorted(self.rules.items()) if (old, new) == (was, now)]
            yield f"  {was} -> {now}: {count}" + "".join(f", {rule} {n}" for rule, n in named)
        yield f"{self.mails} mails and {self.contacts} contacts changed"


@events.command()
@click.option("--since", required=True, type=_MOMENT, help="From when on, in UTC: a day or a moment.")
@click.option("--until", type=_MOMENT, help="Up to when, in UTC; now unless given.")
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
@plainly
def rejudge(since: datetime, until: datetime | None, dry_run: bool) -> None:
    """Judge the hits of a span of time anew, and set right what follows: moments, flags, scores, counts.

    For when rules, networks or agents have changed. Works in pages, each a transaction: it may run while events come
    in, twice at once, and be stopped at any time. Mails from before the time that events are kept stay as they are.

    \b
    flask --app web events rejudge --since 2026-01-01 --dry-run
    flask --app web events rejudge --since 2026-01-01T08:00 --until 2026-01-02
    """
    span = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) if until else clock.now()
    report = Report()
    with _progress(*span) as show:
        for page in _pages(*span, write=not dry_run):
            report.add(page)
            show(page.events)
    recounted = 0 if dry_run else _recount(*span)
    for line in report.lines():
        click.echo(line)
    click.echo("nothing was written" if dry_run else f"{recounted} rows of the counts by hour changed")


def _pages(since: datetime, until: datetime, *, write: bool) -> Iterator[Page]:
    after, judge = reclassify.start(since), reclassify.page if write else reclassify.preview
    while page := retrying(partial(judge, after=after, until=until, now=clock.now(), limit=PAGE)):
        yield page
        after = page.last


def _recount(since: datetime, until: datetime) -> int:
    with transaction() as session:
        hours = list(reclassify.hours(session, since, until))
    return sum(retrying(partial(rollups.recount, hour=hour)) for hour in hours)


@contextmanager
def _progress(since: datetime, until: datetime) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; in a log, a line now and then."""
    with transaction() as session:
        events_in_all = reclassify.size(session, since, until)
    if sys.stderr.isatty():
        with click.progressbar(length=events_in_all, label="judging", file=sys.stderr) as bar:
            yield bar.update
        return
    yield _Lines(events_in_all)


class _Lines:
    """Progress in a log."""

    def __init__(self, events_in_all: int) -> None:
        self._all, self._done, self._pages = events_in_all, 0, 0

    def __call__(self, done: int) -> None:
        self._done, self._pages = self._done + done, self._pages + 1
        if self._pages % _LINE_EVERY == 0:
            click.echo(f"judged {self._done} of {self._all} events", err=True)
