"""Views of public pages: the key by which they are counted, their source, and the recognition of machines."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from engine.tracking.bots import classifier
from engine.tracking.bots.hits import Hit

SOURCE_CHARS = 50
OTHER = "other"
_NO_ID = UUID(int=0)
_PLAIN = re.compile(r"[\w .+:/-]+")


class Key(NamedTuple):
    """The key by which views are counted: the page or form, the hour in UTC, the source or "" without one."""

    page_id: UUID
    hour: datetime
    source: str


def key(page_id: UUID, source: str, now: datetime) -> Key:
    """Return the key of a view at this moment."""
    return Key(page_id, now.astimezone(UTC).replace(minute=0, second=0, microsecond=0), source)


def is_machine(observed: Mapping[str, Any], *, now: datetime) -> bool:
    """Return True if the request of a view, as `Observer.observe` describes it, is classified as a machine's."""
    [classified] = classifier.classify([Hit.of(_NO_ID, "clicked", now, observed)], sent_at=None, bursts={})
    return classified.source == "machine"


def source_of(utm_source: str) -> str:
    """Return the source as it is counted: in lower case, bounded; `other` if it is no plain word."""
    source = utm_source.strip().lower()[:SOURCE_CHARS]
    return source if not source or _PLAIN.fullmatch(source) else OTHER
