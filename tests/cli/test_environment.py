"""The environment that a command uses, and the one sentence that it prints if there is none."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import settings
from cli import env_file, environment, running
from cli.env_file import EnvironmentFault
from tests.conftest import TEST_ENVIRONMENT

COMPLETE = {**TEST_ENVIRONMENT, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/process"}
OTHER = {**COMPLETE, "DATABASE_URL": "postgresql://cadencia:x@127.0.0.1:9/other"}
NOTHING = {"PATH": "/usr/bin"}


@pytest.fixture
def made() -> Iterator[ExitStack]:
    """Contexts that stay open during the test."""
    with ExitStack() as stack:
        yield stack


def up(made: ExitStack, state: Path, register: Path, version: str = settings.VERSION) -> Path:
    """The file of a running `make up`."""
    state.mkdir(exist_ok=True)
    return made.enter_context(running.published(state, OTHER, version=version, register=register))


def refusal(process: dict[str, str], register: Path, named: Path | None = None) -> str:
    with pytest.raises(EnvironmentFault) as refused:
        environment.choose(named, process=process, register=register)
    assert refused.value.exit_code == 2
    message = refused.value.message
    assert message.endswith(".") and "\n" not in message and ". " not in message
    return message


def test_a_named_file_comes_before_the_process_and_that_before_make_up(made: ExitStack, tmp_path: Path) -> None:
    path = up(made, tmp_path, tmp_path)
    named = tmp_path / "named.env"
    named.write_text(env_file.written(OTHER))
    by_name = environment.choose(named, process=COMPLETE, register=tmp_path)
    assert (by_name.values, by_name.source) == (OTHER, f"the environment in {named}")
    own = environment.choose(None, process=COMPLETE, register=tmp_path)
    assert own.values is COMPLETE
    assert own.source == f"the environment of this process, not of the running `make up` (for that one: --env {path})"
    local = environment.choose(None, process=NOTHING, register=tmp_path)
    assert local.source == f"the environment of the running `make up`, {path}"
    assert local.values.items() >= OTHER.items()


def test_the_file_of_make_up_is_private_and_removed_at_its_end(made: ExitStack, tmp_path: Path) -> None:
    path = up(made, tmp_path, tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert env_file.read(path)["CADENCIA_PID"] == str(os.getpid())
    made.close()
    assert list(tmp_path.rglob("*.env")) == []
    assert "start `make up`" in refusal(NOTHING, tmp_path)


def test_a_file_that_a_killed_make_up_left_is_not_used(tmp_path: Path) -> None:
    stamps = {"CADENCIA_VERSION": settings.VERSION, "CADENCIA_PID": "1"}
    (tmp_path / "local.env").write_text(env_file.written(OTHER | stamps))
    assert refusal(NOTHING, tmp_path).startswith("no environment was found: start `make up`")


def test_an_installation_of_another_version_is_reported(made: ExitStack, tmp_path: Path) -> None:
    (tmp_path / "local.env").write_text("DATABASE_URL=postgresql://x\nTOKEN=x\n")  # before files were stamped
    assert "was written by an older version: stop its `make up`" in refusal(NOTHING, tmp_path)
    up(made, tmp_path, tmp_path, version="0.0.1")
    assert f"is of version 0.0.1, and this is {settings.VERSION}: stop it and start it" in refusal(NOTHING, tmp_path)


def test_two_running_installations_are_reported(made: ExitStack, tmp_path: Path) -> None:
    first = up(made, tmp_path / "var", tmp_path / "var")
    second = up(made, tmp_path / "try", tmp_path / "var")
    message = refusal(NOTHING, tmp_path / "var")
    assert str(first.parent) in message and str(second.parent) in message and f"--env {first}" in message
    chosen = environment.choose(second, process=NOTHING, register=tmp_path / "var")
    assert chosen.values["DATABASE_URL"] == OTHER["DATABASE_URL"]


def test_an_incomplete_process_environment_is_not_mixed_with_another(made: ExitStack, tmp_path: Path) -> None:
    up(made, tmp_path, tmp_path)
    message = refusal({"database_url": "postgresql://x", "SMTP_URL": "smtp://x", "INDEX_KEY": ""}, tmp_path)
    assert "this process sets DATABASE_URL and SMTP_URL but not CELERY_BROKER_URL" in message
    from_file = {f"{name}_FILE" if name == "INDEX_KEY" else name: value for name, value in COMPLETE.items()}
    assert environment.choose(None, process=from_file, register=tmp_path).values is from_file


def test_a_file_without_a_required_setting_names_it(tmp_path: Path) -> None:
    named = tmp_path / "old.env"
    named.write_text(env_file.written({name: value for name, value in COMPLETE.items() if name != "INDEX_KEY"}))
    assert f"{named} lacks INDEX_KEY, which this version needs" in refusal(NOTHING, tmp_path, named)


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbfA=one two\r\n# a comment\r\n\r\nexport B=\'x $A # y\'\r\nC="1\\"2"\r\nD=x # y\r\nE=\r\n',
        b"A = one two\nexport   B = 'x $A # y'  # z\nC='1\"2'\n  D=x\nE=''",
    ],
)
def test_files_of_every_kind_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert env_file.read(tmp_path / ".env") == {"A": "one two", "B": "x $A # y", "C": '1"2', "D": "x", "E": ""}


def test_written_values_are_read_unchanged(tmp_path: Path) -> None:
    values = {"A": "it's", "B": "Cadencia <hola@cadencia.example>", "C": "\\'\"$x # y", "D": ""}
    (tmp_path / ".env").write_text(env_file.written(values))
    assert env_file.read(tmp_path / ".env") == values


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"A=1\r\n\r\nwhat is this\r\n", "line 3: does not read NAME=value"),
        (b"A=1\nB='open\n", "line 2: does not read NAME=value"),
        (b"A=\xff\n", "is not UTF-8 text"),
        ("A=1\n".encode("utf-16"), "is not UTF-8 text"),
        (b"A=\0\n", "is not UTF-8 text"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, fault: str) -> None:
    named = tmp_path / "bad.env"
    if content is not None:
        named.write_bytes(content)
    assert f"{named}: {fault}" in refusal(NOTHING, tmp_path, named)
