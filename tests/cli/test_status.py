"""`cadencia status` and `cadencia audit ledger`: their lines and their exit status."""

import json
import re

import redis
from sqlalchemy import text

from cli.commands import status
from engine import bell
from engine.delivery import senders
from engine.health import Line
from models.session import transaction
from tests import sends, sequence
from tests.cli.conftest import Run
from tests.conftest import environment


def test_status_ends_with_1_while_a_lane_or_the_sweep_is_late(run: Run, broker: str) -> None:
    with transaction() as session:
        session.execute(text("INSERT INTO heartbeats SELECT unnest(ARRAY['sweep', 'call_due began']), now()"))
    with redis.Redis.from_url(broker) as client:
        client.flushdb()
        client.rpush("campaign", "a ring", "another")
    assert [re.sub(r"run \d+ s", "run 0 s", line) for line in run("status").stdout.splitlines()] == [
        "tick\tsweep\ton time\trun 0 s ago",
        "tick\tcall_due\ton time\trun 0 s ago",
        "tick\ttidy\ton time\tnot run in the last week",
        "lane\ttransactional\ton time\tnone due, not active in the last week",
        "lane\tcampaign\ton time\tnone due, not active in the last week",
        "in doubt\te-mails\t\tnone",
        "events\tunapplied\ton time\tnone waits",
        "senders\t\t\tnone has begun to send",
        "spool\tthis host\ton time\tnothing waits",
        "queue\ttransactional\t\t0 rings",
        "queue\tcampaign\t\t2 rings",
        "queue\tevents\t\t0 rings",
        "queue\timports\t\t0 rings",
        "queue\tsequence\t\t0 rings",
        "relay\t\t\tnone was used in the last 90 s",
    ]
    with transaction() as session:
        sends.queue(session, 2)
        senders.register(session, "host-a", 1)
    late = run("status", status=1).stdout
    assert "lane\ttransactional\tlate\t2 due since 2026-03-02T09:00:00Z, not active in the last week" in late
    assert "senders\thost-a\t\t1 registered, 0 sending now, not active in the last week" in late
    with transaction() as session:
        session.execute(text("DELETE FROM emails"))
        session.execute(text("DELETE FROM heartbeats"))
    assert run("status", status=1).stdout.startswith("tick\tsweep\tlate\tnot run")


def test_a_server_that_cannot_be_reached_costs_its_own_lines_only(run: Run, broker: str) -> None:
    with environment(DATABASE_URL="postgresql://cadencia:x@127.0.0.1:9/cadencia"):
        shown = json.loads(run("status", "--json", status=1).stdout)
    assert shown["state"] == "late" and shown.keys() == {"state", "database", "spool", "queue", "relay"}
    assert shown["database"][0]["state"] == "unavailable" and "Connection refused" in shown["database"][0]["detail"]
    assert {queue["name"] for queue in shown["queue"]} == bell.BELLS.keys()
    with environment(CELERY_BROKER_URL="redis://127.0.0.1:9/0"):
        lines = run("status", status=1).stdout.splitlines()
    assert [line.split("\t")[::2] for line in lines[-2:]] == [["queue", "unavailable"], ["relay", "unavailable"]]
    assert sum(line.startswith("lane") for line in lines) == 2


def test_a_screen_has_sixty_columns_and_names_each_part_once() -> None:
    why = "mail relay smtp.provider.example:587 unavailable: its name does not resolve"
    since = sequence.NOW
    lines = [
        Line("lane", "transactional", "on time", {"due": 0, "due_since": None, "worked_s_ago": 2.0}),
        Line("lane", "campaign", "late", {"due": 1_000, "due_since": since, "worked_s_ago": None}),
        Line("relay", "smtp.a-long-name.provider.example:587", "", {"states": {"closed": 2}, "why": why}),
    ]
    shown = status.laid_out(lines, width=60)
    assert max(map(len, shown)) <= 60
    assert shown[0] == "lane     transactional  on time  none due, active 2 s ago"
    assert [line[:9].strip() for line in shown if line[:9].strip()] == ["lane", "relay"]
    assert "over 999 due since 2026-11-02T09:00:00Z" in " ".join(" ".join(shown).split())


def test_the_audit_prints_findings_up_to_its_limit_and_ends_with_1(run: Run) -> None:
    with transaction() as session:
        sends.queue(session, 3, lane="campaign", now=sequence.NOW)
        sequence.send_due(session, now=sequence.NOW)
    clean = run("audit", "ledger")
    assert clean.stdout.splitlines()[-2:] == ["         3  accepted in all", "clean: every e-mail is accounted for"]
    with transaction() as session:
        session.execute(text("UPDATE emails SET message_id = 'x'"))
    errors = run("audit", "ledger", "--limit", "2", status=1).stderr.splitlines()
    assert sum("has another Message-ID" in line for line in errors) == 2
    assert errors[-1] == "inconsistent: e-mails: 1 more"
