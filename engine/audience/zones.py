"""Names of time zones."""

import re
import zoneinfo
from functools import lru_cache

import errors

LONGEST = 50  # characters, the length of the column
_TEXT_MAX = 100  # characters of a zone and what stands beside it
_NO_PLACE = ("localtime", "posixrules", "Factory")  # files in the database that name no zone
_NO_NAMES = ("posix/", "right/", "build/")  # folders with other readings of each zone


@lru_cache(maxsize=1024)
def exists(name: str) -> bool:
    """Return True if `name` is a zone of the IANA database, such as Europe/Madrid."""
    if len(name) > LONGEST or name in _NO_PLACE or name.startswith(_NO_NAMES):
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def resolve(text: str) -> str | None:
    """Return the zone that a text names in any case, also as HubSpot writes it (`us_slash_eastern`), or None."""
    if len(text) > _TEXT_MAX:
        return None
    if exists(text):
        return text
    name = re.sub(r"\s*\([^)]*\)\s*", "", text).casefold().replace("_slash_", "/").replace(" ", "_")
    return _by_folded_name().get(name)


@lru_cache(maxsize=1)
def _by_folded_name() -> dict[str, str]:
    return {name.casefold(): name for name in sorted(zoneinfo.available_timezones()) if exists(name)}


def fault(name: str) -> str:
    """Return the message for a name that is no zone, with the nearest one, also by the name of its city alone."""
    close = nearest(name)
    advice = f"did you mean {close}?" if close else "give one such as Europe/Madrid"
    return f"{errors.shown(name)} is not a zone of the IANA database; {advice}"


def nearest(name: str) -> str | None:
    """Return the zone that a name probably means, also by the name of its city alone; None if it is like none."""
    zones = list(_by_folded_name().values())
    cities = {zone.rpartition("/")[2]: zone for zone in reversed(zones)}
    city = errors.nearest(name.strip().replace(" ", "_"), cities)
    return resolve(name) or errors.nearest(name, zones) or (cities[city] if city else None)
