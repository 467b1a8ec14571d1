"""E-mails for tests: send requests, queued rows, senders."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import outbox, senders
from engine.delivery.outbox import SendRequest

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


def request(number: int = 1, **changes: object) -> SendRequest:
    """Return a send request to person `number`."""
    fields: dict[str, object] = {
        "to": f"persona{number}@empresa.example",
        "template": "email_1_roi",
        "subject": "{{ nombre }}, una idea",
        "variables": {"nombre": "Ana", "industria": "Logística", "link_calendly": "https://cal.example/ana"},
    }
    return SendRequest(**{**fields, **changes})  # type: ignore[arg-type]


def queue(session: Session, count: int = 1, *, now: datetime = NOW, **changes: object) -> list[UUID]:
    """Queue `count` e-mails, each to another person, and return their ids."""
    return outbox.add(session, [request(number, **changes) for number in range(count)], now=now)


def sender(session: Session) -> UUID:
    """Register a sender and return its id."""
    return senders.register(session, "testhost", os.getpid())


def statuses(session: Session, email_ids: Sequence[UUID]) -> list[str]:
    """Return the status of each e-mail, in the order of `email_ids`."""
    rows = session.execute(text("SELECT id, status FROM emails"))
    by_id = {row.id: row.status for row in rows}
    return [by_id[email_id] for email_id in email_ids]
