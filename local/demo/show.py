"""Output of the demo: progress bars on a terminal, plain lines in a log."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from engine.campaigns.reports.funnel import Funnel
from local.stack import ROOT

STATE = ROOT / "var" / "demo"
_LINE_EVERY_S = 2.0
_LOG_WIDTH = 120
_COLUMNS = ("queued", "sent", "failed", "in_doubt", "cancelled", "opened", "clicked", "converted")


class Bars:
    """Progress of the campaign."""

    def __init__(self, console: Console, total: int, bars: RichProgress | None) -> None:
        self._console, self._total, self._bars = console, total, bars
        self._next_line = time.monotonic() + _LINE_EVERY_S
        if bars is not None:
            self._ended = bars.add_task("sequences ended", total=total)
            self._emails = bars.add_task("e-mails delivered", total=None)
            self._actions = bars.add_task("reactions", total=None)

    def show(self, *, ended: int, total: int, emails: int, actions: Mapping[str, int]) -> None:
        """Show the current counts."""
        self._total = total
        reactions = sum(actions.values())
        if self._bars is not None:
            self._bars.update(self._ended, completed=ended, total=total)
            self._bars.update(self._emails, completed=emails, total=max(emails, self._total))
            self._bars.update(self._actions, completed=reactions, total=max(reactions, self._total))
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY_S
            self._console.print(
                f"{ended}/{self._total} sequences ended, {emails} e-mails delivered, {reactions} reactions"
            )


class Progress:
    """The demo's output."""

    def __init__(self) -> None:
        terminal = Console(highlight=False, soft_wrap=True)
        self.console = terminal if terminal.is_terminal else Console(highlight=False, soft_wrap=True, width=_LOG_WIDTH)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    @contextmanager
    def bars(self, total: int) -> Iterator[Bars]:
        """Yield bars on a terminal; elsewhere a line every two seconds."""
        if not self.console.is_terminal:
            yield Bars(self.console, total, None)
            return
        columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with RichProgress(*columns, console=self.console) as bars:
            yield Bars(self.console, total, bars)


def show_funnel(progress: Progress, funnel: Funnel, examples: Mapping[str, Sequence[str]]) -> None:
    """Print the funnel by step, then the reasons why contacts stopped."""
    table = Table(title=f"{funnel.enrolled} contacts", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("step", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column.replace("_", " "), justify="right", no_wrap=True)
    for step in funnel.steps:
        table.add_row(f"{step.step} {step.template}", *(str(getattr(step, column)) for column in _COLUMNS))
    progress.console.print(table)
    progress.say(f"{funnel.states['finished']:>5} got all their e-mails; {funnel.states['stopped']} stopped before:")
    for reason, count in funnel.stop_reasons.items():
        progress.say(f"{count:>5} {reason}")
        for example in examples.get(reason, ()):
            progress.say(f"        {example}")


def show_findings(progress: Progress, findings: Sequence[str], *, emails: int, state: Path) -> None:
    """Print the result of the audit."""
    for finding in findings[:20]:
        progress.say(f"does not add up: {finding}")
    if findings:
        progress.say(f"{len(findings)} findings; the log is {state / 'email_system.log'}")
        return
    progress.say(f"audit: clean. The ledger accounts for every contact, and the {emails} e-mails in the inbox agree.")
    command = "make inbox" if state == STATE else f"python -m local.mail.inbox --store {state / 'inbox'}"
    progress.say(f"read the e-mails: {command}   (files in {state / 'inbox'}; the log is {state / 'email_system.log'})")
