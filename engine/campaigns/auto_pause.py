"""Automatic pause of a campaign whose rate of bounces or refusals passes a limit, a circuit breaker."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from engine.analytics import rollups
from engine.campaigns import campaigns

log = logging.getLogger("cadencia.campaigns")

# Two hours show a sudden fault, a week that of a slow campaign.
PERIODS = (timedelta(hours=2), timedelta(days=7))

# Rollups are by the hour, so what was counted in the hour of a resumption before it (`pardoned`) is subtracted.
_SINCE = text("""
SELECT c.id, sum(s.sent + s.failed) - before.emails AS emails, sum(s.bounced) - before.bounced AS bounced,
       sum(s.refused) - before.refused AS refused
  FROM campaigns c
 CROSS JOIN unnest(CAST(:since AS timestamptz[])) AS period (since)
 CROSS JOIN LATERAL (SELECT date_trunc('hour', c.pardoned_at, 'UTC') AS hour) AS pardon
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(sent + failed), 0) AS emails, coalesce(sum(bounced), 0) AS bounced,
           coalesce(sum(refused), 0) AS refused
      FROM jsonb_to_record(CASE WHEN pardon.hour >= period.since THEN c.pardoned END)
           AS r (sent int, failed int, bounced int, refused int)) AS before
  JOIN email_stats s ON s.campaign_id = c.id AND s.hour >= greatest(period.since, pardon.hour)
 WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.state = 'running'
 GROUP BY c.id, period.since, before.emails, before.bounced, before.refused
 ORDER BY c.id, period.since DESC
""")
# Of several that check at the same time, only the first pauses the campaign.
_LOCK = text("SELECT id FROM campaigns WHERE id = :id AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED")


@dataclass(frozen=True, slots=True)
class Losses:
    """The bounces and refusals among the e-mails that a campaign settled in a period."""

    campaign_id: UUID
    emails: int
    bounced: int
    refused: int


def check(session: Session, counts: Mapping[rollups.Key, Mapping[str, int]]) -> list[UUID]:
    """Pause the campaigns over a limit once these counts are in the rollups; return their ids. Safe to repeat.

    A campaign whose losses in these counts alone are within the limits cannot pass one by them, so it is not checked.
    """
    suspects = [campaign_id for campaign_id, lost in _by_campaign(counts).items() if _reason(lost, of_at_least=0)]
    if not suspects:
        return []
    newest = max(key.hour for key in counts)
    hours = [newest.replace(minute=0, second=0, microsecond=0) - period for period in PERIODS]
    return [lost.campaign_id for lost in losses(session, suspects, hours) if _pause(session, lost, newest)]


def losses(session: Session, campaign_ids: Iterable[UUID], since: Sequence[datetime]) -> list[Losses]:
    """Return the losses of each running campaign since each of these moments, to the hour, latest moment first.

    Excludes what was settled before a person last resumed the campaign.
    """
    rows = session.execute(_SINCE, {"ids": list(campaign_ids), "since": list(since)})
    return [Losses(*row) for row in rows]


def _pause(session: Session, counts: Losses, now: datetime) -> bool:
    reason = _reason(counts, of_at_least=settings.current().pause_after_mails)
    if reason is None or session.scalar(_LOCK, {"id": counts.campaign_id}) is None:
        return False
    campaigns.pause(session, counts.campaign_id, reason, now=now)
    log.warning("campaign_paused campaign=%s reason=%s", counts.campaign_id, reason)
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
    """Return the limit that is passed, in words, or None.

    With `of_at_least`, it must be passed even if all further e-mails up to that number are delivered.
    """
    return next(_reasons(lost, max(lost.emails, of_at_least)), None)


def _reasons(lost: Losses, emails: int) -> Iterator[str]:
    configured = settings.current()
    for name, count, limit in (
        ("bounce", lost.bounced, configured.pause_bounce_percent),
        ("refusal", lost.refused, configured.pause_refused_percent),
    ):
        if limit and count * 100 > limit * emails:
            yield f"{name} rate {100 * count / max(lost.emails, 1):.1f} % of {lost.emails} e-mails, limit {limit:g} %"
