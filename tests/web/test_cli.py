"""The commands, as a person at a terminal uses them."""

from typing import Any

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.examples import send

PASSWORD = "a password of the tests"


@pytest.fixture
def run(app: Flask) -> Any:
    runner = app.test_cli_runner()
    return lambda *arguments, **options: runner.invoke(args=arguments, **options)


def test_an_account_can_log_in_once_it_is_created(run: Any, client: FlaskClient) -> None:
    created = run(
        "accounts", "create", "tienda", "--scope", "send", "--scope", "reports", "--password-stdin", input=PASSWORD
    )
    assert (created.exit_code, created.output) == (0, "account tienda created, scopes: reports, send\n")
    assert client.post("/api/v1/auth/token", json={"account": "tienda", "password": PASSWORD}).status_code == 200


def test_create_prompts_twice_without_showing_the_password(run: Any) -> None:
    prompted = run("accounts", "create", "tienda", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert prompted.exit_code == 0
    assert PASSWORD not in prompted.output


def test_create_is_refused_in_one_plain_line_when_something_is_wrong(run: Any) -> None:
    run("accounts", "create", "tienda", "--password-stdin", input=PASSWORD)
    for arguments, typed, told in (
        (("accounts", "create", "tienda", "--password-stdin"), PASSWORD, "name: taken"),
        (("accounts", "create", "otra", "--password-stdin"), "short", "password: 12 to"),
        (("accounts", "create", "", "--password-stdin"), PASSWORD, "name: 1 to 100"),
        (("accounts", "disable", "nobody"), "", "account: there is none"),
        (("tokens", "create", "nobody"), "", "account: there is none"),
    ):
        refused = run(*arguments, input=typed)
        assert refused.exit_code == 1
        assert refused.output.startswith(f"Error: {told}") and refused.output.count("\n") == 1
    assert run("accounts", "create", "x", "--scope", "everything").exit_code == 2


def test_a_token_is_all_that_is_printed_and_it_works_until_the_account_is_disabled(
    run: Any, client: FlaskClient, app: Flask
) -> None:
    run("accounts", "create", "tienda", "--password-stdin", input=PASSWORD)
    printed = run("tokens", "create", "tienda", "--hours", "1").output
    assert printed.count(".") == 2 and printed.count("\n") == 1
    header = {"Authorization": f"Bearer {printed.strip()}"}
    assert client.post("/api/v1/emails/send", json=send(), headers=header).status_code == 202
    assert run("accounts", "disable", "tienda").exit_code == 0
    assert app.test_client().post("/api/v1/auth/revoke", headers=header).status_code in (200, 401)
    assert run("tokens", "create", "tienda").exit_code == 1
    assert "disabled" in run("accounts", "list").output


def test_a_new_password_replaces_the_old_one(run: Any, client: FlaskClient) -> None:
    run("accounts", "create", "tienda", "--password-stdin", input=PASSWORD)
    assert run("accounts", "password", "tienda", "--password-stdin", input="another one of the tests\n").exit_code == 0
    log_in = "/api/v1/auth/token"
    assert client.post(log_in, json={"account": "tienda", "password": PASSWORD}).status_code == 401
    fresh = {"account": "tienda", "password": "another one of the tests"}
    assert client.post(log_in, json=fresh).status_code == 200


def test_the_tables_are_up_to_date_and_upgrading_again_changes_nothing(run: Any) -> None:
    assert run("db", "state").exit_code == 0
    assert run("db", "upgrade").exit_code == 0


def test_templates_are_listed_with_what_they_need(run: Any) -> None:
    listed = run("templates", "list")
    assert listed.exit_code == 0
    assert "email_1_roi\tindustria, link_calendly, nombre" in listed.output


def test_every_command_of_ours_has_help_with_an_example(app: Flask, run: Any) -> None:
    groups = [group for group in app.cli.commands.values() if isinstance(group, click.Group)]
    assert {"accounts", "tokens", "db", "templates"} <= {group.name for group in groups}
    for group in groups:
        assert group.help, group.name
        for name in group.commands:
            shown = run(group.name, name, "--help")
            assert shown.exit_code == 0
            assert f"flask --app web {group.name} {name}" in shown.output, (group.name, name)
