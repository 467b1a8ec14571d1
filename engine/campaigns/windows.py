"""Send windows: the minutes of the day and the weekdays in which a step may go out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 1440
_EVERY_DAY = frozenset(range(1, 8))

# A window inside an hour that a clock change skips opens on its next weekday, at most a week later.
_DAYS_AHEAD = 15


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_min` until before `end_min` (minutes after local midnight) on ISO weekdays (1 = Monday)."""

    start_min: int = 0
    end_min: int = MINUTES_A_DAY
    weekdays: Collection[int] = _EVERY_DAY


def next_open(moment: datetime, window: Window, zone: str) -> datetime:
    """Return the first moment at or after `moment` (aware) at which the window is open in `zone`, in UTC.

    A window inside the hour that a clock change skips opens on its next day.
    """
    if moment.tzinfo is None:
        raise ValueError("moment: has no time zone; give an aware one")
    if window.start_min == 0 and window.end_min == MINUTES_A_DAY and len(window.weekdays) == len(_EVERY_DAY):
        return moment.astimezone(UTC)
    local_zone = ZoneInfo(zone)
    today = moment.astimezone(local_zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD)):
        if day.isoweekday() not in window.weekdays:
            continue
        earliest = max(moment.astimezone(UTC), _at(day, window.start_min, local_zone))
        if earliest < _at(day, window.end_min, local_zone):
            return earliest
    raise ValueError("window: it never opens; give at least one weekday and an end after the start")


def is_open(moment: datetime, window: Window, zone: str) -> bool:
    """Return True if a step with this window may go out at `moment`."""
    return next_open(moment, window, zone) == moment


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    days, minute = divmod(minute, MINUTES_A_DAY)
    wall = datetime.combine(day + timedelta(days=days), time(*divmod(minute, 60)), tzinfo=zone)
    return wall.astimezone(UTC)
