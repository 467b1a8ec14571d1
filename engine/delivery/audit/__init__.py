"""The audit: count every e-mail and find rows that contradict each other (R40)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from engine.delivery.audit.checks import CHECKS as CHECKS

LIMIT = 100  # findings of one check


class Finding(NamedTuple):
    """A row that contradicts others: the id of its subject, such as `email_…` or `contact …`, and how."""

    subject: str
    faults: str

    def __str__(self) -> str:
        return f"{self.subject} {self.faults}"


class Checked(NamedTuple):
    """A completed check: the number of its findings, and the first of them."""

    name: str
    total: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The number of e-mails by status, and the completed checks."""

    statuses: Mapping[str, int]
    checks: tuple[Checked, ...]

    @property
    def total(self) -> int:
        """Return the number of e-mails ever accepted."""
        return sum(self.statuses.values())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of all checks."""
        return tuple(finding for checked in self.checks for finding in checked.findings)

    @property
    def is_clean(self) -> bool:
        """True if there is no finding."""
        return not any(checked.total for checked in self.checks)


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
# The database joins whole tables in pieces of this size, whatever the number of rows. Each statement runs once, so that
# compiling it costs more than it saves.
_SET_UP = text("""
SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true)
""")
# A materialised query is planned for all its rows. With a plain LIMIT it would be planned for the first ones, although
# it nearly always reads everything and finds nothing.
_PAGE = """
WITH found AS MATERIALIZED ({check})
SELECT subject, faults, (SELECT count(*) FROM found) AS total FROM found LIMIT :limit
"""


def begin(session: Session) -> None:
    """Make the transaction read-only, with one snapshot, so that groups claimed or settled meanwhile cause no findings.

    Must be the first call in its transaction. Call `statuses` and `checks` after it.
    """
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    session.execute(_SET_UP)


def statuses(session: Session) -> dict[str, int]:
    """Return the number of e-mails by status."""
    return {row.status: row.number for row in session.execute(_STATUSES)}


def checks(session: Session, *, limit: int = LIMIT) -> Iterator[Checked]:
    """Run each check and yield it with up to `limit` findings. Reads whole tables, in constant memory."""
    for name, check in CHECKS.items():
        rows = session.execute(text(_PAGE.format(check=check)), {"limit": limit}).all()
        findings = tuple(Finding(row.subject, row.faults) for row in rows)
        yield Checked(name, rows[0].total if rows else 0, findings)


def run(session: Session, *, limit: int = LIMIT) -> Report:
    """Count every e-mail and run every check, read-only and in one snapshot.

    Must be the first call in its transaction.
    """
    begin(session)
    return read(session, limit=limit)


def read(session: Session, *, limit: int = LIMIT) -> Report:
    """Do the same as `run` in any transaction. Each check may see a different state while senders are busy."""
    return Report(statuses(session), tuple(checks(session, limit=limit)))
