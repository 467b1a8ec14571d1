"""Contacts suppressed, released, erased and added from the command line."""

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
