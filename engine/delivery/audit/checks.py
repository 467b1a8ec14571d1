"""The checks of the audit: each is a query of the contradictions between rows, one row for each subject."""

from collections.abc import Mapping

from models.stats import COUNTERS

_AS_EMAIL = "'email_' || replace(CAST({} AS text), '-', '')"
_EMAIL = _AS_EMAIL.format("e.id")
_SENT = "('sent', 'bounced', 'complained')"
_FLAG = "CASE e.step WHEN 1 THEN c.email_1_sent WHEN 2 THEN c.email_2_sent WHEN 3 THEN c.email_3_sent ELSE true END"

# Of one e-mail: its status, its moment of sending, the server's reply, its contact, its group and its enrollment.
_EMAILS = f"""
SELECT * FROM (
SELECT {_EMAIL} AS subject, concat_ws('; ',
       CASE WHEN e.sent_at IS NOT NULL AND e.status NOT IN {_SENT} THEN 'is ' || e.status || ', but has a sent_at' END,
       CASE WHEN e.sent_at IS NULL AND e.status IN {_SENT} THEN 'is ' || e.status || ', but has no sent_at' END,
       CASE WHEN e.status NOT IN {_SENT} AND e.response ~ '^2[0-9][0-9]( |$)'
            THEN 'is ' || e.status || ', but a server accepted it' END,
       CASE WHEN e.status = 'bounced' AND e.bounced_at IS NULL OR e.status = 'complained' AND e.complained_at IS NULL
            THEN 'is ' || e.status || ' without the moment of that' END,
       CASE WHEN e.status IN ('failed', 'cancelled') AND e.reason IS NULL
            THEN 'is ' || e.status || ' without a reason' END,
       CASE WHEN e.sent_at IS NOT NULL AND NOT {_FLAG} THEN 'was sent, but not by its contact''s flag' END,
       CASE WHEN e.status IN ('claimed', 'sending') AND g.state IS DISTINCT FROM 'open'
            THEN 'is ' || e.status || ', but in no open group' END,
       CASE WHEN e.status = 'in_doubt' AND (g.id IS NULL OR g.state = 'open')
            THEN 'is in doubt, but of no group that ended' END,
       CASE WHEN e.enrollment_id IS NOT NULL AND (n.contact_id, n.campaign_id)
                 IS DISTINCT FROM (e.contact_id, e.campaign_id)
            THEN 'has an enrollment that is missing, or is of another contact or campaign' END,
       CASE WHEN (e.step < n.next_step OR n.state = 'finished')
                 AND e.status IN ('queued', 'claimed', 'sending', 'in_doubt', 'cancelled')
            THEN 'is ' || e.status || ', but its sequence went on after it' END,
       CASE WHEN e.status = 'queued' AND n.state = 'stopped' AND n.stopped_at < e.due_at AND e.attempts = 0
            THEN 'is queued, though its enrollment is stopped' END,
       CASE WHEN e.message_id NOT LIKE replace(CAST(e.id AS text), '-', '') || '@_%'
            THEN 'has another Message-ID than its id gives' END) AS faults
  FROM emails e JOIN contacts c ON c.id = e.contact_id
  LEFT JOIN enrollments n ON n.id = e.enrollment_id
  LEFT JOIN send_groups g ON g.id = e.claim) AS checked
 WHERE faults <> ''
"""  # noqa: S608  # built from constants

_FLAGS = f"""
SELECT 'contact ' || c.id AS subject, string_agg('has the flag email_' || flag.step || '_sent, but ' ||
       coalesce((SELECT string_agg({_AS_EMAIL.format("o.id")} || ' is ' || o.status, ', ')
                   FROM emails o WHERE o.contact_id = c.id AND o.step = flag.step),
                'there is no such e-mail'), '; ') AS faults
  FROM contacts c
 CROSS JOIN LATERAL (VALUES (1, c.email_1_sent), (2, c.email_2_sent), (3, c.email_3_sent)) AS flag (step, is_set)
 WHERE flag.is_set AND NOT EXISTS (SELECT 1 FROM emails e
                                    WHERE e.contact_id = c.id AND e.step = flag.step AND e.sent_at IS NOT NULL)
 GROUP BY c.id
"""  # noqa: S608  # built from constants

