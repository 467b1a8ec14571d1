"""E-mails for tests: orders, queued rows, senders."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery import outbox, senders
from engine.delivery.outbox import SendRequest

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


def order(number: int = 1, **changes: object) -> SendRequest:
    """An order to person `number`."""
    fields: dict[str, object] = {
        "to": f"persona{number}@empresa.example",
        "template": "email_1_roi",
        "subject": "{{ nombre }}, una idea",
        "variables": {"nombre": "Ana", "industria": "Logística", "link_calendly": "https://cal.example/ana"},
    }
    return SendRequest(**{**fields, **changes})  # type: ignore[arg-type]


def queue(session: Session, count: int = 1, *, now: datetime = NOW, **changes: object) -> list[UUID]:
    """`count` queued e-mails, each to another person."""
    return outbox.add(session, [order(number, **changes) for number in range(count)], now=now)


def sender(session: Session) -> UUID:
    """A registered sender."""
    return senders.register(session, "testhost", os.getpid())


def statuses(session: Session, email_ids: Sequence[UUID]) -> list[str]:
    """The status of each e-mail, in the order given."""
    rows = session.execute(text("SELECT id, status FROM emails"))
    by_id = {row.id: row.status for row in rows}
    return [by_id[email_id] for email_id in email_ids]
