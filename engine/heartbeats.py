"""Heartbeats: when each periodic task last ran to its end, by the database's clock."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Heartbeat


def ages(session: Session) -> dict[str, float]:
    """How many seconds ago each one last ran; one round trip, so it also tells that the database answers."""
    rows = session.execute(select(Heartbeat.name, Heartbeat.beaten_at, func.clock_timestamp()))
    return {name: (now - beaten_at) / timedelta(seconds=1) for name, beaten_at, now in rows}


def beat(session: Session, name: str) -> None:
    """Note that the periodic task `name` has just run to its end; safe to run twice at once."""
    given = insert(Heartbeat).values(name=name, beaten_at=func.clock_timestamp())
    session.execute(given.on_conflict_do_update(index_elements=["name"], set_={"beaten_at": func.clock_timestamp()}))
