"""Openings of windows across nights, weekends and clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.campaigns import windows
from engine.campaigns.windows import Window

MADRID = "Europe/Madrid"
OFFICE_HOURS = Window(9 * 60, 18 * 60, frozenset({1, 2, 3, 4, 5}))
SUNDAY_NIGHT = Window(2 * 60, 3 * 60, frozenset({7}))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "opens", "asked", "zone"),
    [
        # November: Madrid is UTC+1, so nine o'clock there is 08:00 UTC. 2026-11-02 is a Monday.
        ("2026-11-02 07:59", "2026-11-02 08:00", OFFICE_HOURS, MADRID),
        ("2026-11-02 08:00", "2026-11-02 08:00", OFFICE_HOURS, MADRID),
        ("2026-11-02 16:59:59", "2026-11-02 16:59:59", OFFICE_HOURS, MADRID),
        ("2026-11-02 17:00", "2026-11-03 08:00", OFFICE_HOURS, MADRID),
        ("2026-11-06 17:00", "2026-11-09 08:00", OFFICE_HOURS, MADRID),  # Friday evening to Monday
        ("2026-07-01 12:00", "2026-07-01 13:00", OFFICE_HOURS, "America/New_York"),  # UTC-4: 09:00 is 13:00 UTC
        # Still Sunday the 1st in Mexico City (UTC-6) at 02:00 UTC on Monday.
        ("2026-11-02 02:00", "2026-11-02 02:00", Window(weekdays=frozenset({7})), "America/Mexico_City"),
        ("2026-11-02 02:00", "2026-11-02 06:00", Window(weekdays=frozenset({1})), "America/Mexico_City"),
        ("2026-11-02 12:00", "2026-11-02 12:00", Window(), "UTC"),
        # Spring: on 2026-03-29 at 02:00 the clocks of Madrid go to 03:00; nine o'clock is 07:00 UTC from then on.
        ("2026-03-28 20:00", "2026-03-29 07:00", Window(9 * 60, 18 * 60), MADRID),
        # A window in the hour that is skipped opens a week later, at 02:00 summer time.
        ("2026-03-29 00:00", "2026-04-05 00:00", SUNDAY_NIGHT, MADRID),
        # One that begins in that hour opens when it ends; one inside it does not open that day, nor after its end.
        ("2026-03-28 23:30", "2026-03-29 01:00", Window(150, 210), MADRID),
        ("2026-03-29 01:29", "2026-03-29 01:29", Window(150, 210), MADRID),
        ("2026-03-29 01:30", "2026-03-30 00:30", Window(150, 210), MADRID),
        ("2026-03-28 23:30", "2026-03-30 00:00", Window(120, 150), MADRID),
        ("2026-03-29 01:00", "2026-03-30 00:00", Window(120, 150), MADRID),
        # The clocks of Santiago skip the hour after midnight, and those of Apia skipped a Friday.
        ("2026-09-06 03:30", "2026-09-06 04:00", Window(30, 90), "America/Santiago"),
        ("2026-09-06 03:30", "2026-09-07 03:00", Window(0, 30), "America/Santiago"),
        ("2011-12-30 09:00", "2012-01-05 10:00", Window(0, 60, frozenset({5})), "Pacific/Apia"),
        # Autumn: on 2026-10-25 at 03:00 the clocks go back to 02:00; the window lasts through both hours.
        ("2026-10-25 00:00", "2026-10-25 00:00", SUNDAY_NIGHT, MADRID),
        ("2026-10-25 01:59", "2026-10-25 01:59", SUNDAY_NIGHT, MADRID),
        ("2026-10-25 02:00", "2026-11-01 01:00", SUNDAY_NIGHT, MADRID),
        # One inside the repeated hour opens twice, and one that ends in it opens again.
        ("2026-10-25 00:30", "2026-10-25 01:00", Window(120, 150), MADRID),
        ("2026-10-25 00:30", "2026-10-25 01:00", Window(90, 150), MADRID),
        ("2026-10-25 01:30", "2026-10-26 00:30", Window(90, 150), MADRID),
    ],
)
def test_next_open_is_the_first_open_moment(moment: str, opens: str, asked: Window, zone: str) -> None:
    assert windows.next_open(_utc(moment), asked, zone) == _utc(opens)


def test_next_open_is_open_and_never_earlier_for_any_moment() -> None:
    start = _utc("2026-03-20 00:00")
    for step in range(500):
        moment = start + timedelta(minutes=37 * step)
        opened = windows.next_open(moment, OFFICE_HOURS, MADRID)
        assert opened >= moment
        assert windows.next_open(opened, OFFICE_HOURS, MADRID) == opened


@pytest.mark.parametrize("zone", ["America/Santiago", "Australia/Lord_Howe"])
def test_a_window_is_open_exactly_while_clocks_show_a_time_in_it(zone: str) -> None:
    """Each quarter of an hour of the weekends of a year; clocks change by an hour at midnight, or by half an hour."""
    window = Window(105, 165, frozenset({6, 7}))
    start, opens = _utc("2026-01-01 00:00"), None
    for moment in (start + timedelta(minutes=15 * step) for step in reversed(range(365 * 96))):
        clock = moment.astimezone(ZoneInfo(zone))
        if clock.isoweekday() in (6, 7) and 105 <= clock.hour * 60 + clock.minute < 165:
            opens = moment
        if opens is not None and moment.isoweekday() > 5:
            assert windows.next_open(moment, window, zone) == opens, moment


def test_next_open_refuses_a_moment_without_zone_and_a_window_that_never_opens() -> None:
    with pytest.raises(ValueError, match="moment"):
        windows.next_open(datetime(2026, 11, 2), OFFICE_HOURS, MADRID)  # noqa: DTZ001  # the fault in question
    with pytest.raises(ValueError, match="never opens"):
        windows.next_open(_utc("2026-11-02 09:00"), Window(weekdays=()), MADRID)
