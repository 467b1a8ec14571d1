"""`cadencia status`: ticks, queues, lanes, e-mails in doubt, the spool, senders, relays and faults on one screen."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cli import groups, terminal

if TYPE_CHECKING:
    from engine.health import Line

_WIDTH_MIN, _WIDTH_MAX = 60, 100


@click.command(cls=groups.Command)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, for programs.")
def group(is_json: bool) -> None:
    """Show ticks, queues, lanes, e-mails in doubt, the spool of this host, senders, relays, and what cannot be used.

    The status is 1 if anything is late, unavailable, unusable or in quarantine. A lane is late if e-mails are due for
    more than a minute and no sender has worked on it in the last minute; the spool is late if an event waits for more
    than a minute. A queue holds rings, which say that there is work, and no e-mails: those are in the lanes.
    docs/operations.md says what to do.

    \b
    Examples:
      cadencia status
      cadencia status --json
    """
    from cli import status_report

    lines = status_report.collect()
    if is_json:
        click.echo(_json(lines))
    elif sys.stdout.isatty():
        for text in laid_out(lines, width=shutil.get_terminal_size().columns):
            click.echo(text)
    else:
        for line in lines:
            terminal.row(line.part, line.name, line.state, status_report.detail(line))
    if any(line.is_bad for line in lines):
        raise click.exceptions.Exit(1)


def laid_out(lines: Sequence["Line"], *, width: int) -> list[str]:
    """Return the lines in columns, wrapped at `width`, but not below 60 columns. A part is named once."""
    width = max(_WIDTH_MIN, min(width, _WIDTH_MAX))
    from cli import status_report

    texts, before = [], ""
    for line in lines:
        head = f"{'' if line.part == before else line.part:<9}{line.name:<14} {line.state:<8} "
        head = head if line.state else head.rstrip().ljust(24) + " "
        texts += textwrap.wrap(
            status_report.detail(line), width, initial_indent=head, subsequent_indent=" " * 11, break_on_hyphens=False
        )
        before = line.part
    return texts


def _json(lines: Sequence["Line"]) -> str:
    import json

    from cli import status_report

    parts: dict[str, list[dict[str, object]]] = {}
    for line in lines:
        entry = {"name": line.name, "state": line.state, "detail": status_report.detail(line), **line.numbers}
        parts.setdefault(line.part, []).append({name: value for name, value in entry.items() if value != ""})
    state = "late" if any(line.is_bad for line in lines) else "on time"
    return json.dumps({"state": state, **parts}, default=lambda moment: moment.isoformat(), ensure_ascii=False)
