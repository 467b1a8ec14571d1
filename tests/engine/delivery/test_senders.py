"""The hosts of senders, as reports show them."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import senders

_GROUP = text("""
INSERT INTO send_groups (id, sender_id, lane, state, members, is_started, leased_until, started_at, ended_at)
SELECT gen_random_uuid(), :sender, 'campaign', v.state, '{}', true, v.at + CAST(:leased AS interval), v.at,
       CASE WHEN v.state = 'settled' THEN v.at END
  FROM (SELECT CAST(:state AS text) AS state, now() - CAST(:ago AS interval) AS at) AS v
""")


def _sender(session: Session, host: str, *, days: int = 30) -> UUID:
    sender_id = senders.register(session, host, 1)
    values = {"id": sender_id, "days": days}
    session.execute(text("UPDATE senders SET started_at = now() - make_interval(days => :days) WHERE id = :id"), values)
    return sender_id


def _group(session: Session, sender_id: UUID, *, ago: str, state: str = "settled", leased: str = "0") -> None:
    session.execute(_GROUP, {"sender": sender_id, "state": state, "ago": ago, "leased": leased})


def test_a_lost_host_is_listed_for_a_week_after_its_last_group(session: Session) -> None:
    busy, idle = _sender(session, "busy"), _sender(session, "idle")
    _sender(session, "lost")
    gone = _sender(session, "gone")
    _sender(session, "new", days=1)
    for number in range(3):
        _group(session, busy, ago=f"{number + 1} hours")
    _group(session, busy, ago="2 seconds", state="open", leased="1 minute")
    _group(session, idle, ago="6 days")
    _group(session, gone, ago="8 days")
    hosts = {host.name: host for host in senders.hosts(session)}
    assert hosts.keys() == {"busy", "idle", "new"}
    assert (hosts["busy"].registered, hosts["busy"].working) == (1, 1)
    assert hosts["busy"].worked_s_ago == pytest.approx(2, abs=1)
    assert hosts["idle"].working == 0 and hosts["idle"].worked_s_ago == pytest.approx(6 * 86_400, abs=1)
    assert hosts["new"].worked_s_ago is None
    senders.fence(session, busy)
    assert "busy" not in {host.name for host in senders.hosts(session)}
