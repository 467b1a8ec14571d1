"""Routes of events: landing pages and forms report what happened to an e-mail."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from engine import bell, clock
from engine.ingest import reports
from engine.tracking import events
from engine.tracking.events import Entry, IncomingEvent
from errors import Fault, InvalidInput, NotFound, Unavailable
from models import ids
from web import process
from web.http import bodies, rate_limits
from web.http.auth import public
from web.http.bodies import at_most, takes
from web.http.headers import cross_origin
from web.http.routes import Api, Reply, refusals
from web.ingest import group_commit
from web.schemas.events import Report, Result, Track, Tracked, TrackedAll, TrackReply, Tracks
from web.schemas.problems import examples
from web.schemas.problems.problems import FieldFault

Outcome = reports.Outcome | Literal["waiting"]
UNKNOWN = Fault("email_id", "there is no such e-mail; use the one that the send returned")

api = Api("events", "/api/v1/events", about="Report what happened to an e-mail; no token, the e-mail's id is the key.")
api.before_request(rate_limits.track)
_INVALID = examples.invalid({"body": Track}) or {}
_REFUSALS = refusals({404: f"email_id: {UNKNOWN.message}", 422: _INVALID})


@api.post("/track", responses={202: TrackReply, **_REFUSALS})
@public("landing pages in browsers call it; the e-mail's id, unguessable, is the proof")
@cross_origin
@at_most("track_list_limit_bytes")
@takes("application/json", "text/plain")
def track(body: Report) -> Reply:
    """Report that an e-mail was opened or clicked, or that its contact converted; or a list of such events.

    An event that is reported twice is stored once. While the database is unavailable, valid events are stored on disk,
    answered with the status `waiting`, and stored in the database later; an event of an unknown e-mail is then dropped.
    The JSON may be sent as text/plain, for which browsers need no preflight request.
    """
    content, now = body.root, clock.now()
    items = _items(content)
    if items is None:
        bodies.check_size("track_limit_bytes")
        return _track_one(content, now), 202
    rate_limits.track(len(items) - 1)
    return _track_all(items, now), 202


def _items(content: Any) -> Sequence[Any] | None:
    """Return the events of a list, bare or in `events`; None for a single event. InvalidInput if too many or none."""
    if isinstance(content, dict) and "events" not in content:
        return None
    items = bodies.validated(Tracks, {"events": content} if isinstance(content, list) else content).events
    limit = process.current().settings.track_limit_events
    if len(items) > limit:
        raise InvalidInput.of("events", f"has {len(items)}; at most {limit} are taken in one call")
    return items


def _track_one(item: Any, now: datetime) -> Tracked:
    """Store or spool a single event; InvalidInput by field, NotFound for an unknown e-mail."""
    entry = _entry(item, "", now)
    if isinstance(entry, list):
        raise NotFound(f"email_id: {UNKNOWN.message}") if entry == [UNKNOWN] else InvalidInput(entry)
    [outcome] = _store([entry], now)
    if outcome == "unknown":
        raise NotFound(f"email_id: {UNKNOWN.message}")
    if outcome == "waiting":
        return Tracked(status="waiting", event_id=_public_id(entry), duplicate=None)
    return Tracked(status="success", event_id=_public_id(entry), duplicate=outcome == "duplicate")


def _track_all(items: Sequence[Any], now: datetime) -> TrackedAll:
    """Store or spool the valid events of a list; return the result of each."""
    entries = [_entry(item, f"events[{index}].", now) for index, item in enumerate(items)]
    outcomes = iter(_store([entry for entry in entries if isinstance(entry, Entry)], now))
    results = [
        _refused(index, entry) if isinstance(entry, list) else _result(index, entry, next(outcomes))
        for index, entry in enumerate(entries)
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


def _store(entries: Sequence[Entry], now: datetime) -> Sequence[Outcome]:
    """Store the entries and return the outcome of each; spool them while the database is unavailable."""
    late_after = timedelta(days=process.current().settings.track_late_days)
    ingest = group_commit.current()
    try:
        outcomes = ingest.run(lambda session: reports.store(session, entries, late_after=late_after, now=now))
    except Unavailable:
        ingest.spool_reports(entries)
        return ["waiting"] * len(entries)
    bell.ring("events")
    return outcomes


def _entry(item: Any, under: str, now: datetime) -> Entry | list[Fault]:
    """Return the entry of a reported event, or its faults, with fields named below `under`."""
    try:
        report = bodies.validated(Track, item, under=under)
    except InvalidInput as refused:
        return list(refused.faults)
    email_id = ids.parse(report.email_id)
    if email_id is None:
        return [Fault(under + UNKNOWN.field, UNKNOWN.message)]
    # Below a key of its own, so that a report cannot imitate an observed hit.
    data = {"reported": report.event_data} if report.event_data else {}
    return events.prepare(IncomingEvent(email_id, report.event_type, report.timestamp, data), now=now)


def _result(index: int, entry: Entry, outcome: Outcome) -> Result:
    if outcome == "unknown":
        return _refused(index, [Fault(f"events[{index}].{UNKNOWN.field}", UNKNOWN.message)])
    return Result(index=index, status=outcome, event_id=_public_id(entry))


def _refused(index: int, faults: Sequence[Fault]) -> Result:
    errors = [FieldFault(field=fault.field, message=fault.message) for fault in faults]
    return Result(index=index, status="refused", errors=errors)


def _public_id(entry: Entry) -> str:
    return f"event_{entry.dedupe_key.hex()}"
