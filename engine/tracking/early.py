"""Early events: of mails that a sender has in hand, which get their rows when their group is settled."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

import settings
from models import arrays, ids

# Whoever settles the group at this moment wins or waits: a row of its own is left alone, one of ours it takes over.
_ADMIT = text("""
INSERT INTO emails (id, contact_id, enrollment_id, status, due_at, claim, template, subject, lane, campaign_id, step,
                    message_id, accepted_at)
SELECT v.id, n.contact_id, n.id, 'sending', :now, g.id, s.template, s.subject, g.lane, g.campaign_id, g.step,
       replace(CAST(v.id AS text), '-', '') || CAST(:at_domain AS text), :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:enrollments AS uuid[]), CAST(:steps AS smallint[]))
       AS v(id, enrollment_id, step)
  JOIN enrollments n ON n.id = v.enrollment_id
  JOIN send_groups g ON g.state = 'open' AND g.campaign_id = n.campaign_id AND g.step = v.step AND n.id = ANY(g.members)
  JOIN campaign_steps s ON s.campaign_id = g.campaign_id AND s.step = g.step
 ORDER BY v.id
ON CONFLICT (id) DO NOTHING
""")


def admit(session: Session, email_ids: Sequence[UUID], *, now: datetime) -> None:
    """Give those of these e-mails a row that are in a sender's hand and have none yet, so that events can name them.

    An e-mail that has a row, or is nobody's, stays as it is. Waits for a settlement of the same mails that is under
    way.
    """
    known = sorted({email_id for email_id in email_ids if ids.step_of(email_id)}, key=lambda email_id: email_id.int)
    if known:
        values = {
            "ids": arrays.uuids(known),
            "enrollments": arrays.uuids(ids.enrollment_of(email_id) for email_id in known),
            "steps": [ids.step_of(email_id) for email_id in known],
            "at_domain": f"@{settings.current().message_domain}",
            "now": now,
        }
        session.execute(_ADMIT, values)
