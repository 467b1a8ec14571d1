"""Compare the relay's log with the database at the end of a run, message by message."""

import json
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import text

from engine.delivery import audit
from models.session import Session, transaction
from tests.faults.relay import Log

NO_SENDERS = {"beat", "valkey", "flushall", "web"}  # killing these kills no sender
IN_FLIGHT_MAX = 4  # SMTP_CONNECTIONS of the scenarios, one body on each

_EMAILS = text("SELECT message_id, status, reason FROM emails")
_UNFINISHED = text("""
    SELECT count(*) FROM enrollments n
     WHERE NOT (n.state = 'finished' OR (n.state = 'stopped' AND n.stop_reason IS NOT NULL)
                OR (n.state = 'waiting' AND EXISTS (SELECT 1 FROM emails e WHERE e.enrollment_id = n.id
                                                    AND e.step = n.next_step AND e.status = 'in_doubt')))
""")
_DOUBTS = text("SELECT in_doubt FROM send_groups WHERE state = 'recovered' ORDER BY id")


@dataclass
class Report:
    """The result of one run."""

    scenario: str
    kills: Counter[str]  # by process, or by the point of the send
    faults: Counter[str]  # by the fault of the relay
    statuses: Counter[str]
    lost: int = 0  # neither sent, queued, failed with a reason, in doubt nor cancelled
    twice: int = 0  # accepted by the relay more than once, or unknown to the database
    denied: int = 0  # accepted, but recorded as unsent: the next attempt would send it twice
    doubts: list[int] = field(default_factory=list)  # e-mails in doubt after each death of a sender
    findings: list[str] = field(default_factory=list)  # of `audit ledger`

    @property
    def emails(self) -> int:
        """Return the number of e-mails in the database."""
        return sum(self.statuses.values())

    def as_json(self) -> str:
        """Return the report as one line, for the summary."""
        return json.dumps(vars(self))


def compare(scenario: str, log: Log, *, emails: int, kills: Counter[str]) -> Report:
    """Compare the relay's log with the database, which must have `emails` e-mails. Read-only."""
    with transaction() as session:
        audited = audit.run(session)
    with transaction() as session:
        rows = session.execute(_EMAILS).all()
        report = Report(scenario, kills, log.faults, Counter(row.status for row in rows))
        report.findings = [str(finding) for finding in audited.findings]
        report.doubts = list(session.scalars(_DOUBTS))
        report.lost = _unaccounted(session, emails - len(rows))
    accepted, known = log.accepted, {row.message_id: row for row in rows}
    report.lost += sum(_is_lost(row.status, row.reason, is_accepted=row.message_id in accepted) for row in rows)
    report.twice = sum(accepted.values()) - len(accepted) + len(accepted.keys() - known.keys())
    report.denied = sum(known[name].status not in ("sent", "in_doubt") for name in accepted.keys() & known.keys())
    return report


def _unaccounted(session: Session, missing: int) -> int:
    """Count e-mails without a row, and enrollments that have neither ended nor wait for anything."""
    return max(missing, 0) + int(session.scalar(_UNFINISHED) or 0)


def _is_lost(status: str, reason: str | None, *, is_accepted: bool) -> bool:
    if status == "sent":
        return not is_accepted
    return status in ("failed", "cancelled") and reason is None


def check(report: Report, *, in_doubt_max: int) -> None:
    """Assert the conditions that hold after every run."""
    assert report.emails > 0
    assert report.statuses["sent"] > 0
    assert (report.lost, report.twice, report.denied, report.findings) == (0, 0, 0, []), report
    assert max(report.doubts, default=0) <= in_doubt_max, report.doubts


def table(reports: list[Report]) -> list[str]:
    """Return the lines of the summary: one for each scenario, the total, the kills and the faults."""
    names = ("kills", "faults", "e-mails", "sent", "failed", "in doubt", "lost", "twice")
    width = max(len(report.scenario) for report in reports)
    rows = [(report.scenario, _figures(report)) for report in reports]
    rows.append(("total", [sum(column) for column in zip(*(figures for _, figures in rows), strict=True)]))
    lines = [f"{'scenario':{width}}" + "".join(f"{name:>10}" for name in names)]
    lines += [f"{name:{width}}" + "".join(f"{figure:10,}" for figure in figures) for name, figures in rows]
    doubts = [doubt for report in reports for doubt in _by_kill(report)]
    lines += ["", "kills: " + _listed(sum((report.kills for report in reports), Counter()))]
    lines += ["faults of the relay: " + _listed(sum((report.faults for report in reports), Counter()))]
    lines += [f"in doubt per kill: median {median(doubts):g}, most {max(doubts)}" if doubts else "no sender died"]
    return lines


def _figures(report: Report) -> list[int]:
    statuses = report.statuses
    counted = [report.emails, statuses["sent"], statuses["failed"], statuses["in_doubt"]]
    return [sum(report.kills.values()), sum(report.faults.values()), *counted, report.lost, report.twice]


def _by_kill(report: Report) -> list[int]:
    """Return the e-mails in doubt by killed sender: 0 for one that died without an open group."""
    deaths = sum(kills for name, kills in report.kills.items() if name not in NO_SENDERS)
    return report.doubts + [0] * max(0, deaths - len(report.doubts)) if deaths else []


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items())) or "none"
