"""The state of the database after calls of the public pages."""

from typing import Any

from flask import Flask
from sqlalchemy import select, text

from engine.engagement import reactions
from models import Event
from models.session import transaction
from tests.conftest import settled
from tests.sends import NOW
from web.ingest import group_commit

TARGET = "https://agenda.example/cadencia?a=1&b=%C3%B1#x"


def stored() -> list[Any]:
    settled()
    with transaction() as session:
        return [tuple(row) for row in session.execute(select(Event.event_type, Event.source).order_by(Event.id))]


def unsaved(app: Flask) -> int:
    return group_commit.of(app).unsaved


def suppressed() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT reason FROM suppressions")))


def paused() -> bool:
    with transaction() as session:
        return bool(session.scalar(text("SELECT bool_or(paused_until > now()) FROM contacts")))


def apply() -> None:
    with transaction() as session:
        reactions.apply(session, now=NOW)
