"""Sequences of hits as JSON lines: read, classified, and compared with their labels."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from engine.tracking.bots.classifier import classify
from engine.tracking.bots.hits import Classification, Hit, bucket
from engine.tracking.bots.observer import Observer
from errors import InvalidInput

LABELS = ("human", "machine", "unknown")
_KINDS = {"opened": "opened", "open": "opened", "pixel": "opened", "clicked": "clicked", "click": "clicked"}
_SENT = datetime(2026, 1, 15, 10, tzinfo=UTC)  # for sequences with times in seconds and no `sent_at`


@dataclass(frozen=True, slots=True)
class Sequence:
    """The hits of one e-mail in the order of the file, with the label of each (empty: none)."""

    name: str
    sent_at: datetime | None
    hits: tuple[Hit, ...]
    labels: tuple[str, ...]
    bursts: Mapping[tuple[str, int], int]

    def classified(self) -> list[Classification]:
        """Return the classification of each hit."""
        return classify(self.hits, sent_at=self.sent_at, bursts=self.bursts)


def read(line: str, observer: Observer) -> Sequence:
    """Return the sequence of one line; InvalidInput names the field and the expected value."""
    try:
        content = json.loads(line)
    except ValueError as error:
        raise InvalidInput.of("line", f"is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise InvalidInput.of("line", "is not a JSON object: {…} with name, sent_at and hits is expected")
    items = content.get("hits")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidInput.of("hits", "a list of objects is expected, each with at and kind")
    sent_at = _moment("sent_at", content["sent_at"], None) if content.get("sent_at") is not None else None
    if sent_at is None and _has_seconds(items):
        sent_at = _SENT
    hits = [_hit(number, item, sent_at, observer) for number, item in enumerate(items)]
    return Sequence(
        name=str(content.get("name", "")),
        sent_at=sent_at,
        hits=tuple(hits),
        labels=tuple(
            _label(f"hits[{n}].label", each.get("label", content.get("label"))) for n, each in enumerate(items)
        ),
        bursts=_bursts(hits, items),
    )


def _has_seconds(items: list[dict[str, Any]]) -> bool:
    return any(isinstance(item.get("at"), int | float) for item in items)


def _hit(number: int, item: Mapping[str, Any], sent_at: datetime | None, observer: Observer) -> Hit:
    place = f"hits[{number}]"
    kind = _KINDS.get(str(item.get("kind", "")))
    if kind is None:
        raise InvalidInput.of(f"{place}.kind", '"opened" or "clicked" is expected')
    link = item.get("link", 0 if kind == "clicked" else -1)
    if not isinstance(link, int):
        raise InvalidInput.of(f"{place}.link", "the number of a link is expected, such as 0")
    texts = {name: _text(f"{place}.{name}", item.get(name)) for name in _TEXTS}
    observed = observer.observe(
        method=texts["method"] or "GET", address=texts["address"], agent=texts["agent"], purpose=texts["purpose"]
    )
    explicit = {name: texts[name] for name in ("network", "prefix") if texts[name]}
    return Hit.of(
        UUID(int=number), kind, _moment(f"{place}.at", item.get("at"), sent_at), observed | explicit | {"link": link}
    )


_TEXTS = ("method", "address", "agent", "purpose", "network", "prefix")


def _text(field: str, value: object) -> str:
    if value is not None and not isinstance(value, str):
        raise InvalidInput.of(field, "a text is expected")
    return value or ""


def _moment(field: str, value: object, sent_at: datetime | None) -> datetime:
    """Parse a moment: ISO 8601 (UTC if it has no zone), or seconds after sending."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool) and sent_at is not None:
            return sent_at + timedelta(seconds=value)
    except (ValueError, OverflowError):
        pass
    seconds = "" if field == "sent_at" else " or seconds after sending such as 12.5"
    raise InvalidInput.of(field, f"a moment such as 2026-01-15T10:00:00Z{seconds} is expected")


def _label(field: str, value: object) -> str:
    if value not in (None, *LABELS):
        raise InvalidInput.of(field, f"one of {', '.join(LABELS)} is expected")
    return str(value or "")


def _bursts(hits: list[Hit], items: list[dict[str, Any]]) -> dict[tuple[str, int], int]:
    """Return the bursts that the hits state: `burst` is the number of e-mails hit from the prefix at that time."""
    sizes = ((hit, item.get("burst")) for hit, item in zip(hits, items, strict=True))
    return {(hit.prefix, bucket(hit.at)): size for hit, size in sizes if hit.prefix and isinstance(size, int)}


def confusion(pairs: list[tuple[str, str]]) -> str:
    """Return a table of labels (rows) against classifications (columns)."""
    lines = [f"{'label':>10}" + "".join(f"{source:>10}" for source in LABELS)]
    for label in LABELS:
        lines.append(f"{label:>10}" + "".join(f"{pairs.count((label, source)):>10}" for source in LABELS))
    return "\n".join(lines)
