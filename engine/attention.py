"""Things that need attention: paused campaigns, e-mails in doubt, late lanes, faults of hosts. Quick to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import heartbeats, lanes, quarantine
from engine.templates import host_faults

_PAUSED = text("SELECT id, name, reason FROM campaigns WHERE state = 'paused' ORDER BY name LIMIT 50")
_IN_DOUBT = text("SELECT count(*) FROM (SELECT 1 FROM emails WHERE status = 'in_doubt' LIMIT :most) AS listed")
_COUNTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that needs attention.

    `kind` is paused, in_doubt, sweep_late, lane_late, template or quarantine; `subject` names what it is about, and
    `detail` is its reason, as the ledger has it.
    """

    kind: str
    subject: str = ""
    detail: str = ""
    number: int = 0
    id: str = ""


def items(session: Session, *, now: datetime, clock_rate: float) -> list[Item]:
    """Return everything that needs attention, the most urgent first."""
    return list(_items(session, now, clock_rate))


def _items(session: Session, now: datetime, clock_rate: float) -> Iterator[Item]:
    if heartbeats.is_late(heartbeats.ages(session).get("sweep")):
        yield Item("sweep_late")
    for lane in lanes.read(session, now=now, clock_rate=clock_rate):
        if lane.is_late:
            yield Item("lane_late", lane.name, number=lane.due)
    for fault in host_faults.current(session):
        yield Item("template", fault.template, f"{fault.host}: {fault.reason}")
    for row in session.execute(_PAUSED):
        yield Item("paused", row.name, row.reason or "", id=str(row.id))
    if number := session.scalar(_IN_DOUBT, {"most": _COUNTED_MAX}):
        yield Item("in_doubt", number=number)
    for each in quarantine.recorded(session):
        yield Item("quarantine", each.host, each.folder, number=each.files)
