"""The tables, from the command line."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from errors import Conflict
from local import ports
from models import migrations
from tests.cli.conftest import Run
from tests.conftest import environment
from tests.processes import ROOT


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


def test_tables_of_a_newer_version_are_left_alone(run: Run, ledger: str) -> None:
    with psycopg.connect(ledger, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "at revision 9999, of a newer version of Cadencia" in run("db", "upgrade", status=1).stderr


def test_a_shell_and_a_dump_reach_the_database(run: Run, ledger: str, tmp_path: Path) -> None:
    file = tmp_path / "cadencia.dump"
    assert f"{file}: " in run("db", "dump", str(file)).output
    assert (file.read_bytes()[:5], file.stat().st_mode & 0o777) == (b"PGDMP", 0o600)
    assert "name a new file" in run("db", "dump", str(file), status=2).output
    query = "SELECT version_num FROM alembic_version"
    command = [sys.executable, "-m", "cli", "--quiet", "db", "shell", "-At", "-c", query]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert shown.stdout.strip() == migrations.state()[1]


def test_a_dump_of_a_database_that_cannot_be_reached_leaves_no_file(cadencia: Run, tmp_path: Path) -> None:
    with environment(DATABASE_URL=f"postgresql://nobody:x@127.0.0.1:{ports.free()}/none"):
        assert "no file was written" in cadencia("db", "dump", str(tmp_path / "x"), status=1).output
    assert list(tmp_path.iterdir()) == []


def test_an_old_server_is_refused_before_anything_is_changed() -> None:
    with pytest.raises(Conflict, match="PostgreSQL 13: use PostgreSQL 14 or newer"):
        migrations.check_server(13)
    migrations.check_server(14)


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "state"), ("campaigns", "list"), ("audit", "ledger")])
def test_a_command_repeats_the_words_of_a_server_that_refuses_it(
    run: Run, ledger: str, command: tuple[str, ...]
) -> None:
    at = urlsplit(ledger)
    for url, words in (
        (ledger.replace(f"{at.username}:", "nobody:"), 'password authentication failed for user "nobody"'),
        (at._replace(path="/gone").geturl(), 'database "gone" does not exist'),
    ):
        with environment(DATABASE_URL=url):
            refused = run(*command, status=1).stderr
        assert refused.startswith("Error: database: not reachable: ") and refused.endswith(f"{words}\n")
        assert refused.count("\n") == 1


def test_a_role_without_rights_is_refused_in_one_line(run: Run, ledger: str) -> None:
    with psycopg.connect(ledger, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
    with environment(DATABASE_URL=ledger.replace(urlsplit(ledger).netloc.partition("@")[0], "reader:x")):
        refused = run("db", "upgrade", status=1).stderr
    assert refused.endswith("\nError: database: permission denied for table alembic_version\n")
