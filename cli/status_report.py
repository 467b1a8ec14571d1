"""The lines of `cadencia status` in words."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from errors import Unavailable

if TYPE_CHECKING:
    from engine.health import Line


def collect() -> "list[Line]":
    """Return all lines. A server that cannot be reached costs its own lines only."""
    import settings
    from engine import clock, health
    from models.session import transaction

    try:
        with transaction() as session:
            lines = health.stored(session, now=clock.now(), clock_rate=settings.current().clock_rate)
    except Unavailable as error:
        lines = [health.unavailable("database", error)]
    return lines + health.around()


def detail(line: "Line") -> str:
    """Return the numbers of a line in words."""
    return str(line.numbers["why"]) if "why" in line.numbers and line.state else _WORDS[line.part](line.numbers)


def _tick(numbers: Mapping[str, Any]) -> str:
    return _ago("run", numbers["age_s"])


def _lane(numbers: Mapping[str, Any]) -> str:
    due = f"{_bounded(numbers['due'])} due since {_at(numbers['due_since'])}" if numbers["due_since"] else "none due"
    return f"{due}, {_ago('active', numbers['worked_s_ago'])}"


def _doubt(numbers: Mapping[str, Any]) -> str:
    number = _bounded(numbers["count"]) if numbers["count"] else "none"
    return f"{number}, the oldest since {_at(numbers['since'])}" if numbers["since"] else number


def _events(numbers: Mapping[str, Any]) -> str:
    if not numbers["waiting"]:
        return "none waits"
    return f"{_bounded(numbers['waiting'])} wait, the oldest for {numbers['age_s']:.0f} s"


def _senders(numbers: Mapping[str, Any]) -> str:
    if not numbers["registered"]:
        return "none has begun to send"
    working = f"{numbers['registered']} registered, {numbers['working']} sending now"
    return f"{working}, {_ago('active', numbers['worked_s_ago'])}"


def _template(numbers: Mapping[str, Any]) -> str:
    moments = f"since {_at(numbers['since'])}, next try {_at(numbers['retry_at'])}"
    return f"on {numbers['host']} {moments}: {numbers['reason']}"


def _files(numbers: Mapping[str, Any]) -> str:
    return f"{numbers['folder']}: {numbers['files']} files since {_at(numbers['since'])}"


def _spool(numbers: Mapping[str, Any]) -> str:
    if numbers["age_s"] is None:
        return "nothing waits"
    messages = f" and {numbers['messages']} incoming messages" if numbers["messages"] else ""
    return f"{numbers['bytes']} bytes{messages} wait, the oldest for {numbers['age_s']:.0f} s"


def _queue(numbers: Mapping[str, Any]) -> str:
    return f"{numbers['rings']} {'ring' if numbers['rings'] == 1 else 'rings'}"


def _relay(numbers: Mapping[str, Any]) -> str:
    if not numbers:
        return "none was used in the last 90 s"
    states = ", ".join(f"{state} in {count}" for state, count in numbers["states"].items())
    return f"{states}: {numbers['why']}" if numbers["why"] else states


_WORDS = {
    "tick": _tick,
    "lane": _lane,
    "in doubt": _doubt,
    "events": _events,
    "senders": _senders,
    "template": _template,
    "files": _files,
    "spool": _spool,
    "queue": _queue,
    "relay": _relay,
}


def _bounded(number: int) -> str:
    """Return a number that is counted up to a thousand."""
    from engine import health

    return f"over {health.COUNTED_MAX - 1}" if number >= health.COUNTED_MAX else str(number)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _ago(what: str, seconds: float | None) -> str:
    return f"not {what} in the last week" if seconds is None else f"{what} {seconds:.0f} s ago"
