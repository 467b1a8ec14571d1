"""Campaigns as they are written on a command line: steps, windows, weekdays, variables."""

import re

import click

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_STEP = re.compile(r"([a-z0-9_]+)(?::(\d{1,9})([smhd]))?")
_HOURS = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")


def step(text: str) -> tuple[str, int]:
    """`email_2_caso:3d` as a template and seconds."""
    found = _STEP.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not TEMPLATE[:DELAY]; give one such as email_2_caso:3d (s, m, h, d)")
    template, count, unit = found.groups()
    return template, int(count) * _UNITS_S[unit] if count else 0


def window(text: str) -> tuple[int, int]:
    """`09:00-18:00` as minutes after midnight."""
    found = _HOURS.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no window; give one such as 09:00-18:00")
    opens_h, opens_m, closes_h, closes_m = map(int, found.groups())
    return opens_h * 60 + opens_m, closes_h * 60 + closes_m


def weekdays(text: str) -> tuple[int, ...]:
    """`12345` as ISO weekdays."""
    if not re.fullmatch("[1-7]+", text):
        raise click.BadParameter(f"{text!r} are no weekdays; give digits such as 12345 (1 is Monday)")
    return tuple(map(int, text))


def variable(text: str) -> tuple[str, str]:
    """`link_calendly=https://…` as a name and its value."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{name!r} has no value; give NAME=VALUE")
    return name, value
