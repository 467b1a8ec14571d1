"""Campaigns for tests, created and advanced by the product's own functions."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.audience import contacts
from engine.campaigns import advance, agenda, campaigns
from engine.campaigns.drafting import drafts
from engine.campaigns.drafting.drafts import CampaignDraft
from engine.campaigns.steps import StepDraft
from engine.delivery import senders, settle
from engine.delivery.claim import Claimant, ClaimedEmail, Group
from engine.delivery.outcomes import Deferred, InDoubt, Outcome, Phase, Rejected, Sent, Untried
from engine.delivery.settle import OpenGroup
from engine.delivery.transitions import Settled
from engine.templates.templates import Library

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)  # a Monday
DAY_S = 86_400
TEMPLATES = ("email_1_roi", "email_2_caso", "email_3_ultima_llamada")
VARIABLES = {"link_calendly": "https://calendly.example/ventas"}

SENT = Sent("250 2.0.0 queued")
REFUSED = Rejected(Phase.DATA, 554, "5.7.1", "554 5.7.1 not from you", dead_address=False)
DEFERRED = Deferred(Phase.RCPT, 451, "4.3.0", "451 4.3.0 later")
IN_DOUBT = InDoubt("connection lost")
GIVEN_BACK = Untried("")


@lru_cache(maxsize=1)
def library() -> Library:
    """Return the product's own templates, compiled once for all tests."""
    return Library(settings.current().templates_dir)


def draft(name: str = "Otoño", *, days: Sequence[int] = (0, 3, 4), **fields: Any) -> CampaignDraft:
    """Return a draft of the three templates, `days` apart, open at all hours, with these other fields."""
    options = {key: fields.pop(key) for key in ("window_start_min", "window_end_min", "weekdays") if key in fields}
    plan = [StepDraft(template, day * DAY_S, **options) for template, day in zip(TEMPLATES, days, strict=False)]
    return CampaignDraft(**{"name": name, "steps": plan, "variables": VARIABLES, **fields})


def create(session: Session, name: str = "Otoño", **fields: Any) -> UUID:
    """Store such a campaign as a draft and return its id."""
    return drafts.create(session, draft(name, **fields), library=library(), now=NOW)


def people(session: Session, count: int, *, prefix: str = "contacto") -> list[UUID]:
    """Create this many listed contacts at addresses of their own; return their ids."""
    contact_ids = contacts.ensure(session, [f"{prefix}{number}@empresa.example" for number in range(count)], now=NOW)
    contacts.set_listed(session, contact_ids, True, now=NOW)
    return contact_ids


def launched(session: Session, count: int) -> UUID:
    """Launch a campaign to `count` contacts and return its id."""
    people(session, count)
    campaign_id = create(session)
    campaigns.launch(session, campaign_id, now=NOW)
    return campaign_id


def lock_contacts(session: Session) -> None:
    """Lock every contact until the transaction ends."""
    session.execute(text("SELECT id FROM contacts FOR UPDATE"))


def take(session: Session, *, now: datetime, limit: int = 1000) -> list[Group]:
    """Claim all due e-mails of campaigns by a new sender, in groups of `limit`."""
    claimant = Claimant(senders.register(session, "testhost", os.getpid()), agenda.CAMPAIGN_LANE, 60, is_connected=True)
    groups: list[Group] = []
    turns = agenda.read(session, agenda.CAMPAIGN_LANE, now=now)
    while group := turns.claim(session, claimant, limit=limit, now=now):
        if group.emails:
            groups.append(group)
    return groups


def mails(groups: Sequence[Group]) -> list[ClaimedEmail]:
    """Return the e-mails of these groups."""
    return [email for group in groups for email in group.emails]


def record(session: Session, groups: Sequence[Group], outcome: Outcome = SENT, *, now: datetime) -> list[Settled]:
    """Settle all e-mails of a sender's groups with the same outcome."""
    settled: list[Settled] = []
    for group in groups:
        results = [(email, outcome) for email in group.emails]
        settled += settle.settle(session, OpenGroup(group.id, group.step), results, now=now)
    advance.apply(session, settled, now=now)
    return settled


def send_due(session: Session, outcome: Outcome = SENT, *, now: datetime) -> list[Settled]:
    """Settle every due e-mail with `outcome`."""
    return record(session, take(session, now=now), outcome, now=now)
