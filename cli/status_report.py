"""The parts of `cadencia status`: what each of them says in one line, in numbers, and if it needs somebody to act."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from errors import Unavailable

if TYPE_CHECKING:
    from models.session import Session

ON_TIME, LATE, UNAVAILABLE, UNUSABLE = "on time", "late", "unavailable", "unusable"
_BAD = (LATE, UNAVAILABLE, UNUSABLE, "quarantine")
_TICKS = {"sweep": "sweep", "call_due began": "call_due", "tidy began": "tidy"}
_TIDY_LATE_S = 1_800.0  # it runs every ten minutes
_COUNTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `numbers` are for programs, `detail` says the same in words."""

    part: str
    name: str
    state: str
    detail: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_bad(self) -> bool:
        """Return True if somebody has to act."""
        return self.state in _BAD


def collect() -> list[Line]:
    """Return all lines. A server that cannot be reached costs its own lines only."""
    from models.session import transaction

    lines: list[Line] = []
    try:
        with transaction() as session:
            for read in (_heartbeats, _lanes, _doubts, _senders, _templates, _quarantine):
                lines += read(session)
    except Unavailable as error:
        lines = [_unavailable("database", error)]
    for part, report in _WITHOUT_DATABASE.items():
        try:
            lines += report()
        except Unavailable as error:
            lines.append(_unavailable(part, error))
    return lines


def _unavailable(part: str, error: Unavailable) -> Line:
    return Line(part, "", UNAVAILABLE, str(error).partition(": ")[2])


def _heartbeats(session: "Session") -> Iterator[Line]:
    from engine import heartbeats

    ages = heartbeats.ages(session)
    for stored, name in _TICKS.items():
        age_s = ages.get(stored)
        if name == "tidy":  # it need not have run yet
            is_late = age_s is not None and heartbeats.is_late(age_s, limit_s=_TIDY_LATE_S)
        else:
            is_late = heartbeats.is_late(age_s)
        yield Line("tick", name, LATE if is_late else ON_TIME, _ago("run", age_s), {"age_s": age_s})


def _lanes(session: "Session") -> Iterator[Line]:
    import settings
    from engine import clock, lanes

    for lane in lanes.read(session, now=clock.now(), clock_rate=settings.current().clock_rate):
        number = f"over {lanes.COUNTED_MAX - 1}" if lane.due >= lanes.COUNTED_MAX else lane.due
        due = f"{number} due since {lane.since:%Y-%m-%dT%H:%M:%SZ}" if lane.since else "none due"
        numbers = {"due": lane.due, "due_since": lane.since, "worked_s_ago": lane.worked_s_ago}
        state = LATE if lane.is_late else ON_TIME
        yield Line("lane", lane.name, state, f"{due}, {_ago('active', lane.worked_s_ago)}", numbers)


def _doubts(session: "Session") -> Iterator[Line]:
    from engine.delivery import in_doubt

    pending = in_doubt.pending(session, limit=_COUNTED_MAX)
    number = f"over {_COUNTED_MAX - 1}" if len(pending) >= _COUNTED_MAX else str(len(pending) or "none")
    since = next((doubt.since for doubt in pending if doubt.since), None)
    detail = f"{number}, the oldest since {since:%Y-%m-%dT%H:%M:%SZ}" if since else number
    yield Line("in doubt", "e-mails", "", detail, {"count": len(pending), "since": since})


def _senders(session: "Session") -> Iterator[Line]:
    from engine.delivery import senders

    hosts = senders.hosts(session)
    for host in hosts:
        detail = f"{host.registered} registered, {host.working} sending now"
        numbers = {"registered": host.registered, "working": host.working}
        yield Line("senders", host.name, "", detail, numbers)
    if not hosts:
        yield Line("senders", "", "", "none has begun to send", {"registered": 0})


def _templates(session: "Session") -> Iterator[Line]:
    from engine.templates import host_faults

    for fault in host_faults.current(session):
        since, retry_at = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (fault.since, fault.retry_at))
        detail = f"on {fault.host} since {since}, next try {retry_at}: {fault.reason}"
        numbers = {"host": fault.host, "since": fault.since, "retry_at": fault.retry_at, "reason": fault.reason}
        yield Line("template", fault.template, UNUSABLE, detail, numbers)


def _quarantine(session: "Session") -> Iterator[Line]:
    from engine import quarantine

    for each in quarantine.recorded(session):
        detail = f"{each.folder}: {each.files} files since {each.since:%Y-%m-%dT%H:%M:%SZ}"
        numbers = {"folder": each.folder, "files": each.files, "since": each.since}
        yield Line("files", each.host, "quarantine", detail, numbers)


def _spool() -> Iterator[Line]:
    import settings
    from engine import heartbeats
    from engine.ingest import spool

    folder = settings.current().spool_dir
    age_s, size = spool.age_s(folder), sum(spool.sizes(folder).values())
    detail = "nothing waits" if age_s is None else f"{size} bytes wait, the oldest for {age_s:.0f} s"
    state = LATE if (age_s or 0.0) > heartbeats.LATE_S else ON_TIME
    yield Line("spool", "this host", state, detail, {"age_s": age_s, "bytes": size})


def _queues() -> Iterator[Line]:
    from engine import bell

    for name, length in bell.lengths().items():
        yield Line("queue", name, "", f"{length} {'ring' if length == 1 else 'rings'}", {"rings": length})


def _relays() -> Iterator[Line]:
    from engine.delivery.relays import redis_store, status

    published = status.read(redis_store.configured())
    for name, statuses in sorted(published.items()):
        states = Counter(each.state for each in statuses)
        why = next((f": {each.why}" for each in statuses if each.why), "")
        detail = ", ".join(f"{state} in {count}" for state, count in states.items()) + why
        yield Line("relay", name, "", detail, {"states": dict(states), "why": why.removeprefix(": ")})
    if not published:
        yield Line("relay", "", "", "none was used in the last 90 s")


_WITHOUT_DATABASE: Mapping[str, Callable[[], Iterator[Line]]] = {"spool": _spool, "queue": _queues, "relay": _relays}


def _ago(what: str, seconds: float | None) -> str:
    return f"not {what} in the last week" if seconds is None else f"{what} {seconds:.0f} s ago"