# Dead addresses and complaints stay suppressed. An unsubscription may be undone: by the contact's later consent. A
# person may have released the address since the cause (`at`).
_SUPPRESSIONS = """
SELECT 'contact ' || c.id AS subject, 'is not suppressed, but ' || string_agg(DISTINCT cause.what, ', ') AS faults
  FROM (SELECT id AS contact_id, 'has the status ' || email_followup_status AS what,
               CAST(NULL AS timestamptz) AS since, CAST(NULL AS timestamptz) AS at FROM contacts
         WHERE email_followup_status IN ('unsubscribed', 'bounced', 'complained')
        UNION ALL
        SELECT contact_id, CASE WHEN complained_at IS NOT NULL OR reason = 'complaint' THEN 'complained'
                                WHEN bounced_at IS NOT NULL OR reason = 'hard_bounce' THEN 'an e-mail bounced'
                                ELSE 'unsubscribed' END,
               CASE WHEN (complained_at, bounced_at) IS NULL
                         AND coalesce(reason, '') NOT IN ('complaint', 'hard_bounce') THEN unsubscribed_at END,
               coalesce(complained_at, bounced_at, unsubscribed_at, accepted_at)
          FROM emails
         WHERE complained_at IS NOT NULL OR unsubscribed_at IS NOT NULL
            OR ((bounced_at IS NOT NULL OR reason IN ('complaint', 'hard_bounce')) AND kind <> 'test')
        UNION ALL
        SELECT contact_id, 'has an enrollment that stopped because it ' || stop_reason, NULL, stopped_at
          FROM enrollments WHERE state = 'stopped' AND stop_reason IN ('bounced', 'complained')
       ) AS cause (contact_id, what, since, at)
  JOIN contacts c ON c.id = cause.contact_id
 WHERE (cause.since IS NULL OR c.consent_said_at IS NULL OR c.consent_said_at <= cause.since)
   AND coalesce(cause.at > c.released_at, true)
   AND NOT EXISTS (SELECT 1 FROM suppressions s WHERE s.email_index = c.email_index)
 GROUP BY c.id
"""

# An active enrollment has an e-mail for each step before its next one, and one for the next step only if an early event
# made its row while a sender has claimed it. A waiting enrollment has one for its next step, too.
_ENROLLMENTS = """
SELECT * FROM (
SELECT 'enrollment ' || n.id || ' of contact ' || n.contact_id AS subject, concat_ws('; ',
       CASE WHEN k.state = 'finished' AND n.state IN ('active', 'waiting')
            THEN 'is ' || n.state || ', but its campaign is finished' END,
       CASE WHEN k.state = 'cancelled' AND k.stop_after IS NULL AND n.state IN ('active', 'waiting')
            THEN 'is ' || n.state || ', but its campaign was cancelled' END,
       CASE WHEN n.state = 'stopped' AND n.stop_reason IS NULL THEN 'is stopped without a reason' END,
       CASE WHEN n.state = 'waiting' AND own.pending IS DISTINCT FROM n.next_step
            THEN 'waits for an e-mail that is not on its way' END,
       CASE WHEN coalesce(own.number, 0) <> coalesce(own.last, 0)
                 OR (n.state = 'active' AND coalesce(own.number - own.early, 0) <> n.next_step - 1)
                 OR (n.state = 'waiting' AND coalesce(own.number, 0) <> n.next_step)
            THEN 'has e-mails that are not those of its steps so far' END,
       CASE WHEN n.state = 'finished' AND coalesce(own.number, 0) < k.steps
            THEN 'is finished before its last step' END) AS faults
  FROM enrollments n
  JOIN (SELECT id, state, stop_after,
               (SELECT count(*) FROM campaign_steps s WHERE s.campaign_id = campaigns.id) AS steps
          FROM campaigns) AS k ON k.id = n.campaign_id
  LEFT JOIN (SELECT e.enrollment_id, count(*) AS number, max(e.step) AS last, count(g.id) AS early,
                    max(e.step) FILTER (WHERE e.status IN ('queued', 'claimed', 'sending', 'in_doubt')) AS pending
               FROM emails e
               LEFT JOIN send_groups g ON g.id = e.claim AND g.state = 'open' AND g.campaign_id IS NOT NULL
              WHERE e.enrollment_id IS NOT NULL GROUP BY e.enrollment_id) AS own ON own.enrollment_id = n.id) AS checked
 WHERE faults <> ''
"""

_GROUPS = f"""
SELECT {_EMAIL} AS subject, 'is in an open group that has not claimed it' AS faults
  FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN emails e ON e.id = m.id
 WHERE g.state = 'open' AND g.campaign_id IS NULL
   AND (e.claim IS DISTINCT FROM g.id OR e.status NOT IN ('claimed', 'sending'))
UNION ALL
SELECT 'enrollment ' || n.id || ' of contact ' || n.contact_id, 'is claimed for a step that is not its next'
  FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN enrollments n ON n.id = m.id
 WHERE g.state = 'open' AND g.campaign_id IS NOT NULL AND (n.next_step, n.campaign_id) <> (g.step, g.campaign_id)
UNION ALL
SELECT 'member ' || m.id, 'is claimed by two senders'
  FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) WHERE g.state = 'open'
 GROUP BY m.id, g.campaign_id, g.step HAVING count(*) > 1
UNION ALL
SELECT 'group ' || g.id, 'has a lease that ended more than 10 minutes ago' FROM send_groups g
 WHERE g.state = 'open' AND g.leased_until < now() - interval '10 minutes'
"""  # noqa: S608  # built from constants

# Events before the horizon may be deleted. A click counts as an open, too.
_MOMENTS = ("opened", "clicked", "machine_opened", "machine_clicked", "converted", "replied", "unsubscribed", "bounced",
            "complained")  # fmt: skip
