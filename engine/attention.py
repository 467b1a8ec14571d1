"""Things that need attention: paused campaigns, e-mails in doubt, late lanes, faults of hosts. Quick to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from engine import heartbeats, lanes
from engine.lanes import Lane
from engine.templates import host_faults
from models import together
from models.together import Query

_COUNTED_MAX = 1_000
_PAUSED_MAX = 50

_OTHERS = """
SELECT kind, subject, detail, number, id FROM (
    SELECT 0 AS place, 'sweep_late' AS kind, '' AS subject, '' AS detail, 0 AS number, '' AS id
     WHERE NOT EXISTS (SELECT FROM heartbeats
                        WHERE name = 'sweep' AND beaten_at >= clock_timestamp() - make_interval(secs => :late_s))
    UNION ALL
    SELECT 1, 'template', template, host || ': ' || reason, 0, ''
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
"""
_COLUMNS = ("kind", "subject", "detail", "number", "id")


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
    return in_order(*together.all_of(session, *queries(now=now, clock_rate=clock_rate)))


def queries(*, now: datetime, clock_rate: float) -> tuple[Query[list[Item]], Query[list[Lane]]]:
    """Return the queries whose results `in_order` joins."""
    values = {
        "faults_for": host_faults.CURRENT_FOR,
        "paused": _PAUSED_MAX,
        "most": _COUNTED_MAX,
        "late_s": heartbeats.LATE_S,
    }
    return Query(_OTHERS, _COLUMNS, _items, values), lanes.query(now=now, clock_rate=clock_rate)


def _items(rows: Sequence[Any]) -> list[Item]:
    return [Item(*row) for row in rows]


def in_order(others: Sequence[Item], read: Sequence[Lane]) -> list[Item]:
    """Return everything that needs attention, with the late ones of these lanes, the most urgent first."""
    late = [lane for lane in read if lane.is_late]
    first = [item for item in others if item.kind == "sweep_late"]
    return [*first, *(Item("lane_late", lane.name, number=lane.due) for lane in late), *others[len(first) :]]
