"""Things that need attention: paused campaigns, e-mails in doubt, late lanes, faults of hosts. Quick to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine import heartbeats, lanes
from engine.templates import host_faults

_COUNTED_MAX = 1_000
_PAUSED_MAX = 50

# In one statement, because the overview is asked for it every three seconds.
_OTHERS = text("""
SELECT kind, subject, detail, number, id FROM (
    SELECT 1 AS place, 'template' AS kind, template AS subject, host || ': ' || reason AS detail, 0 AS number, '' AS id
      FROM template_faults WHERE retry_at > now() - CAST(:faults_for AS interval)
    UNION ALL
    (SELECT 2, 'paused', name, coalesce(reason, ''), 0, id::text FROM campaigns WHERE state = 'paused'
      ORDER BY name LIMIT :paused)
    UNION ALL
    SELECT 3, 'in_doubt', '', '', count(*), ''
      FROM (SELECT 1 FROM emails WHERE status = 'in_doubt' LIMIT :most) AS listed HAVING count(*) > 0
    UNION ALL
    SELECT 4, 'quarantine', host, folder, files, '' FROM quarantines) AS item
 ORDER BY place, subject, detail
""")


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
    values = {"faults_for": host_faults.CURRENT_FOR, "paused": _PAUSED_MAX, "most": _COUNTED_MAX}
    for row in session.execute(_OTHERS, values):
        yield Item(*row)
