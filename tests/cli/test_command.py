"""The command as a whole: run from a shell, mistyped, completed, and with a help that imports little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli import env_file
from tests.cli.conftest import Run
from tests.conftest import TEST_ENVIRONMENT

ROOT = Path(__file__).parents[2]
HEAVY = ("alembic", "celery", "flask", "psycopg", "pydantic", "redis", "settings", "sqlalchemy", "engine.bell")
BARE = {name: value for name, value in os.environ.items() if name not in (*TEST_ENVIRONMENT, "DATABASE_URL")}


def shell(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "cadencia"), *words]
    return subprocess.run(command, cwd=folder, env=BARE | variables, capture_output=True, text=True, timeout=60)


def test_the_script_runs_in_any_folder_and_says_which_environment_it_uses(tmp_path: Path) -> None:
    for shadow in ("cli", "settings", "errors"):
        (tmp_path / f"{shadow}.py").write_text("raise SystemExit('this is not ours')")
    values = {**TEST_ENVIRONMENT, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/none", "LOG_FILE": "log"}
    (tmp_path / "some.env").write_text(env_file.written(values), newline="\r\n")
    listed = shell(tmp_path, "--env", "some.env", "templates", "list", SMTP_URL="not one")
    assert (listed.returncode, listed.stderr.partition("\n")[0]) == (0, "cadencia: using the environment in some.env")
    assert "not reachable" in listed.stderr and "these are the templates of the folder" in listed.stderr
    assert "email_1_roi\tindustria" in listed.stdout


def test_without_a_usable_environment_it_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    refused = shell(tmp_path, "--env", "no.env", "templates", "list")
    assert (refused.returncode, refused.stderr.count("\n"), refused.stdout) == (2, 1, "")
    assert refused.stderr.startswith("Error: no.env: cannot be read (No such file")
    values = {**TEST_ENVIRONMENT, "DATABASE_URL": "mysql://x"}
    refused = shell(tmp_path, "--quiet", "templates", "list", **values)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert "DATABASE_URL: has the wrong scheme" in refused.stderr
    values["DATABASE_URL"] = "postgresql://x"
    refused = shell(tmp_path, "--quiet", "templates", "list", **values, LOG_FILE=str(tmp_path))
    assert refused.returncode == 2 and "set LOG_FILE to a path that can be" in refused.stderr


def python(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (("campain", "list"), "No such command 'campain'. Did you mean 'campaigns'?"),
        (("campaigns", "funel", "x"), "No such command 'funel'. Did you mean 'funnel'?"),
        (("campaigns", "pause", "x", "--reson", "y"), "No such option '--reson'. Did you mean '--reason'?"),
        (("--enb", "x", "campaigns", "list"), "No such option '--enb'. Did you mean '--env'?"),
        (("xyz",), "No such command 'xyz'."),
    ],
)
def test_a_mistyped_word_suggests_the_nearest(cadencia: Run, words: tuple[str, ...], suggestion: str) -> None:
    assert f"Error: {suggestion}" in cadencia(*words, status=2).stderr


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
from click.testing import CliRunner
from cli import main
for words in ([], *([noun] for noun in main.NOUNS), ["campaigns", "create"]):
    assert CliRunner().invoke(main.root, [*words, "--help"]).exit_code == 0
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    assert python(script) == "[]\n"


def test_a_command_of_one_noun_imports_no_other() -> None:
    script = """
import sys
from click.testing import CliRunner
from cli import main
CliRunner().invoke(main.root, ["tokens", "--help"])
print([name for name in main.NOUNS if f"cli.commands.{name}" in sys.modules])
"""
    assert python(script) == "['tokens']\n"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("cadencia camp", ["campaigns"]), ("cadencia outbox re", ["relays", "resend"]), ("cadencia --q", ["--quiet"])],
)
def test_bash_completes_commands_and_options(cadencia: Run, tmp_path: Path, typed: str, expected: list[str]) -> None:
    script = tmp_path / "completion"
    script.write_text(cadencia("completion", "bash").stdout)
    words = typed.split()
    ask = (
        f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
        f'_cadencia_completion {ROOT}/cadencia; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    asked = subprocess.run(["bash", "-c", ask], env=BARE, capture_output=True, text=True, timeout=60, check=True)
    assert asked.stdout.split() == expected


def test_zsh_has_a_script_too(cadencia: Run) -> None:
    assert cadencia("completion", "zsh").stdout.startswith("#compdef cadencia")
