"""Hits: observed requests for the pixel or a link of an e-mail, and their classification."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from engine.tracking import tokens

BUCKET_S = 10
HONEYPOT = tokens.HONEYPOT


class Classification(NamedTuple):
    """The source of a hit, `human`, `machine` or `unknown`, and the names of the rules that apply to it."""

    id: UUID
    source: str
    reasons: tuple[str, ...]


class Hit(NamedTuple):
    """A request for a pixel (`opened`) or a link (`clicked`), as `Observer.observe` describes it.

    `network` is a class of `networks` or "other"; `prefix` and `purpose` are empty if unknown.
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
        """Return the hit of a row of `events`."""
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
    """Return True if the event is an observed request, so can be classified; not one reported through the API."""
    return kind in ("opened", "clicked") and "method" in data


def bucket(at: datetime) -> int:
    """Return the number of the ten-second interval, counted from 1970, that contains this moment."""
    return int(at.timestamp()) // BUCKET_S
