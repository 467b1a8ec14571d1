"""The brakes: a campaign pauses itself, with the reason, when too many of its mails meet dead addresses or refusals."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.analytics import rollups
from engine.campaigns import campaigns, losses
from engine.campaigns.losses import Losses

log = logging.getLogger("cadencia.campaigns")

# A sudden fault shows in the last hours, one of a slow campaign in the last week.
PERIODS = (timedelta(hours=2), timedelta(days=7))

# Others that look at the same time leave it to the first.
_HOLD = text("SELECT id FROM campaigns WHERE id = :id AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED")


def check(session: Session, counts: Mapping[rollups.Key, Mapping[str, int]]) -> list[UUID]:
    """Pause the campaigns that these counts, just added to the rollups, take over a limit; which those are.

    Looks at none whose losses in these counts keep below the limits, for they cannot take it over one. Safe to repeat.
    """
    doubtful = [campaign_id for campaign_id, lost in _by_campaign(counts).items() if _reason(lost, of_at_least=0)]
    if not doubtful:
        return []
    newest = max(key.hour for key in counts)
    hours = [newest.replace(minute=0, second=0, microsecond=0) - period for period in PERIODS]
    found = losses.since(session, doubtful, hours)
    return [each.campaign_id for each in found if _stop(session, each, newest)]


def _stop(session: Session, lost: Losses, now: datetime) -> bool:
    reason = _reason(lost, of_at_least=settings.current().pause_after_mails)
    if reason is None or session.scalar(_HOLD, {"id": lost.campaign_id}) is None:
        return False
    campaigns.pause(session, lost.campaign_id, reason, now=now)
    log.warning("campaign_paused campaign=%s reason=%s", lost.campaign_id, reason)
    return True


def _by_campaign(counts: Mapping[rollups.Key, Mapping[str, int]]) -> Mapping[UUID, Losses]:
    totals: dict[UUID, Counter[str]] = {}
    for key, counted in counts.items():
        if key.campaign_id is not None:
            totals.setdefault(key.campaign_id, Counter()).update(counted)
    return {
        campaign_id: Losses(campaign_id, total["sent"] + total["failed"], total["bounced"], total["refused"])
        for campaign_id, total in totals.items()
    }


def _reason(lost: Losses, *, of_at_least: int) -> str | None:
    """Which limit is passed, in words, even if all goes well up to so many mails; None when none is."""
    return next(_reasons(lost, max(lost.mails, of_at_least)), None)


def _reasons(lost: Losses, mails: int) -> Iterator[str]:
    configured = settings.current()
    for name, count, limit in (
        ("bounce", lost.bounced, configured.pause_bounce_percent),
        ("refusal", lost.refused, configured.pause_refused_percent),
    ):
        if limit and count * 100 > limit * mails:
            yield f"{name} rate {100 * count / max(lost.mails, 1):.1f} % of {lost.mails} mails, limit {limit:g} %"
