"""The audit: count every e-mail and find rows that contradict each other (R40)."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that found something: its name, the number of rows, and the ids of some of them."""

    check: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.check}: {self.count} (such as {', '.join(self.examples)})"


@dataclass(frozen=True, slots=True)
class Report:
    """The number of e-mails by status, and the findings."""

    statuses: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def total(self) -> int:
        """Return the number of e-mails ever accepted."""
        return sum(self.statuses.values())

    @property
    def is_clean(self) -> bool:
        """True if there is no finding."""
        return not self.findings


# Each check is a query that returns the ids of faulty rows. All of them read one snapshot, so that groups which are
# claimed or settled meanwhile cause no findings.
_CHECKS: Mapping[str, str] = {
    "claimed, but in no open group": (
        "SELECT e.id FROM emails e LEFT JOIN send_groups g ON g.id = e.claim AND g.state = 'open' "
        "WHERE e.status IN ('claimed', 'sending') AND g.id IS NULL"
    ),
    "in an open group, but not claimed by it": (
        "SELECT m.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN emails e ON e.id = m.id "
        "WHERE g.state = 'open' AND g.campaign_id IS NULL "
        "AND (e.claim IS DISTINCT FROM g.id OR e.status NOT IN ('claimed', 'sending'))"
    ),
    "an enrollment claimed for a step that is not its next": (
        "SELECT n.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) JOIN enrollments n ON n.id = m.id "
        "WHERE g.state = 'open' AND g.campaign_id IS NOT NULL "
        "AND (n.next_step, n.campaign_id) <> (g.step, g.campaign_id)"
    ),
    "claimed by two senders": (
        "SELECT m.id FROM send_groups g CROSS JOIN unnest(g.members) AS m(id) WHERE g.state = 'open' "
        "GROUP BY m.id, g.campaign_id, g.step HAVING count(*) > 1"
    ),
    "its group's lease ended more than 10 minutes ago": (
        "SELECT g.id FROM send_groups g WHERE g.state = 'open' AND g.leased_until < now() - interval '10 minutes'"
    ),
    "sent without a sent_at, or not sent with one": (
        "SELECT id FROM emails WHERE (sent_at IS NOT NULL) <> (status IN ('sent', 'bounced', 'complained'))"
    ),
    "failed or cancelled without a reason": (
        "SELECT id FROM emails WHERE status IN ('failed', 'cancelled') AND reason IS NULL"
    ),
    "sent, but not by its contact's flag": (
        "SELECT e.id FROM emails e JOIN contacts c ON c.id = e.contact_id WHERE e.sent_at IS NOT NULL AND "
        "NOT CASE e.step WHEN 1 THEN c.email_1_sent WHEN 2 THEN c.email_2_sent WHEN 3 THEN c.email_3_sent "
        "ELSE true END"
    ),
    "an enrollment waits for an e-mail that is not on its way": (
        "SELECT n.id FROM enrollments n LEFT JOIN emails e ON e.enrollment_id = n.id AND e.step = n.next_step "
        "AND e.status IN ('queued', 'claimed', 'sending', 'in_doubt') WHERE n.state = 'waiting' AND e.id IS NULL"
    ),
    # An active enrollment has an e-mail for each step before its next one, and one for the next step only if an early
    # event made its row while a sender has claimed it. A waiting enrollment has one for its next step, too.
    "an enrollment whose e-mails are not those of its steps so far": (
        "SELECT n.id FROM enrollments n LEFT JOIN ("
        "SELECT e.enrollment_id, count(*) AS number, max(e.step) AS last, count(g.id) AS early FROM emails e "
        "LEFT JOIN send_groups g ON g.id = e.claim AND g.state = 'open' AND g.campaign_id IS NOT NULL "
        "WHERE e.enrollment_id IS NOT NULL GROUP BY e.enrollment_id) AS own ON own.enrollment_id = n.id "
        "WHERE coalesce(own.number, 0) <> coalesce(own.last, 0) OR "
        "(n.state = 'active' AND coalesce(own.number - own.early, 0) <> n.next_step - 1) OR "
        "(n.state = 'waiting' AND coalesce(own.number, 0) <> n.next_step)"
    ),
    "an enrollment finished before its last step": (
        "SELECT n.id FROM enrollments n "
        "JOIN (SELECT campaign_id, count(*) AS steps FROM campaign_steps GROUP BY 1) AS plan USING (campaign_id) "
        "LEFT JOIN (SELECT enrollment_id, count(*) AS number FROM emails GROUP BY enrollment_id) AS own "
        "ON own.enrollment_id = n.id WHERE n.state = 'finished' AND coalesce(own.number, 0) < plan.steps"
    ),
    "an e-mail whose enrollment is missing, or is of another contact or campaign": (
        "SELECT e.id FROM emails e LEFT JOIN enrollments n ON n.id = e.enrollment_id WHERE e.enrollment_id IS NOT NULL "
        "AND (n.contact_id, n.campaign_id) IS DISTINCT FROM (e.contact_id, e.campaign_id)"
    ),
    "an enrollment stopped without a reason": (
        "SELECT id FROM enrollments WHERE state = 'stopped' AND stop_reason IS NULL"
    ),
    "queued, though its enrollment is stopped": (
        "SELECT e.id FROM emails e JOIN enrollments n ON n.id = e.enrollment_id "
        "WHERE e.status = 'queued' AND n.state = 'stopped' AND n.stopped_at < e.due_at AND e.attempts = 0"
    ),
    "an event of an e-mail recorded as sent is still held": (
        "SELECT v.id FROM events v JOIN emails e ON e.id = v.email_id WHERE v.held AND e.status = 'sent'"
    ),
}

# A claimed e-mail of a campaign's step has no row yet: it is counted by its group.
_STATUSES = text("""
SELECT status, sum(number)::int AS number FROM (
    SELECT status, count(*) AS number FROM emails GROUP BY status
    UNION ALL
    SELECT CASE WHEN g.is_started THEN 'sending' ELSE 'claimed' END, count(*)
      FROM send_groups g CROSS JOIN unnest(g.members) AS m(id)
     WHERE g.state = 'open' AND g.campaign_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM emails e WHERE e.claim = g.id AND e.enrollment_id = m.id)
     GROUP BY 1
) AS counts GROUP BY status ORDER BY status
""")


def run(session: Session, *, examples: int = 3) -> Report:
    """Count every e-mail and run every check, read-only and in one snapshot.

    Reads all e-mails. Must be the first call in its transaction.
    """
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    return read(session, examples=examples)


def read(session: Session, *, examples: int = 3) -> Report:
    """Do the same as `run` in any transaction. Each check may see a different state while senders are busy."""
    statuses = {row.status: row.number for row in session.execute(_STATUSES)}
    findings = [_finding(session, check, query, examples) for check, query in _CHECKS.items()]
    return Report(statuses, tuple(finding for finding in findings if finding is not None))


def _finding(session: Session, check: str, query: str, examples: int) -> Finding | None:
    ids = [str(row_id) for row_id in session.scalars(text(query))]
    return Finding(check, len(ids), tuple(ids[:examples])) if ids else None
