"""Campaigns and contacts from the command line, as people and scripts use them."""

from pathlib import Path

import pytest
from sqlalchemy import text

from engine import clock
from engine.campaigns import campaigns, enrollments
from models.session import transaction
from tests import sequence
from tests.cli.conftest import Run

ROWS = "email,nombre,industria\nana@a.example,Ana,Banca\neva@a.example,Eva,Banca\nluz@a.example,Luz,Moda\n"
CREATE = (
    *("campaigns", "create", "Otoño", "--industry", "Banca", "--timezone", "Europe/Madrid"),
    *("--var", "link_calendly=https://calendly.example/v", "--step", "email_1_roi", "--step", "email_2_caso:3d"),
)

STEP = ("campaigns", "create", "X", "--step", "email_1_roi")


@pytest.fixture
def leads(tmp_path: Path) -> str:
    (tmp_path / "leads.csv").write_text(ROWS)
    return str(tmp_path / "leads.csv")


def test_a_campaign_runs_from_the_command_line(run: Run, leads: str) -> None:
    assert "3 rows, 3 created" in run("contacts", "import", leads).output
    run(*CREATE)
    assert "draft\tOtoño" in run("campaigns", "list").output
    assert "2 contacts enrolled, of them stopped: none" in run("campaigns", "enroll", "Otoño").output
    assert run("campaigns", "launch", "Otoño").output.splitlines() == [
        "campaign Otoño is running",
        "2 contacts enrolled; 2 get e-mails.",
        "The first e-mail goes out now.",
    ]
    with transaction() as session:
        assert len(sequence.send_due(session, now=clock.now())) == 2
    run("campaigns", "pause", "Otoño", "--reason", "precio")
    shown = run("campaigns", "show", "Otoño").output
    assert "Otoño: paused (precio), zone Europe/Madrid" in shown
    assert "step 1: email_1_roi, at once after the launch, at any time" in shown
    assert "step 2: email_2_caso, 3 days after step 1, at any time" in shown
    run("campaigns", "resume", "Otoño")
    lines = run("campaigns", "funnel", "Otoño").output.splitlines()
    assert lines[0].split("\t")[:4] == ["step", "template", "queued", "sent"]
    assert lines[1].split("\t")[:4] == ["1", "email_1_roi", "0", "2"]
    assert "active\t2" in lines
    explained = run("contacts", "explain", "ana@a.example").output
    assert explained.startswith("Otoño: 1 e-mail was sent; step 2 is due on ")
    assert "step 1 email_1_roi: sent, sent " in explained
    assert "flags: email_1_sent" in run("contacts", "show", "ana@a.example").output
    assert run("contacts", "explain", "luz@a.example").output == "The contact is in no campaign.\n"


def test_an_audience_of_several_pages_is_enrolled_whole(run: Run) -> None:
    run(*CREATE)
    with transaction() as session:
        listed = """INSERT INTO contacts (id, email, email_index, industry, listed_at)
                    SELECT gen_random_uuid(), 'sealed', int8send(n), 'Banca', now()
                      FROM generate_series(1, :count) AS n"""
        session.execute(text(listed), {"count": enrollments.PAGE + 2})
    output = run("campaigns", "enroll", "Otoño").output
    assert f"{enrollments.PAGE + 2} contacts enrolled, of them stopped: none" in output
    with transaction() as session:
        assert not campaigns.view(session, campaigns.find(session, "Otoño")).enrolling


