"""The brakes: a campaign pauses itself, with the reason, when too many of its mails meet dead addresses or refusals."""

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

# A sudden fault shows in the last hours, one of a slow campaign in the last week.
PERIODS = (timedelta(hours=2), timedelta(days=7))

# Counts by the hour: of the hour in which a person resumed the campaign, what came before that is taken off again.
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
# Others that look at the same time leave it to the first.
_HOLD = text("SELECT id FROM campaigns WHERE id = :id AND state = 'running' FOR NO KEY UPDATE SKIP LOCKED")


@dataclass(frozen=True, slots=True)
class Losses:
    """The bounces and refusals among the e-mails that a campaign settled in a period."""

    campaign_id: UUID
    emails: int
    bounced: int
    refused: int


def check(session: Session, counts: Mapping[rollups.Key, Mapping[str, int]]) -> list[UUID]:
    """Pause the campaigns that these counts, just added to the rollups, take over a limit; which those are.

    Looks at none whose losses in these counts keep below the limits, for they cannot take it over one. Safe to repeat.
    """
    doubtful = [campaign_id for campaign_id, lost in _by_campaign(counts).items() if _reason(lost, of_at_least=0)]
    if not doubtful:
        return []
    newest = max(key.hour for key in counts)
    hours = [newest.replace(minute=0, second=0, microsecond=0) - period for period in PERIODS]
    found = losses(session, doubtful, hours)
    return [each.campaign_id for each in found if _stop(session, each, newest)]


def losses(session: Session, campaign_ids: Iterable[UUID], since: Sequence[datetime]) -> list[Losses]:
    """Return the losses of each running campaign since each of these moments, to the hour, latest moment first.

    Excludes what was settled before a person last resumed the campaign.
    """
    rows = session.execute(_SINCE, {"ids": list(campaign_ids), "since": list(since)})
    return [Losses(*row) for row in rows]


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
    return next(_reasons(lost, max(lost.emails, of_at_least)), None)


def _reasons(lost: Losses, mails: int) -> Iterator[str]:
    configured = settings.current()
    for name, count, limit in (
        ("bounce", lost.bounced, configured.pause_bounce_percent),
        ("refusal", lost.refused, configured.pause_refused_percent),
    ):
        if limit and count * 100 > limit * mails:
            yield f"{name} rate {100 * count / max(lost.emails, 1):.1f} % of {lost.emails} mails, limit {limit:g} %"
