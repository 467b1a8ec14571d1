"""Send windows: the minutes of the day and the weekdays in which a step may go out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 1440
_EVERY_DAY = frozenset(range(1, 8))

# A window inside an hour that a clock change skips opens on its next weekday, at most a week later.
_DAYS_AHEAD = 15
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From `start_min` until before `end_min` (minutes after local midnight) on ISO weekdays (1 = Monday)."""

    start_min: int = 0
    end_min: int = MINUTES_A_DAY
    weekdays: Collection[int] = _EVERY_DAY


def next_open(moment: datetime, window: Window, zone: str) -> datetime:
    """Return the first moment at or after `moment` (aware) at which the window is open in `zone`, in UTC.

    A window is open while clocks in `zone` show a time in it. So on the day of a clock change, a window inside the
    skipped hour does not open, one that begins in that hour opens at its end, and one inside the repeated hour opens
    twice.
    """
    if moment.tzinfo is None:
        raise ValueError("moment: has no time zone; give an aware one")
    moment = moment.astimezone(UTC)
    if window.start_min == 0 and window.end_min == MINUTES_A_DAY and len(window.weekdays) == len(_EVERY_DAY):
        return moment
    local_zone = ZoneInfo(zone)
    if _includes(window, moment, local_zone):
        return moment
    today = moment.astimezone(local_zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD)):
        starts = (at for at in _starts(day, window.start_min, local_zone) if at > moment)
        opens = min((at for at in starts if _includes(window, at, local_zone)), default=None)
        if opens is not None:
            return opens
    raise ValueError("window: it never opens; give at least one weekday and an end after the start")


def _includes(window: Window, moment: datetime, zone: ZoneInfo) -> bool:
    """Return True if clocks in `zone` show a time in the window at `moment`."""
    clock = moment.astimezone(zone)
    return window.start_min <= clock.hour * 60 + clock.minute < window.end_min and clock.isoweekday() in window.weekdays


def _starts(day: date, minute: int, zone: ZoneInfo) -> list[datetime]:
    """Return the moments of a day at which a window from `minute` on may open: both of a repeated minute, and the
    moment of a clock change."""
    wall = datetime.combine(day, time(*divmod(minute, 60)), tzinfo=zone)
    change = _clock_change(day, zone)
    starts = [wall.astimezone(UTC)]
    return starts if change is None else [*starts, wall.replace(fold=1).astimezone(UTC), change]


@lru_cache(maxsize=4_096)
def _clock_change(day: date, zone: ZoneInfo) -> datetime | None:
    """Return the second of this day from which clocks in `zone` have another offset; None if the offset stays."""
    first, last = (
        datetime.combine(day + timedelta(days=ahead), time(), tzinfo=zone).astimezone(UTC) - _SECOND for ahead in (0, 1)
    )
    before = first.astimezone(zone).utcoffset()
    if last.astimezone(zone).utcoffset() == before:
        return None
    while last - first > _SECOND:
        middle = first + (last - first) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == before:
            first = middle
        else:
            last = middle
    return last
