"""The calendar of a month: e-mails sent and due by day, step and campaign. Workers count it as figures."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

DAYS_AHEAD = 31
_CAMPAIGNS_MAX = 20  # of a day, those with most e-mails
_A_DAY = timedelta(days=1)

# Days are those of each campaign's time zone, so the hours of the days before and after the month count, too.
_SENT = text("""
SELECT (s.hour AT TIME ZONE coalesce(c.timezone, 'UTC'))::date AS day, s.campaign_id, s.step, sum(s.sent) AS number,
       sum(s.converted) AS converted
  FROM email_stats s LEFT JOIN campaigns c ON c.id = s.campaign_id
 WHERE s.hour >= :since AND s.hour < :until GROUP BY day, s.campaign_id, s.step
""")
# What is overdue goes out today.
_DUE = text("""
SELECT (greatest(e.next_at, :now) AT TIME ZONE c.timezone)::date AS day, c.id AS campaign_id, e.next_step AS step,
       count(*) AS number
  FROM campaigns c JOIN enrollments e ON e.campaign_id = c.id
 WHERE c.state = 'running' AND e.state = 'active' AND e.next_at < :until GROUP BY day, c.id, e.next_step
""")


def following(month: date) -> date:
    """Return the first day of the month after that of `month`, which is a first day."""
    return (month + timedelta(days=31)).replace(day=1)


def sent(session: Session, since: datetime, until: datetime) -> Sequence[Row[Any]]:
    """Return the `number` of e-mails sent and `converted`, by `day` (of the campaign), `campaign_id` and `step`."""
    return session.execute(_SENT, {"since": since, "until": until}).all()


def due(session: Session, until: datetime, *, now: datetime) -> Sequence[Row[Any]]:
    """Return the `number` of contacts whose next e-mail is due, by `day`, `campaign_id` and `step`."""
    return session.execute(_DUE, {"now": now, "until": until}).all()


def count(session: Session, month: date, *, now: datetime) -> Mapping[str, Any]:
    """Return by day of the month: numbers `sent` and `due` by step, and by campaign those with most e-mails.

    Only the next e-mails of contacts are due, up to `DAYS_AHEAD`: later steps follow from them.
    """
    end = following(month)
    since, until = (datetime.combine(day, time(), UTC) for day in (month - _A_DAY, end + _A_DAY))
    rows = [("sent", row) for row in sent(session, since, until) if row.number]
    if until > now:
        ahead = min(until, now + timedelta(days=DAYS_AHEAD))
        rows += [("due", row) for row in due(session, ahead, now=now)]
    days: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    campaigns: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for kind, row in rows:
        if month <= row.day < end:
            days[str(row.day)][kind][str(row.step)] += int(row.number)
            campaigns[str(row.day)][str(row.campaign_id)][kind] += int(row.number)
    for day, of_day in campaigns.items():
        most = sorted(of_day.items(), key=lambda item: (-item[1].total(), item[0]))[:_CAMPAIGNS_MAX]
        days[day]["campaigns"] = dict(most)  # type: ignore[assignment]  # two levels, as JSON
    return {"days": days}
