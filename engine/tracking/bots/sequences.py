"""Sequences of hits as JSON lines: read liberally, judged, and held against their labels."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from engine.tracking.bots.classify import judge
from engine.tracking.bots.hits import Hit, Verdict, bucket
from engine.tracking.bots.observer import Observer
from errors import InvalidInput

LABELS = ("human", "machine", "unknown")
_KINDS = {"opened": "opened", "open": "opened", "pixel": "opened", "clicked": "clicked", "click": "clicked"}
_SENT = datetime(2026, 1, 15, 10, tzinfo=UTC)  # for sequences that count in seconds and name no moment


@dataclass(frozen=True, slots=True)
class Sequence:
    """The hits of one mail in the order written, and how each is labelled (empty: not labelled)."""

    name: str
    sent_at: datetime | None
    hits: tuple[Hit, ...]
    labels: tuple[str, ...]
    crowds: Mapping[tuple[str, int], int]

    def judged(self) -> list[Verdict]:
        """The verdict on each hit."""
        return judge(self.hits, sent_at=self.sent_at, crowds=self.crowds)


def read(line: str, observer: Observer) -> Sequence:
    """The sequence in one line; InvalidInput names the field and what would be right."""
    try:
        told = json.loads(line)
    except ValueError as error:
        raise InvalidInput.of("line", f"is not JSON: {error}") from None
    if not isinstance(told, dict):
        raise InvalidInput.of("line", "is not a JSON object: {…} with name, sent_at and hits is expected")
    written = told.get("hits")
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise InvalidInput.of("hits", "a list of objects is expected, each with at and kind")
    sent_at = _moment("sent_at", told["sent_at"], None) if told.get("sent_at") is not None else None
    if sent_at is None and _counts_in_seconds(written):
        sent_at = _SENT
    hits = [_hit(number, one, sent_at, observer) for number, one in enumerate(written)]
    return Sequence(
        name=str(told.get("name", "")),
        sent_at=sent_at,
        hits=tuple(hits),
        labels=tuple(_label(f"hits[{n}].label", one.get("label", told.get("label"))) for n, one in enumerate(written)),
        crowds=_crowds(hits, written),
    )


def _counts_in_seconds(written: list[dict[str, Any]]) -> bool:
    return any(isinstance(one.get("at"), int | float) for one in written)


def _hit(number: int, told: Mapping[str, Any], sent_at: datetime | None, observer: Observer) -> Hit:
    place = f"hits[{number}]"
    kind = _KINDS.get(str(told.get("kind", "")))
    if kind is None:
        raise InvalidInput.of(f"{place}.kind", '"opened" or "clicked" is expected')
    link = told.get("link", 0 if kind == "clicked" else -1)
    if not isinstance(link, int):
        raise InvalidInput.of(f"{place}.link", "the number of a link is expected, such as 0")
    texts = {name: _text(f"{place}.{name}", told.get(name)) for name in _TEXTS}
    seen = observer.observe(
        method=texts["method"] or "GET", address=texts["address"], agent=texts["agent"], purpose=texts["purpose"]
    )
    given = {name: texts[name] for name in ("network", "prefix") if texts[name]}
    return Hit.of(
        UUID(int=number), kind, _moment(f"{place}.at", told.get("at"), sent_at), seen | given | {"link": link}
    )


_TEXTS = ("method", "address", "agent", "purpose", "network", "prefix")


def _text(field: str, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise InvalidInput.of(field, "a text is expected")
    return value or ""


def _moment(field: str, value: object, sent_at: datetime | None) -> datetime:
    """A moment as ISO 8601 (without a zone it is UTC), or as seconds after the sending."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and sent_at is not None:
            return sent_at + timedelta(seconds=value)
    except (ValueError, OverflowError):
        pass
    seconds = "" if field == "sent_at" else " or seconds after the sending such as 12.5"
    raise InvalidInput.of(field, f"a moment such as 2026-01-15T10:00:00Z{seconds} is expected")


def _label(field: str, value: object) -> str:
    if value not in (None, *LABELS):
        raise InvalidInput.of(field, f"one of {', '.join(LABELS)} is expected")
    return str(value or "")


def _crowds(hits: list[Hit], written: list[dict[str, Any]]) -> dict[tuple[str, int], int]:
    """The crowds that the hits tell of themselves: `crowd` is how many mails were hit from there just then."""
    told = ((hit, one.get("crowd")) for hit, one in zip(hits, written, strict=True))
    return {(hit.prefix, bucket(hit.at)): crowd for hit, crowd in told if hit.prefix and isinstance(crowd, int)}


def confusion(pairs: list[tuple[str, str]]) -> str:
    """How labels (rows) and verdicts (columns) agree, as a table to print."""
    lines = [f"{'label':>10}" + "".join(f"{verdict:>10}" for verdict in LABELS)]
    for label in LABELS:
        lines.append(f"{label:>10}" + "".join(f"{pairs.count((label, verdict)):>10}" for verdict in LABELS))
    return "\n".join(lines)
