"""Watch a campaign: its funnel, redrawn on a terminal, as a line for each change elsewhere."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from cli import terminal
from cli.commands.campaigns import named

if TYPE_CHECKING:
    from engine.campaigns.campaigns import View
    from engine.campaigns.reports.funnel import Ahead, Funnel

_COLUMNS = ("sent", "opened", "clicked", "converted")
_TROUBLE = ("failed", "in_doubt", "bounced")  # columns that are shown if one of them counts something
_SHARE_OF_TIME = 10  # reading a large campaign takes a second: then wait ten


@dataclass(frozen=True, slots=True)
class Look:
    """A campaign at one moment of product time."""

    campaign: "View"
    funnel: "Funnel"
    ahead: "Mapping[int, Ahead]"
    now: datetime


@named.command()
@named.name
@click.option("--every", default=2.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds between looks.")
def watch(name: str, every: float) -> None:
    """Show the funnel of the campaign NAME (or its id) as it changes, until it is finished, cancelled or Ctrl-C.

    A terminal is redrawn; elsewhere each change is a line.

    \b
    Examples:
      cadencia campaigns watch Otoño
      cadencia campaigns watch Otoño > otoño.log
    """
    try:
        with _screen() as show:
            while True:
                began = time.monotonic()
                look = _look(name)
                show(look)
                if look.campaign.finished_at is not None:
                    return
                time.sleep(max(every, _SHARE_OF_TIME * (time.monotonic() - began)))
    except KeyboardInterrupt:
        return


COMMANDS = (watch,)


def _look(name: str) -> Look:
    from engine import clock
    from engine.campaigns import campaigns
    from engine.campaigns.reports import funnel
    from models.session import transaction

    with transaction() as session:
        campaign_id = named.find(session, name)
        view = campaigns.view(session, campaign_id)
        return Look(view, funnel.of(session, campaign_id), funnel.ahead(session, campaign_id), clock.now())


@contextmanager
def _screen() -> "Iterator[Callable[[Look], None]]":
    """Yield a function that shows a look: in place on a terminal that can be redrawn, else as a line if it is new."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines()
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda look: live.update(Text("\n".join(picture(look, width=_width())), no_wrap=True), refresh=True)


def _width() -> int:
    return shutil.get_terminal_size().columns - 1


class _Lines:
    """Looks as lines of a log; a repeated one is not printed."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, look: Look) -> None:
        steps = [
            f"step {step.step}: {_ahead(look, step.step)} ahead, "
            + ", ".join(f"{getattr(step, column)} {column.replace('_', ' ')}" for column in _shown(look))
            for step in look.funnel.steps
        ]
        line = "; ".join([look.campaign.state, *steps, _contacts(look)])
        if line != self._last:
            click.echo(f"{look.now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")
            self._last = line


def picture(look: Look, *, width: int) -> list[str]:
    """Return the lines that show a campaign on a terminal of this width."""
    columns = _shown(look)
    names = [f"{step.step} {step.template}" for step in look.funnel.steps]
    numbers = [
        [str(_ahead(look, step.step)), *(str(getattr(step, column)) for column in columns)]
        for step in look.funnel.steps
    ]
    header = ["ahead", *(column.replace("_", " ") for column in columns)]
    room = width - sum(2 + max(map(len, column)) for column in zip(header, *numbers, strict=True))
    first = [_cut(name, max(room, 8)) for name in ("step", *names)]
    rows = [[name, *cells] for name, cells in zip(first, [header, *numbers], strict=True)]
    about = [_title(look), "", *terminal.aligned(rows), "", f"{_contacts(look)}."]
    return [part for line in [*about, *_next(look)] for part in (wrap(line, width) if len(line) > width else [line])]


def _shown(look: Look) -> tuple[str, ...]:
    return _COLUMNS + tuple(each for each in _TROUBLE if any(getattr(step, each) for step in look.funnel.steps))


def _ahead(look: Look, step: int) -> int:
    return look.ahead[step].contacts if step in look.ahead else 0


def _title(look: Look) -> str:
    reason = f" ({look.campaign.reason})" if look.campaign.reason else ""
    return f"{look.campaign.name}: {look.campaign.state}{reason}"


def _contacts(look: Look) -> str:
    states, reasons = look.funnel.states, look.funnel.stop_reasons
    why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    counted = {"under way": states["active"] + states["waiting"], "finished": states["finished"]}
    parts = [f"{count} {state}" for state, count in counted.items()]
    parts.append(f"{states['stopped']} stopped{f' ({why})' if why else ''}")
    more = ", and more are being enrolled" if look.campaign.enrolling else ""
    return f"{look.funnel.enrolled} contacts: {', '.join(parts)}{more}"


def _next(look: Look) -> list[str]:
    """Return a line about the next e-mail of a running campaign, if its moment is known."""
    from engine.campaigns.reports import preflight

    due = [(each.first_at, step) for step, each in look.ahead.items() if each.first_at is not None]
    if not due or look.campaign.state != "running":
        return []
    at, step = min(due)
    wait = terminal.duration(int((at - look.now).total_seconds())) if at > look.now else ""
    moment = preflight.in_words(at, look.now, look.campaign.timezone)
    return [f"Step {step} goes out {moment}{f', in {wait}' if wait else ''}."]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 2]}.."
