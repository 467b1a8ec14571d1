"""Names of time zones."""

import zoneinfo
from functools import lru_cache

LONGEST = 50  # characters, the length of the column


@lru_cache(maxsize=1024)
def exists(name: str) -> bool:
    """Return True if `name` is a zone of the IANA database, such as Europe/Madrid."""
    if len(name) > LONGEST:
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
