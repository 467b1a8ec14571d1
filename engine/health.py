"""Health: the state of each part of an installation, in numbers, for `cadencia status` and the page of health."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine import bell, heartbeats, lanes, quarantine
from engine.delivery import in_doubt, senders
from engine.delivery.relays import redis_store, status
from engine.delivery.relays.redis_store import Store
from engine.ingest import spool
from engine.templates import host_faults
from errors import Unavailable

ON_TIME, LATE, UNAVAILABLE, UNUSABLE, QUARANTINE = "on time", "late", "unavailable", "unusable", "quarantine"
_BAD = (LATE, UNAVAILABLE, UNUSABLE, QUARANTINE)
_TICKS = {"sweep": "sweep", "call_due began": "call_due", "tidy began": "tidy"}
_TIDY_LATE_S = 1_800.0  # it runs every ten minutes
COUNTED_MAX = 1_000

_WAITING = text("""
SELECT count(*) AS number, min(received_at) AS since
  FROM (SELECT received_at FROM events WHERE applied_at IS NULL AND NOT held ORDER BY received_at, id LIMIT :most) AS e
""")


@dataclass(frozen=True, slots=True)
class Line:
    """The state of one thing of a part, such as one lane, with the numbers behind it."""

    part: str
    name: str
    state: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_bad(self) -> bool:
        """Return True if somebody has to act."""
        return self.state in _BAD


def stored(session: Session, *, now: datetime, clock_rate: float) -> list[Line]:
    """Return the lines that the database knows: ticks, lanes, doubt, events, senders, templates, quarantine."""
    return [
        *_heartbeats(session),
        *_lanes(session, now, clock_rate),
        *_doubts(session),
        *_events(session, now, clock_rate),
        *_senders(session),
        *_templates(session),
        *_quarantine(session),
    ]


def around() -> list[Line]:
    """Return the lines of this host's spool, and of the queues and relays, which are in Redis.

    Waits half a second for Redis at most. Without an answer its lines are `unavailable`.
    """
    lines = list(_spool())
    store = redis_store.for_reports()
    try:
        return [*lines, *_queues(store), *_relays(store)]
    except Unavailable as error:
        return [*lines, *(unavailable(part, error) for part in ("queue", "relay"))]


def unavailable(part: str, error: Unavailable) -> Line:
    """Return the line of a part that does not answer; its `why` has the server's words."""
    return Line(part, "", UNAVAILABLE, {"why": str(error).partition(": ")[2]})


def _heartbeats(session: Session) -> Iterator[Line]:
    ages = heartbeats.ages(session)
    for stored_as, name in _TICKS.items():
        age_s = ages.get(stored_as)
        if name == "tidy":  # it need not have run yet
            is_late = age_s is not None and heartbeats.is_late(age_s, limit_s=_TIDY_LATE_S)
        else:
            is_late = heartbeats.is_late(age_s)
        yield Line("tick", name, LATE if is_late else ON_TIME, {"age_s": age_s})


def _lanes(session: Session, now: datetime, clock_rate: float) -> Iterator[Line]:
    for lane in lanes.read(session, now=now, clock_rate=clock_rate):
        numbers = {"due": lane.due, "due_since": lane.since, "worked_s_ago": lane.worked_s_ago}
        yield Line("lane", lane.name, LATE if lane.is_late else ON_TIME, numbers)


def _doubts(session: Session) -> Iterator[Line]:
    number, since = in_doubt.summary(session)
    yield Line("in doubt", "e-mails", "", {"count": number, "since": since})


def _events(session: Session, now: datetime, clock_rate: float) -> Iterator[Line]:
    row = session.execute(_WAITING, {"most": COUNTED_MAX}).one()
    age_s = None if row.since is None else max(0.0, (now - row.since).total_seconds() / clock_rate)
    state = LATE if age_s is not None and heartbeats.is_late(age_s) else ON_TIME
    yield Line("events", "unapplied", state, {"waiting": row.number, "age_s": age_s})


def _senders(session: Session) -> Iterator[Line]:
    hosts = senders.hosts(session)
    for host in hosts:
        numbers = {"registered": host.registered, "working": host.working, "worked_s_ago": host.worked_s_ago}
        yield Line("senders", host.name, "", numbers)
    if not hosts:
        yield Line("senders", "", "", {"registered": 0})


def _templates(session: Session) -> Iterator[Line]:
    for fault in host_faults.current(session):
        numbers = {"host": fault.host, "since": fault.since, "retry_at": fault.retry_at, "reason": fault.reason}
        yield Line("template", fault.template, UNUSABLE, numbers)


def _quarantine(session: Session) -> Iterator[Line]:
    for each in quarantine.recorded(session):
        yield Line("files", each.host, QUARANTINE, {"folder": each.folder, "files": each.files, "since": each.since})


def _spool() -> Iterator[Line]:
    folder = settings.current().spool_dir
    age_s, size = spool.age_s(folder), sum(spool.sizes(folder).values())
    messages = sum(1 for _ in folder.glob(spool.MAIL))
    state = LATE if (age_s or 0.0) > heartbeats.LATE_S else ON_TIME
    yield Line("spool", "this host", state, {"age_s": age_s, "bytes": size, "messages": messages})


def _queues(store: Store) -> Iterator[Line]:
    for name, length in store.lengths(tuple(bell.BELLS)).items():
        yield Line("queue", name, "", {"rings": length})


def _relays(store: Store) -> Iterator[Line]:
    published = status.read(store)
    for name, statuses in sorted(published.items()):
        states = Counter(each.state for each in statuses)
        why = next((each.why for each in statuses if each.why), "")
        yield Line("relay", name, "", {"states": dict(states), "why": why})
    if not published:
        yield Line("relay", "", "")
