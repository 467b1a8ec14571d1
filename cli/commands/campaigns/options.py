"""The options that give the content of a campaign, and their reading: steps, windows, weekdays, variables."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from engine.campaigns.windows import Window

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_STEP = re.compile(r"([a-z0-9_]+)(?::(\d{1,9})([smhd]))?")
_MINUTES_A_DAY, _MINUTE_MAX = 1_440, 59
_HOURS = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")


_CONTENT = (
    click.option("--window", help="The hours in which e-mails may be sent.  [default: 00:00-24:00]"),
    click.option("--weekdays", help="The days on which they may; 1 is Monday.  [default: 1234567]"),
    click.option("--timezone", help="The zone of the window, such as Europe/Madrid.  [default: UTC]"),
    click.option("--industry", multiple=True, help="Only contacts of this industry; may be repeated."),
    click.option(
        "--only-sign-ups/--everybody",
        default=None,
        help="Only those who sign up by a form enroll; or all listed contacts again.",
    ),
    click.option("--role", multiple=True, help="Only contacts with this role; may be repeated."),
    click.option(
        "--var",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        help="A variable of its e-mails; may be repeated.",
    ),
)


def steps(*, required: bool) -> Callable[[Command], Command]:
    """Return the option of the steps."""
    about = "In order, up to three."
    return click.option("--step", "steps", multiple=True, required=required, metavar="TEMPLATE[:DELAY]", help=about)


def content(command: Command) -> Command:
    """Add the options of window, weekdays, time zone, audience and variables; without a default each is None."""
    for option in reversed(_CONTENT):
        command = option(command)
    return command


def step(text: str) -> tuple[str, int]:
    """Return the template and the delay in seconds of a step such as `email_2_caso:3d`."""
    match = _STEP.fullmatch(text)
    if match is None:
        raise _invalid("--step", f"{text!r} is not TEMPLATE[:DELAY]; give one such as email_2_caso:3d (s, m, h, d)")
    template, count, unit = match.groups()
    return template, int(count) * _UNITS_S[unit] if count else 0


def window(text: str) -> tuple[int, int]:
    """Return both ends of a window such as `09:00-18:00` in minutes after midnight."""
    match = _HOURS.fullmatch(text)
    if match is None:
        raise _invalid("--window", f"{text!r} is not a window; give one such as 09:00-18:00")
    opens_h, opens_m, closes_h, closes_m = map(int, match.groups())
    opens, closes = opens_h * 60 + opens_m, closes_h * 60 + closes_m
    if not opens < closes <= _MINUTES_A_DAY or max(opens_m, closes_m) > _MINUTE_MAX:
        raise _invalid(
            "--window", f"{text!r} does not end after its start on the same day; give one such as 09:00-18:00"
        )
    return opens, closes


def weekdays(text: str) -> tuple[int, ...]:
    """Return the ISO weekdays of digits such as `12345`."""
    if not re.fullmatch("[1-7]+", text):
        raise _invalid("--weekdays", f"{text!r} are not weekdays; give digits such as 12345 (1 is Monday)")
    return tuple(map(int, text))


def variable(text: str) -> tuple[str, str]:
    """Return the name and the value of a variable such as `link_calendly=https://…`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise _invalid("--var", f"{name!r} has no value; give NAME=VALUE")
    return name, value


def _invalid(option: str, what: str) -> click.BadParameter:
    return click.BadParameter(what, param_hint=option)


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def window_in_words(window: "Window") -> str:
    """Return a window such as `09:00-18:00 Mon-Fri`, or `at any time`."""
    days = sorted(window.weekdays)
    is_run = len(days) > 1 and days[-1] - days[0] == len(days) - 1
    start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (window.start_min, window.end_min))
    if (start, end, len(days)) == ("00:00", "24:00", 7):
        return "at any time"
    named = f"{_DAYS[days[0] - 1]}-{_DAYS[days[-1] - 1]}" if is_run else " ".join(_DAYS[day - 1] for day in days)
    return f"{start}-{end} {named}"
