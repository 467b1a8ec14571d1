"""The tables, from the command line."""

import psycopg

from models import migrations
from tests.cli.conftest import Run


def test_the_tables_are_up_to_date_and_upgrading_again_changes_nothing(run: Run) -> None:
    state = run("db", "state").stdout
    assert state.endswith(", the newest\n")
    run("db", "upgrade")
    assert run("db", "state").stdout == state


def test_tables_of_an_older_version_are_reported_with_what_to_do(run: Run, ledger: str) -> None:
    with psycopg.connect(ledger, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert "run `cadencia db upgrade`" in run("db", "state", status=1).stderr
    refused = run("accounts", "list", status=1).stderr
    assert refused == ("Error: the tables in the database are not those of this version: run `cadencia db upgrade`\n")
    run("db", "upgrade")
    assert run("accounts", "list").stdout == ""
    assert migrations.state()[0] == migrations.state()[1]
