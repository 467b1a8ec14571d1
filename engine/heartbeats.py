"""Heartbeats: the moment at which each periodic task last completed, by the database's clock."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import Heartbeat


def ages(session: Session) -> dict[str, float]:
    """Return the seconds since each task last completed. One round trip; raises if the database is unavailable."""
    rows = session.execute(select(Heartbeat.name, Heartbeat.beaten_at, func.clock_timestamp()))
    return {name: (now - beaten_at) / timedelta(seconds=1) for name, beaten_at, now in rows}


def beat(session: Session, name: str) -> None:
    """Store that the periodic task `name` has just completed. Safe to run twice at once."""
    row = insert(Heartbeat).values(name=name, beaten_at=func.clock_timestamp())
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"beaten_at": func.clock_timestamp()}))
