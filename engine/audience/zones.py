"""Time zones: which names are known."""

import zoneinfo
from functools import lru_cache

LONGEST = 50  # characters, as the ledger's column


@lru_cache(maxsize=1024)
def exists(name: str) -> bool:
    """Whether `name` is a zone of the IANA database, such as Europe/Madrid."""
    if len(name) > LONGEST:
        return False
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
