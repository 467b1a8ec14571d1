"""What a campaign's mails met lately: how many there were, how many addresses were dead, how many were refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Counts by the hour: of the hour in which a person resumed the campaign, what came before that is taken off again.
_SINCE = text("""
SELECT c.id, sum(s.sent + s.failed) - before.mails AS mails, sum(s.bounced) - before.bounced AS bounced,
       sum(s.refused) - before.refused AS refused
  FROM campaigns c
 CROSS JOIN unnest(CAST(:since AS timestamptz[])) AS period (since)
 CROSS JOIN LATERAL (SELECT date_trunc('hour', c.pardoned_at, 'UTC') AS hour) AS pardon
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(sent + failed), 0) AS mails, coalesce(sum(bounced), 0) AS bounced,
           coalesce(sum(refused), 0) AS refused
      FROM jsonb_to_record(CASE WHEN pardon.hour >= period.since THEN c.pardoned END)
           AS r (sent int, failed int, bounced int, refused int)) AS before
  JOIN email_stats s ON s.campaign_id = c.id AND s.hour >= greatest(period.since, pardon.hour)
 WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.state = 'running'
 GROUP BY c.id, period.since, before.mails, before.bounced, before.refused
 ORDER BY c.id, period.since DESC
""")
_PARDON = text("""
UPDATE campaigns c
   SET pardoned_at = :now,
       pardoned = (SELECT jsonb_build_object('sent', coalesce(sum(sent), 0), 'failed', coalesce(sum(failed), 0),
                                             'bounced', coalesce(sum(bounced), 0), 'refused', coalesce(sum(refused), 0))
                     FROM email_stats
                    WHERE campaign_id = c.id AND hour >= date_trunc('hour', CAST(:now AS timestamptz), 'UTC'))
 WHERE c.id = :campaign_id
""")


@dataclass(frozen=True, slots=True)
class Losses:
    """Of so many mails decided in a period, the dead addresses and the refusals for other reasons."""

    campaign_id: UUID
    mails: int
    bounced: int
    refused: int


def since(session: Session, campaign_ids: Iterable[UUID], periods: Sequence[datetime]) -> list[Losses]:
    """The losses of each running campaign since each of these moments, to the hour, the latest moment first.

    What a person has pardoned by resuming the campaign is not in them.
    """
    rows = session.execute(_SINCE, {"ids": list(campaign_ids), "since": list(periods)})
    return [Losses(*row) for row in rows]


def pardon(session: Session, campaign_id: UUID, *, now: datetime) -> None:
    """Count what this campaign's mails meet from `now` on."""
    session.execute(_PARDON, {"campaign_id": campaign_id, "now": now})
