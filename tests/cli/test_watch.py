"""Watching a campaign: its lines on a terminal of any width, as a log, and in a locale without UTF-8."""

import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from cli import terminal
from cli.commands.campaigns import options, watching
from engine import clock
from engine.campaigns import campaigns
from engine.campaigns.reports import funnel
from engine.campaigns.windows import Window
from models.session import transaction
from tests import sequence
from tests.cli.conftest import Run
from tests.processes import ROOT, until


@pytest.fixture
def campaign(ledger: str) -> UUID:
    """A running campaign: both contacts got step 1, one of them converted."""
    now = clock.now()
    with transaction() as session:
        ana, _ = sequence.people(session, 2)
        campaign_id = sequence.create(session)
        campaigns.launch(session, campaign_id, now=now)
        sequence.send_due(session, now=now)
        stop = "UPDATE enrollments SET state = 'stopped', stop_reason = 'converted', stopped_at = now()"
        session.execute(text(f"{stop} WHERE contact_id = :ana"), {"ana": ana})
    return campaign_id


def looked(campaign_id: UUID) -> watching.Look:
    with transaction() as session:
        view = campaigns.view(session, campaign_id)
        counts, ahead = funnel.of(session, campaign_id), funnel.ahead(session, campaign_id)
    return watching.Look(view, counts, ahead, clock.now())


def test_a_picture_has_aligned_columns_and_says_what_comes_next(campaign: UUID) -> None:
    title, _, header, first, *rest = watching.picture(looked(campaign), width=100)
    assert title == "Otoño: running"
    assert header.split() == ["step", "ahead", "sent", "opened", "clicked", "converted"]
    assert first.split() == ["1", "email_1_roi", "0", "2", "0", "0", "0"]
    assert len(header) == len(first) == len(rest[0])
    assert rest[-2] == "2 contacts: 1 under way, 0 finished, 1 stopped (1 converted)."
    assert rest[-1].startswith("Step 2 goes out on ") and rest[-1].endswith(" UTC, in 2 days 23 hours.")


@pytest.mark.parametrize("width", [59, 40, 20])
def test_a_picture_fits_a_narrow_terminal(campaign: UUID, width: int) -> None:
    look = looked(campaign)
    wordy = replace(look, campaign=replace(look.campaign, name="n" * 70, state="paused", reason="a reason " * 9))
    for each in (look, wordy):
        lines = watching.picture(each, width=width)
        assert max(map(len, lines)) <= (width if width > 40 else 60), lines


def test_without_a_terminal_each_change_is_a_line_and_a_finished_campaign_ends_it(run: Run, campaign: UUID) -> None:
    with transaction() as session:
        session.execute(text("UPDATE enrollments SET state = 'finished', next_at = NULL WHERE state = 'active'"))
        assert campaigns.finish(session, now=clock.now()) == [campaign]
    [line] = run("campaigns", "watch", "Otoño").output.splitlines()
    assert " finished; step 1: 0 ahead, 2 sent, 0 opened" in line
    assert "is not known; there are Otoño" in run("campaigns", "watch", "Nada", status=1).output


def test_a_terminal_without_utf_8_is_redrawn_until_ctrl_c(campaign: UUID) -> None:
    controller, terminal_end = pty.openpty()
    environ = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "60", "LINES": "24", "TERM": "xterm"}
    command = [sys.executable, "-m", "cli", "--quiet", "campaigns", "watch", str(campaign), "--every", "0.1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=terminal_end, stderr=terminal_end)
    os.close(terminal_end)
    shown = bytearray()

    def is_redrawn() -> bool:
        shown.extend(os.read(controller, 65_536))
        return shown.count(b"Oto?o: running") > 1

    try:
        until(is_redrawn, "the terminal is redrawn")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        os.close(controller)


def test_durations_windows_and_tables_are_written_for_people() -> None:
    assert [terminal.duration(seconds) for seconds in (259_200, 5_400, 1, 0, 90_061)] == [
        "3 days",
        "1 hour 30 minutes",
        "1 second",
        "0 seconds",
        "1 day 1 hour",
    ]
    windows = [Window(), Window(540, 1080, {1, 2, 3, 4, 5}), Window(0, 1440, {6}), Window(60, 90, {1, 3})]
    assert [options.window_in_words(window) for window in windows] == [
        "at any time",
        "09:00-18:00 Mon-Fri",
        "00:00-24:00 Sat",
        "01:00-01:30 Mon Wed",
    ]
    rows = [["name", "sent"], ["a", "5"], ["bcdef", "12"]]
    assert terminal.aligned(rows) == ["name   sent", "a         5", "bcdef    12"]
