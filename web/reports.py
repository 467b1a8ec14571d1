"""From what a landing page tells to events, and what is told it about each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from engine.tracking import events, reports
from engine.tracking.events import Arrival
from errors import Fault, InvalidInput, NotFound
from models import ids
from models.session import Session
from web import bodies, process
from web.schemas.events import Result, Track, Tracked, TrackedAll, Tracks
from web.schemas.problems import FieldFault

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


def one(given: Any, session: Session, now: datetime) -> Tracked:
    """Store a single event; InvalidInput by field, NotFound for an unknown mail."""
    arrival = _read(given, "")
    if isinstance(arrival, list):
        raise NotFound(f"email_id: {UNKNOWN.message}") if arrival == [UNKNOWN] else InvalidInput(arrival)
    [outcome] = _take(session, [arrival], now)
    if outcome == "unknown":
        raise NotFound(f"email_id: {UNKNOWN.message}")
    return Tracked(event_id=_name(arrival, now), duplicate=outcome == "duplicate")


def many(given: Sequence[Any], session: Session, now: datetime) -> TrackedAll:
    """Store what can be stored of a list; what became of each."""
    read = [_read(item, f"events[{index}].") for index, item in enumerate(given)]
    outcomes = iter(_take(session, [arrival for arrival in read if isinstance(arrival, Arrival)], now))
    results = [
        _refused(index, arrival) if isinstance(arrival, list) else _told(index, arrival, next(outcomes), now)
        for index, arrival in enumerate(read)
    ]
    counts = {status: sum(result.status == status for result in results) for status in ("stored", "duplicate")}
    refused = len(results) - sum(counts.values())
    return TrackedAll(
        status="partial" if refused else "success",
        stored=counts["stored"],
        duplicates=counts["duplicate"],
        refused=refused,
        results=results,
    )


def _take(session: Session, arrivals: Sequence[Arrival], now: datetime) -> list[reports.Outcome]:
    late_after = timedelta(days=process.current().settings.track_late_days)
    return reports.take(session, arrivals, late_after=late_after, now=now)


def _read(given: Any, under: str) -> Arrival | list[Fault]:
    try:
        told = Track.model_validate(given)
    except ValidationError as error:
        return bodies.faults(error, under=under)
    email_id = ids.parse(told.email_id)
    if email_id is None:
        return [Fault(under + UNKNOWN.field, UNKNOWN.message)]
    # Apart from what we observe ourselves, so that nobody can report an observation of ours.
    data = {"reported": told.event_data} if told.event_data else {}
    return Arrival(email_id, told.event_type, told.timestamp, data)


def _told(index: int, arrival: Arrival, outcome: reports.Outcome, now: datetime) -> Result:
    if outcome == "unknown":
        return _refused(index, [Fault(f"events[{index}].{UNKNOWN.field}", UNKNOWN.message)])
    return Result(index=index, status=outcome, event_id=_name(arrival, now))


def _refused(index: int, faults: Sequence[Fault]) -> Result:
    told = [FieldFault(field=fault.field, message=fault.message) for fault in faults]
    return Result(index=index, status="refused", errors=told)


def _name(arrival: Arrival, now: datetime) -> str:
    return f"event_{events.dedupe_key(arrival, now).hex()}"
