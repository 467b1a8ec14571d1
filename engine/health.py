"""Health: the state of each part of an installation, in numbers, for `cadencia status` and the page of health."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

import settings
from engine import bell, heartbeats, lanes, quarantine
from engine.delivery import in_doubt, senders
from engine.delivery.relays import redis_store, status
from engine.delivery.relays.breaker import RelayStatus
from engine.delivery.senders import Host
from engine.ingest import spool
from engine.lanes import Lane
from engine.quarantine import Content
from engine.templates import host_faults
from engine.templates.host_faults import TemplateFault
from errors import Unavailable
from models import together
from models.together import Query

ON_TIME, LATE, UNAVAILABLE, UNUSABLE, QUARANTINE = "on time", "late", "unavailable", "unusable", "quarantine"
_BAD = (LATE, UNAVAILABLE, UNUSABLE, QUARANTINE)
_TICKS = {"sweep": "sweep", "call_due began": "call_due", "tidy began": "tidy"}
_TIDY_LATE_S = 1_800.0  # it runs every ten minutes
COUNTED_MAX = 1_000

_WAITING = """
SELECT count(*) AS number, min(received_at) AS since
  FROM (SELECT received_at FROM events WHERE applied_at IS NULL AND NOT held ORDER BY received_at, id LIMIT :most) AS e
"""


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
    ages, read, doubts, waiting, hosts, unusable, contents = together.all_of(
        session,
        heartbeats.ages_query(),
        lanes.query(now=now, clock_rate=clock_rate),
        in_doubt.summary_query(),
        Query(_WAITING, ("number", "since"), lambda rows: rows[0], {"most": COUNTED_MAX}),
        senders.hosts_query(),
        host_faults.query(),
        quarantine.query(),
    )
    return [
        *_heartbeats(ages),
        *_lanes(read),
        *_doubts(*doubts),
        *_events(*waiting, now=now, clock_rate=clock_rate),
        *_senders(hosts),
        *_templates(unusable),
        *_quarantine(contents),
    ]


def around() -> list[Line]:
    """Return the lines of this host's spool, and of the queues and relays, which are in Redis.

    Waits half a second for Redis at most. Without an answer its lines are `unavailable`.
    """
    lines = list(_spool())
    store = redis_store.for_reports()
    try:
        published, lengths = store.reported(status.KEYS, tuple(bell.BELLS))
        return [*lines, *_queues(lengths), *_relays(status.of(published))]
    except Unavailable as error:
        return [*lines, *(unavailable(part, error) for part in ("queue", "relay"))]


def unavailable(part: str, error: Unavailable) -> Line:
    """Return the line of a part that does not answer; its `why` has the server's words."""
    return Line(part, "", UNAVAILABLE, {"why": str(error).partition(": ")[2]})


def _heartbeats(ages: Mapping[str, float]) -> Iterator[Line]:
    for stored_as, name in _TICKS.items():
        age_s = ages.get(stored_as)
        if name == "tidy":  # it need not have run yet
            is_late = age_s is not None and heartbeats.is_late(age_s, limit_s=_TIDY_LATE_S)
        else:
            is_late = heartbeats.is_late(age_s)
        yield Line("tick", name, LATE if is_late else ON_TIME, {"age_s": age_s})


def _lanes(read: Sequence[Lane]) -> Iterator[Line]:
    for lane in read:
        numbers = {"due": lane.due, "due_since": lane.since, "worked_s_ago": lane.worked_s_ago}
        yield Line("lane", lane.name, LATE if lane.is_late else ON_TIME, numbers)


def _doubts(number: int, since: datetime | None) -> Iterator[Line]:
    yield Line("in doubt", "e-mails", "", {"count": number, "since": since})


def _events(number: int, since: datetime | None, *, now: datetime, clock_rate: float) -> Iterator[Line]:
    age_s = None if since is None else max(0.0, (now - since).total_seconds() / clock_rate)
    state = LATE if age_s is not None and heartbeats.is_late(age_s) else ON_TIME
    yield Line("events", "unapplied", state, {"waiting": number, "age_s": age_s})


def _senders(hosts: Sequence[Host]) -> Iterator[Line]:
    for host in hosts:
        numbers = {"registered": host.registered, "working": host.working, "worked_s_ago": host.worked_s_ago}
        yield Line("senders", host.name, "", numbers)
    if not hosts:
        yield Line("senders", "", "", {"registered": 0})


def _templates(unusable: Sequence[TemplateFault]) -> Iterator[Line]:
    for fault in unusable:
        numbers = {"host": fault.host, "since": fault.since, "retry_at": fault.retry_at, "reason": fault.reason}
        yield Line("template", fault.template, UNUSABLE, numbers)


def _quarantine(contents: Sequence[Content]) -> Iterator[Line]:
    for each in contents:
        yield Line("files", each.host, QUARANTINE, {"folder": each.folder, "files": each.files, "since": each.since})


def _spool() -> Iterator[Line]:
    folder = settings.current().spool_dir
    age_s, size = spool.age_s(folder), sum(spool.sizes(folder).values())
    messages = sum(1 for _ in folder.glob(spool.MAIL))
    state = LATE if (age_s or 0.0) > heartbeats.LATE_S else ON_TIME
    yield Line("spool", "this host", state, {"age_s": age_s, "bytes": size, "messages": messages})


def _queues(lengths: Mapping[str, int]) -> Iterator[Line]:
    for name, length in lengths.items():
        yield Line("queue", name, "", {"rings": length})


def _relays(published: Mapping[str, Sequence[RelayStatus]]) -> Iterator[Line]:
    for name, statuses in sorted(published.items()):
        states = Counter(each.state for each in statuses)
        why = next((each.why for each in statuses if each.why), "")
        yield Line("relay", name, "", {"states": dict(states), "why": why})
    if not published:
        yield Line("relay", "", "")
