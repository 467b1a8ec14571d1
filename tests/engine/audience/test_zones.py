"""Names of time zones: those of the IANA database alone, and the nearest for any other."""

import pytest

from engine.audience import zones


@pytest.mark.parametrize("name", ["UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_a_zone_of_the_database_exists(name: str) -> None:
    assert zones.exists(name)


@pytest.mark.parametrize(
    "name",
    ["localtime", "posixrules", "Factory", "posix/Europe/Madrid", "right/Europe/Madrid", "", "..", "/etc", "x" * 51],
)
def test_a_file_of_the_host_or_of_another_reading_is_no_zone(name: str) -> None:
    assert not zones.exists(name)
    assert "such as Europe/Madrid" in zones.fault(name) or "did you mean" in zones.fault(name)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("europe/madrid", "Europe/Madrid"),
        ("Madrid", "Europe/Madrid"),
        ("Buenos Aires", "America/Buenos_Aires"),
        ("Europe/Barcelna", None),
        ("Asia/Tokio", "Asia/Tokyo"),
    ],
)
def test_the_nearest_zone_is_suggested(name: str, nearest: str | None) -> None:
    message = zones.fault(name)
    assert message.startswith(repr(name))
    assert nearest is None or f"did you mean {nearest}?" in message
