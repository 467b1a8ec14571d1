"""Names of time zones."""

import re
import zoneinfo
from functools import lru_cache

LONGEST = 50  # characters, the length of the column
_NO_PLACE = ("localtime", "posixrules", "Factory")  # files in the database that name no zone


@lru_cache(maxsize=1024)
def exists(name: str) -> bool:
    """Return True if `name` is a zone of the IANA database, such as Europe/Madrid."""
    if len(name) > LONGEST or name in _NO_PLACE:
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=1024)
def resolve(text: str) -> str | None:
    """Return the zone that a text names in any case, also as HubSpot writes it (`us_slash_eastern`), or None."""
    if exists(text):
        return text
    name = re.sub(r"\s*\([^)]*\)\s*", "", text).casefold().replace("_slash_", "/").replace(" ", "_")
    return _by_folded_name().get(name)


@lru_cache(maxsize=1)
def _by_folded_name() -> dict[str, str]:
    return {name.casefold(): name for name in sorted(zoneinfo.available_timezones()) if exists(name)}
