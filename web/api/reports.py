"""From what a landing page tells to events, and what is told it about each."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from engine import bell
from engine.ingest import reports
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from errors import Fault, InvalidInput, NotFound, Unavailable
from models import ids
from web import process
from web.http import bodies
from web.schemas.events import Result, Track, Tracked, TrackedAll, Tracks
from web.schemas.problems import FieldFault

Outcome = reports.Outcome | Literal["waiting"]
UNKNOWN = Fault("email_id", "there is no such e-mail; take the one that the send answered")


def items(given: Any) -> Sequence[Any] | None:
    """The events of a list, bare or in `events`; None for a single event. InvalidInput for too many or none."""
    if isinstance(given, dict) and "events" not in given:
        return None
    try:
        listed = Tracks.model_validate({"events": given} if isinstance(given, list) else given).events
    except ValidationError as error:
        raise InvalidInput(bodies.faults(error)) from None
    most = process.current().settings.track_limit_events
    if len(listed) > most:
        raise InvalidInput.of("events", f"has {len(listed)}; at most {most} are taken in one call")
    return listed


def one(given: Any, now: datetime) -> Tracked:
    """Store a single event, or keep it until it can be; InvalidInput by field, NotFound for an unknown mail."""
    entry = _read(given, "", now)
    if isinstance(entry, list):
        raise NotFound(f"email_id: {UNKNOWN.message}") if entry == [UNKNOWN] else InvalidInput(entry)
    [outcome] = _take([entry], now)
    if outcome == "unknown":
        raise NotFound(f"email_id: {UNKNOWN.message}")
    if outcome == "waiting":
        return Tracked(status="waiting", event_id=_name(entry), duplicate=None)
    return Tracked(status="success", event_id=_name(entry), duplicate=outcome == "duplicate")


def many(given: Sequence[Any], now: datetime) -> TrackedAll:
    """Store what can be stored of a list, or keep it until it can be; what became of each."""
    read = [_read(item, f"events[{index}].", now) for index, item in enumerate(given)]
    outcomes = iter(_take([entry for entry in read if isinstance(entry, Entry)], now))
    results = [
        _refused(index, entry) if isinstance(entry, list) else _told(index, entry, next(outcomes))
        for index, entry in enumerate(read)
    ]
    counts = Counter(result.status for result in results)
    return TrackedAll(
        status="partial" if counts["refused"] else "success",
        stored=counts["stored"],
        duplicates=counts["duplicate"],
        waiting=counts["waiting"],
        refused=counts["refused"],
        results=results,
    )


def _take(entries: Sequence[Entry], now: datetime) -> Sequence[Outcome]:
    """What became of each. While the ledger is away they wait on disk, and whether it knows them cannot be told."""
    late_after = timedelta(days=process.current().settings.track_late_days)
    ingest = process.current().ingest
    try:
        outcomes = ingest.run(lambda session: reports.take(session, entries, late_after=late_after, now=now))
    except Unavailable:
        ingest.spool_reports(entries)
        return ["waiting"] * len(entries)
    bell.ring("events")
    return outcomes


def _read(given: Any, under: str, now: datetime) -> Entry | list[Fault]:
    try:
        told = Track.model_validate(given)
    except ValidationError as error:
        return bodies.faults(error, under=under)
    email_id = ids.parse(told.email_id)
    if email_id is None:
        return [Fault(under + UNKNOWN.field, UNKNOWN.message)]
    # Apart from what we observe ourselves, so that nobody can report an observation of ours.
    data = {"reported": told.event_data} if told.event_data else {}
    return events.prepare(IncomingEvent(email_id, told.event_type, told.timestamp, data), now=now)


def _told(index: int, entry: Entry, outcome: Outcome) -> Result:
    if outcome == "unknown":
        return _refused(index, [Fault(f"events[{index}].{UNKNOWN.field}", UNKNOWN.message)])
    return Result(index=index, status=outcome, event_id=_name(entry))


def _refused(index: int, faults: Sequence[Fault]) -> Result:
    told = [FieldFault(field=fault.field, message=fault.message) for fault in faults]
    return Result(index=index, status="refused", errors=told)


def _name(entry: Entry) -> str:
    return f"event_{entry.dedupe_key.hex()}"
