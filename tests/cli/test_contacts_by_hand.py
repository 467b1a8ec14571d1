"""Contacts suppressed, released, erased and added from the command line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ADDRESS = "ana@a.example"


def test_a_contact_is_added_suppressed_released_and_erased(run: Run) -> None:
    assert "is listed" in run("contacts", "add", ADDRESS).output
    assert "in audiences: since 20" in run("contacts", "show", ADDRESS).output
    assert run("contacts", "suppress", ADDRESS).output == "suppressed; 0 running sequences stopped\n"
    assert "suppressed: manual" in run("contacts", "show", ADDRESS).output
    assert run("contacts", "release", ADDRESS).output == "released\n"
    contact_id = run("contacts", "show", ADDRESS).output.partition("\t")[0]
    asked = run("contacts", "erase", ADDRESS, status=1, text="n\n").output
    assert "for good?" in asked and "erased" not in asked.partition("?")[2]
    assert run("contacts", "erase", ADDRESS, "--yes").output == f"{contact_id}: personal data erased\n"
    assert "erased: 20" in run("contacts", "show", contact_id).output
    assert "there is none with this address" in run("contacts", "show", ADDRESS, status=1).output


@pytest.mark.parametrize("command", ["suppress", "release", "erase", "add"])
def test_a_wrong_address_is_refused_without_a_part_of_it(run: Run, command: str) -> None:
    refused = run("contacts", command, "nadie-en-casa", status=1).output
    assert "@-sign" in refused and "nadie" not in refused.replace("Usage", "")


def test_a_dead_address_is_released_with_intent_only(run: Run) -> None:
    run("contacts", "suppress", ADDRESS)
    assert "has none" in run("contacts", "release", "eva@a.example", status=1).output
    assert run("contacts", "release", ADDRESS, "--even", "complaint").output == "released\n"


def test_contacts_are_found_by_name_or_address(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text("email,Nombre,Apellidos,Empresa\nana@a.example,Ána,Ruiz,Óptica\neva@a.example,Eva,Anaya,\n")
    run("contacts", "import", str(file))
    lines = run("contacts", "find", "AN").output.splitlines()
    assert [line.split("\t")[1:3] for line in lines] == [["ana@a.example", "Ána Ruiz"], ["eva@a.example", "Eva Anaya"]]
    assert run("contacts", "find", "an", "--limit", "1").output.count("\n") == 1
    assert "Ána Ruiz\tÓptica\tnew" in run("contacts", "find", "ANA@a.example").output
    assert "begins with this text" in run("contacts", "find", "zz", status=1).output
    assert "none with this address" in run("contacts", "find", "zz@a.example", status=1).output


def test_a_contact_is_paused_until_a_day_and_resumed(run: Run) -> None:
    run("contacts", "add", ADDRESS)
    day = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    assert f"wait until {day} 00:00 UTC" in run("contacts", "pause", ADDRESS, "--until", day).output
    assert (
        "--until: give a day after today" in run("contacts", "pause", ADDRESS, "--until", "2024-01-01", status=1).output
    )
    assert "go out again" in run("contacts", "resume", ADDRESS).output