_HAS_MOMENTS = f"num_nonnulls({', '.join(f'e.{kind}_at' for kind in _MOMENTS)}) > 0"  # false for most e-mails
_EVENTS = f"""
SELECT {_EMAIL} AS subject,
       string_agg('has ' || moment.kind || '_at, but no event of that moment', '; ') AS faults
  FROM emails e
 CROSS JOIN LATERAL (VALUES {", ".join(f"('{kind}', e.{kind}_at)" for kind in _MOMENTS)}) AS moment (kind, at)
 WHERE {_HAS_MOMENTS} AND moment.at >= coalesce((SELECT since FROM horizons WHERE name = 'events'), '-infinity')
   AND NOT EXISTS (SELECT 1 FROM events v
                    WHERE v.email_id = e.id AND v.timestamp = moment.at
                      AND (moment.kind LIKE '%' || v.event_type
                           OR (v.event_type = 'clicked' AND moment.kind LIKE '%opened')))
 GROUP BY e.id
UNION ALL
SELECT {_EMAIL}, 'is sent, but an event of it is still held'
  FROM events v JOIN emails e ON e.id = v.email_id WHERE v.held AND e.status = 'sent' GROUP BY e.id
"""  # noqa: S608  # built from constants

# A failure has no moment on its e-mail, so those are compared without their hours.
_ALWAYS = ("failed", "refused", "bounced")
_BY_HOUR = tuple(counter for counter in COUNTERS if counter not in (*_ALWAYS, "sent"))
_COUNTS = f"""
WITH one AS (
    SELECT campaign_id, step, variant, 'sent' AS counter, sent_at AS at
      FROM emails WHERE sent_at IS NOT NULL AND kind <> 'test'
    UNION ALL
    SELECT e.campaign_id, e.step, e.variant, one.counter, one.at
      FROM emails e
     CROSS JOIN LATERAL (VALUES
        {", ".join(f"('{counter}', e.{counter}_at)" for counter in _BY_HOUR)},
        ('bounced', CASE WHEN e.bounced_at IS NOT NULL THEN CAST('-infinity' AS timestamptz) END),
        ('bounced', CASE WHEN e.status = 'failed' AND e.sent_at IS NULL AND e.reason = 'hard_bounce'
                         THEN CAST('-infinity' AS timestamptz) END),
        ('refused', CASE WHEN e.status = 'failed' AND e.sent_at IS NULL AND e.reason = 'refused'
                         THEN CAST('-infinity' AS timestamptz) END),
        ('failed', CASE WHEN e.status = 'failed' AND e.sent_at IS NULL THEN CAST('-infinity' AS timestamptz) END)
     ) AS one (counter, at)
     WHERE ({_HAS_MOMENTS} OR e.status = 'failed') AND one.at IS NOT NULL AND e.kind <> 'test'
), counted AS (
    SELECT coalesce(campaign_id, '00000000-0000-0000-0000-000000000000') AS campaign_id, coalesce(step, 0) AS step,
           coalesce(variant, '') AS variant, counter, date_trunc('hour', at, 'UTC') AS hour, count(*) AS number
      FROM one
     GROUP BY 1, 2, 3, 4, 5
), stored AS (
    SELECT s.campaign_id, s.step, s.variant, one.counter, one.hour, sum(one.number) AS number
      FROM email_stats s
     CROSS JOIN LATERAL (VALUES
        {", ".join(f"('{counter}', s.hour, s.{counter})" for counter in ("sent", *_BY_HOUR))},
        {", ".join(f"('{counter}', CAST('-infinity' AS timestamptz), s.{counter})" for counter in _ALWAYS)}
     ) AS one (counter, hour, number)
     WHERE one.number <> 0
     GROUP BY 1, 2, 3, 4, 5
)
SELECT 'counts of campaign ' || campaign_id || ', step ' || step
           || CASE WHEN variant <> '' THEN ', variant ' || variant ELSE '' END AS subject,
       left(string_agg(format('have %s %s%s, the e-mails %s', coalesce(stored.number, 0), counter,
                              CASE WHEN isfinite(hour) THEN to_char(hour, ' "in the hour of" YYYY-MM-DD HH24:00 TZ')
                                   ELSE '' END, coalesce(counted.number, 0)), '; '), 500) AS faults
  FROM counted FULL JOIN stored USING (campaign_id, step, variant, counter, hour)
 WHERE coalesce(counted.number, 0) <> coalesce(stored.number, 0)
 GROUP BY campaign_id, step, variant
"""  # noqa: S608  # built from constants

CHECKS: Mapping[str, str] = {
    "e-mails": _EMAILS,
    "flags of contacts": _FLAGS,
    "suppressions": _SUPPRESSIONS,
    "enrollments": _ENROLLMENTS,
    "groups": _GROUPS,
    "events": _EVENTS,
    "counts": _COUNTS,
}
