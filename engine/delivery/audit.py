"""The audit: does the ledger account for every message? Findings are what does not add up (R40)."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not add up: which check, how often, and some ids to look at."""

    check: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.check}: {self.count} (such as {', '.join(self.examples)})"


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger's account of itself: messages by status, and what does not add up."""

    statuses: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def total(self) -> int:
        """Every message that was ever accepted."""
        return sum(self.statuses.values())

    @property
    def is_clean(self) -> bool:
        """Whether everything adds up."""
        return not self.findings


# Each check is a query whose rows are what is wrong; its first column is the id to look at. What changes while it
# is read (a group between claim and settlement) is judged by the database's snapshot, so a busy ledger is clean too.
_CHECKS: Mapping[str, str] = {
    "in hand, but in no open group": (
        "SELECT e.id FROM emails e LEFT JOIN send_groups g ON g.id = e.claim AND g.state = 'open' "
        "WHERE e.status IN ('claimed', 'sending') AND g.id IS NULL"
    ),
    "in an open group, but not in hand": (
        "SELECT m.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN emails e ON e.id = m.id "
        "WHERE g.state = 'open' AND g.campaign_id IS NULL "
        "AND (e.claim IS DISTINCT FROM g.id OR e.status NOT IN ('claimed', 'sending'))"
    ),
    "an enrollment in hand for a step that is not its next": (
        "SELECT n.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN enrollments n ON n.id = m.id "
        "WHERE g.state = 'open' AND g.campaign_id IS NOT NULL "
        "AND (n.next_step, n.campaign_id) <> (g.step, g.campaign_id)"
    ),
    "in the hands of two senders": (
        "SELECT m.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) WHERE g.state = 'open' "
        "GROUP BY m.id, g.campaign_id, g.step HAVING count(*) > 1"
    ),
    "its group's lease ended more than 10 minutes ago": (
        "SELECT g.id FROM send_groups g WHERE g.state = 'open' AND g.leased_until < now() - interval '10 minutes'"
    ),
    "sent without a moment, or not sent with one": (
        "SELECT id FROM emails WHERE (sent_at IS NOT NULL) <> (status IN ('sent', 'bounced', 'complained'))"
    ),
    "failed or cancelled without a reason": (
        "SELECT id FROM emails WHERE status IN ('failed', 'cancelled') AND reason IS NULL"
    ),
    "sent, but its contact's flag says otherwise": (
        "SELECT e.id FROM emails e JOIN contacts c ON c.id = e.contact_id WHERE e.sent_at IS NOT NULL AND "
        "NOT CASE e.step WHEN 1 THEN c.email_1_sent WHEN 2 THEN c.email_2_sent WHEN 3 THEN c.email_3_sent "
        "ELSE true END"
    ),
    "an enrollment waits for a mail that is not on its way": (
        "SELECT n.id FROM enrollments n LEFT JOIN emails e ON e.enrollment_id = n.id AND e.step = n.next_step "
        "AND e.status IN ('queued', 'claimed', 'sending', 'in_doubt') WHERE n.state = 'waiting' AND e.id IS NULL"
    ),
    # Active: every step before the next one, and the next one only while a sender has it in hand. Waiting: that, too.
    "an enrollment whose mails are not those of its steps so far": (
        "SELECT n.id FROM enrollments n LEFT JOIN ("
        "SELECT e.enrollment_id, count(*) AS mails, max(e.step) AS last, count(g.id) AS early FROM emails e "
        "LEFT JOIN send_groups g ON g.id = e.claim AND g.state = 'open' AND g.campaign_id IS NOT NULL "
        "WHERE e.enrollment_id IS NOT NULL GROUP BY e.enrollment_id) AS told ON told.enrollment_id = n.id "
        "WHERE coalesce(told.mails, 0) <> coalesce(told.last, 0) OR "
        "(n.state = 'active' AND coalesce(told.mails - told.early, 0) <> n.next_step - 1) OR "
        "(n.state = 'waiting' AND coalesce(told.mails, 0) <> n.next_step)"
    ),
    "an enrollment finished before its last step": (
        "SELECT n.id FROM enrollments n "
        "JOIN (SELECT campaign_id, count(*) AS steps FROM campaign_steps GROUP BY 1) AS plan USING (campaign_id) "
        "LEFT JOIN (SELECT enrollment_id, count(*) AS mails FROM emails GROUP BY enrollment_id) AS told "
        "ON told.enrollment_id = n.id WHERE n.state = 'finished' AND coalesce(told.mails, 0) < plan.steps"
    ),
    "a mail of an enrollment that is not there, or of another contact's or campaign's": (
        "SELECT e.id FROM emails e LEFT JOIN enrollments n ON n.id = e.enrollment_id WHERE e.enrollment_id IS NOT NULL "
        "AND (n.contact_id, n.campaign_id) IS DISTINCT FROM (e.contact_id, e.campaign_id)"
    ),
    "stopped without a reason": "SELECT id FROM enrollments WHERE state = 'stopped' AND stop_reason IS NULL",
    "queued for somebody who may not be mailed": (
        "SELECT e.id FROM emails e JOIN enrollments n ON n.id = e.enrollment_id "
        "WHERE e.status = 'queued' AND n.state = 'stopped' AND n.stopped_at < e.due_at AND e.attempts = 0"
    ),
    "an event of a mail recorded as sent is still held": (
        "SELECT v.id FROM events v JOIN emails e ON e.id = v.email_id WHERE v.held AND e.status = 'sent'"
    ),
}

# A campaign's mail in hand has no row yet: its group accounts for it.
_STATUSES = text("""
SELECT status, sum(mails)::int AS mails FROM (
    SELECT status, count(*) AS mails FROM emails GROUP BY status
    UNION ALL
    SELECT CASE WHEN g.is_started THEN 'sending' ELSE 'claimed' END, count(*)
      FROM send_groups g CROSS JOIN unnest(g.members) AS m(id)
     WHERE g.state = 'open' AND g.campaign_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM emails e WHERE e.claim = g.id AND e.enrollment_id = m.id)
     GROUP BY 1
) AS accounted GROUP BY status ORDER BY status
""")


def run(session: Session, *, examples: int = 3) -> Account:
    """Count every message and look for what does not add up; reads only, all of it in one snapshot.

    A whole pass over the ledger, in a transaction that has done nothing before.
    """
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    return read(session, examples=examples)


def read(session: Session, *, examples: int = 3) -> Account:
    """The same in whatever transaction this is; on a busy ledger each check then has a moment of its own."""
    statuses = {row.status: row.mails for row in session.execute(_STATUSES)}
    findings = [_finding(session, check, query, examples) for check, query in _CHECKS.items()]
    return Account(statuses, tuple(finding for finding in findings if finding is not None))


def _finding(session: Session, check: str, query: str, examples: int) -> Finding | None:
    ids = [str(found) for found in session.scalars(text(query))]
    return Finding(check, len(ids), tuple(ids[:examples])) if ids else None
