"""Campaigns for tests, made and moved on through the product's own functions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.audience import contacts
from engine.campaigns import advance, campaigns
from engine.campaigns.campaigns import CampaignDraft
from engine.campaigns.steps import StepDraft
from engine.messages.templates import Library

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)  # a Monday
DAY_S = 86_400
TEMPLATES = ("email_1_roi", "email_2_caso", "email_3_ultima_llamada")
VARIABLES = {"link_calendly": "https://calendly.example/ventas"}

_IN_HAND = text("""
    UPDATE emails SET status = CAST(:status AS text), sent_at = :sent_at
     WHERE status = 'queued' AND due_at <= :now
    RETURNING id, contact_id, campaign_id, enrollment_id, step, variant
""")


@lru_cache(maxsize=1)
def library() -> Library:
    """The product's own templates, compiled once for all tests."""
    return Library(settings.current().templates_dir)


def draft(name: str = "Otoño", *, days: Sequence[int] = (0, 3, 4), **given: Any) -> CampaignDraft:
    """A campaign of the three templates, `days` apart, open at all hours; `given` goes into every step."""
    options = {key: given.pop(key) for key in ("window_start_min", "window_end_min", "weekdays") if key in given}
    drafts = [StepDraft(template, day * DAY_S, **options) for template, day in zip(TEMPLATES, days, strict=False)]
    return CampaignDraft(**{"name": name, "steps": drafts, "variables": VARIABLES, **given})


def create(session: Session, name: str = "Otoño", **given: Any) -> UUID:
    """The id of such a campaign, stored as a draft."""
    return campaigns.create(session, draft(name, **given), library=library(), now=NOW)


def people(session: Session, count: int, *, prefix: str = "contacto") -> list[UUID]:
    """That many contacts at addresses of their own."""
    return contacts.ensure(session, [f"{prefix}{number}@empresa.example" for number in range(count)], now=NOW)


def settle(session: Session, *, now: datetime, status: str = "sent") -> list[advance.Settled]:
    """Let every mail that is due end with `status`, as a sender would record it."""
    sent_at = now if status == "sent" else None
    rows = session.execute(_IN_HAND, {"status": status, "sent_at": sent_at, "now": now})
    mails = [advance.Settled(*row, status=status, at=now, sent_at=sent_at, attempts=1) for row in rows]
    advance.settled(session, mails, now=now)
    return mails