def test_a_draft_is_edited_cloned_deleted_and_cancelled(run: Run, leads: str) -> None:
    run("contacts", "import", leads)
    run(*CREATE)
    run("campaigns", "edit", "Otoño", "--rename", "Otoño_2", "--window", "09:00-18:00", "--weekdays", "12345")
    shown = run("campaigns", "show", "Otoño_2").output
    assert "step 2: email_2_caso, 3 days after step 1, 09:00-18:00 Mon-Fri" in shown
    run("campaigns", "edit", "Otoño_2", "--only-sign-ups")
    assert "audience: only those who sign up by a form" in run("campaigns", "show", "Otoño_2").output
    run("campaigns", "edit", "Otoño_2", "--everybody", "--industry", "Banca")
    run("campaigns", "edit", "Otoño_2", "--step", "email_2_caso:1d")
    assert "step 1: email_2_caso" in run("campaigns", "show", "Otoño_2").output
    assert "Otoño_2 (copy) created as a draft" in run("campaigns", "clone", "Otoño_2").output
    run("campaigns", "delete", "Otoño_2 (copy)")
    run("campaigns", "launch", "Otoño_2")
    assert "only a draft one can be edited" in run("campaigns", "edit", "Otoño_2", "--timezone", "UTC", status=1).output
    run("campaigns", "cancel", "Otoño_2", "--reason", "fin")
    assert "Otoño_2: cancelled (fin)" in run("campaigns", "show", "Otoño_2").output
    assert "stopped because cancelled\t2" in run("campaigns", "funnel", "Otoño_2").output


def test_refused_emails_are_retried(run: Run, leads: str) -> None:
    run("contacts", "import", leads)
    run(*CREATE)
    run("campaigns", "launch", "Otoño")
    with transaction() as session:
        sequence.send_due(session, sequence.REFUSED, now=clock.now())
    run("campaigns", "pause", "Otoño", "--reason", "relay")
    assert run("campaigns", "retry", "Otoño", "--reason", "refused").output.splitlines() == [
        "2 e-mails queued again; still failed: none",
        "campaign Otoño is paused: resume it to send them",
    ]
    assert "0 e-mails queued again" in run("campaigns", "retry", "Otoño", "--reason", "refused").output
    assert "refused" in run("campaigns", "retry", "Otoño", "--reason", "refuse", status=2).output


def test_import_lists_refused_rows_and_ends_with_status_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mal.csv").write_bytes("email;nombre\nana@a.example;Añó\nmal;Eva\n".encode("cp1252"))
    output = run("contacts", "import", str(tmp_path / "mal.csv"), status=1).output
    assert "line 2, file: is not UTF-8" in output
    assert "line 3, email: An email address must have an @-sign" in output
    assert "2 rows, 1 created" in output


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("campaigns", "launch", "Nada"), 1, "campaign: 'Nada' is not known; there are none"),
        (("campaigns", "create", "X", "--step", "email_1_roi"), 1, "variables.link_calendly"),
        (("campaigns", "create", "X", "--step", "email_1_roi:soon"), 2, "email_2_caso:3d"),
        ((*STEP, "--window", "9-18"), 2, "for --window: '9-18' is not a window; give one such as 09:00-18:00"),
        ((*STEP, "--window", "18:00-09:00"), 2, "for --window: '18:00-09:00' does not end after its start"),
        ((*STEP, "--weekdays", "lunes"), 2, "for --weekdays: 'lunes' are not weekdays; give digits such as 12345"),
        ((*STEP, "--var", "link"), 2, "for --var: 'link' has no value"),
        (("campaigns", "create", "X", "--step", "email 1"), 2, "for --step: 'email 1' is not TEMPLATE[:DELAY]"),
        (("campaigns", "create", "X", "--step", "email_1_roi", "--var", "x"), 2, "NAME=VALUE"),
        (("contacts", "show", "nadie@a.example"), 1, "contact: there is none"),
        (("contacts", "show", "0199f3a0-5b7c-7d12-8e4f-1a2b3c4d5e6f"), 1, "contact: there is none"),
        (("contacts", "explain", "nadie"), 1, "CONTACT: "),
        (("contacts", "import", "/no/such/file.csv"), 2, "does not exist"),
    ],
)
def test_commands_say_plainly_what_is_wrong(run: Run, words: tuple[str, ...], status: int, says: str) -> None:
    assert says in run(*words, status=status).output
