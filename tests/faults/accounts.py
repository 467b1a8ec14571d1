"""The audit that ends every run: what the relay took, message by message, against what the ledger says of it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import text

from engine.delivery import audit
from models.session import Session, transaction
from tests.faults.relay import Log

NO_SENDERS = {"beat", "valkey", "flushall", "web"}  # what can be killed without a sender dying of it
IN_FLIGHT_MAX = 4  # SMTP_CONNECTIONS of the scenarios, one body on each

_MAILS = text("SELECT message_id, status, reason FROM emails")
_OWED = text("""
    SELECT count(*) FROM enrollments n
     WHERE NOT (n.state = 'finished' OR (n.state = 'stopped' AND n.stop_reason IS NOT NULL)
                OR (n.state = 'waiting' AND EXISTS (SELECT 1 FROM emails e WHERE e.enrollment_id = n.id
                                                    AND e.step = n.next_step AND e.status = 'in_doubt')))
""")
_DOUBTS = text("SELECT in_doubt FROM send_groups WHERE state = 'recovered' ORDER BY id")


@dataclass
class Verdict:
    """What became of the messages of one run."""

    scenario: str
    kills: Counter[str]  # by what was killed, or at which point
    faults: Counter[str]  # by what the relay did
    statuses: Counter[str]
    lost: int = 0  # in no account: neither sent, queued, failed with a reason, in doubt nor cancelled
    twice: int = 0  # taken by the relay more than once, or unknown to the ledger
    denied: int = 0  # taken, and yet said to be unsent: the next attempt would be the second mail
    doubts: list[int] = field(default_factory=list)  # in doubt after each death of a sender
    findings: list[str] = field(default_factory=list)  # of `audit ledger`

    @property
    def messages(self) -> int:
        """All the ledger has."""
        return sum(self.statuses.values())

    def as_json(self) -> str:
        """One line, for the summary."""
        return json.dumps(vars(self))


def judge(scenario: str, log: Log, *, mails: int, kills: Counter[str]) -> Verdict:
    """Compare the relay's log with the ledger, where `mails` messages are expected. Reads only."""
    with transaction() as session:
        found = audit.run(session)
    with transaction() as session:
        rows = session.execute(_MAILS).all()
        verdict = Verdict(scenario, kills, log.faults, Counter(row.status for row in rows))
        verdict.findings = [str(finding) for finding in found.findings]
        verdict.doubts = list(session.scalars(_DOUBTS))
        verdict.lost = _unaccounted(session, mails - len(rows))
    taken, known = log.taken, {row.message_id: row for row in rows}
    verdict.lost += sum(_is_lost(row.status, row.reason, is_taken=row.message_id in taken) for row in rows)
    verdict.twice = sum(taken.values()) - len(taken) + len(taken.keys() - known.keys())
    verdict.denied = sum(known[name].status not in ("sent", "in_doubt") for name in taken.keys() & known.keys())
    return verdict


def _unaccounted(session: Session, missing: int) -> int:
    """Messages that have no row, and enrollments that neither ended nor wait for anything."""
    return max(missing, 0) + int(session.scalar(_OWED) or 0)


def _is_lost(status: str, reason: str | None, *, is_taken: bool) -> bool:
    if status == "sent":
        return not is_taken
    return status in ("failed", "cancelled") and reason is None


def check(verdict: Verdict, *, in_doubt_max: int) -> None:
    """What holds after every run, whatever was killed."""
    assert verdict.messages > 0
    assert verdict.statuses["sent"] > 0
    assert (verdict.lost, verdict.twice, verdict.denied, verdict.findings) == (0, 0, 0, []), verdict
    assert max(verdict.doubts, default=0) <= in_doubt_max, verdict.doubts


def table(verdicts: list[Verdict]) -> list[str]:
    """The lines of the summary: one a scenario, their total, and what was killed and done."""
    names = ("kills", "faults", "messages", "sent", "failed", "in doubt", "lost", "twice")
    width = max(len(verdict.scenario) for verdict in verdicts)
    rows = [(verdict.scenario, _figures(verdict)) for verdict in verdicts]
    rows.append(("total", [sum(column) for column in zip(*(figures for _, figures in rows), strict=True)]))
    lines = [f"{'scenario':{width}}" + "".join(f"{name:>10}" for name in names)]
    lines += [f"{name:{width}}" + "".join(f"{figure:10,}" for figure in figures) for name, figures in rows]
    doubts = [doubt for verdict in verdicts for doubt in _by_kill(verdict)]
    lines += ["", "kills: " + _told(sum((verdict.kills for verdict in verdicts), Counter()))]
    lines += ["faults of the relay: " + _told(sum((verdict.faults for verdict in verdicts), Counter()))]
    lines += [f"in doubt per kill: median {median(doubts):g}, most {max(doubts)}" if doubts else "no sender died"]
    return lines


def _figures(verdict: Verdict) -> list[int]:
    statuses = verdict.statuses
    counted = [verdict.messages, statuses["sent"], statuses["failed"], statuses["in_doubt"]]
    return [sum(verdict.kills.values()), sum(verdict.faults.values()), *counted, verdict.lost, verdict.twice]


def _by_kill(verdict: Verdict) -> list[int]:
    """A sender that died without an open group left nothing in doubt."""
    deaths = sum(kills for name, kills in verdict.kills.items() if name not in NO_SENDERS)
    return verdict.doubts + [0] * max(0, deaths - len(verdict.doubts)) if deaths else []


def _told(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counted.items())) or "none"
