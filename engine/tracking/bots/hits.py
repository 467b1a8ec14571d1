"""A hit: one request for a mail's pixel or link as it was observed, and the verdict on it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from engine.tracking import tokens

BUCKET_S = 10
HONEYPOT = tokens.HONEYPOT


class Verdict(NamedTuple):
    """Who is behind a hit, `human`, `machine` or `unknown`, and the names of the rules that say so."""

    id: UUID
    source: str
    reasons: tuple[str, ...]


class Hit(NamedTuple):
    """One request for a pixel (`opened`) or a link (`clicked`), as `Observer.observe` keeps it.

    `network` is a class of `networks` or "other"; `prefix` and `purpose` are empty where nothing is known.
    """

    id: UUID
    kind: str
    at: datetime
    link: int = -1
    method: str = "GET"
    agent: str = ""
    network: str = "other"
    prefix: str = ""
    purpose: str = ""

    @classmethod
    def of(cls, event_id: UUID, kind: str, at: datetime, data: Mapping[str, Any]) -> Self:
        """The hit that a row of `events` holds."""
        get = data.get
        return cls(
            event_id,
            kind,
            at,
            get("link", -1),
            get("method", "GET"),
            get("agent", ""),
            get("network", "other"),
            get("prefix", ""),
            get("purpose", ""),
        )


def is_hit(kind: str, data: Mapping[str, Any]) -> bool:
    """Whether an event is a request that was observed, and so is judged; reports by the API and replies are not."""
    return kind in ("opened", "clicked") and "method" in data


def bucket(at: datetime) -> int:
    """The ten seconds that a moment falls in, counted from 1970."""
    return int(at.timestamp()) // BUCKET_S
