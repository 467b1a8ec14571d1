"""Every command has help with an example, and the examples in help and docs are commands that exist."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

import settings
import web
from tests.conftest import environment
from tests.rules import repository
from tests.rules.conftest import ENVIRONMENT
from tests.rules.programs import check_options

PREFIX = "flask --app web "
NOT_OURS = {"run", "routes", "shell", "openapi"}  # of Flask and flask-openapi3


@pytest.fixture(scope="module")
def cli() -> Iterator[click.Group]:
    with environment(**ENVIRONMENT):
        yield web.create_app(settings.load()).cli


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """(how it is called, the command) for every command of ours below `group`."""
    for name, command in group.commands.items():
        called = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, called)
        elif called not in NOT_OURS:
            yield called, command


def examples(text: str) -> list[str]:
    """The calls of `flask --app web …` in a text; a line that ends in a backslash goes on."""
    joined = re.sub(r"\\+\n\s*", "", text)
    return re.findall(rf"{PREFIX}([a-z][^\n`|>)]*)", joined)


def check(cli: click.Group, call: str) -> None:
    """Raise UsageError or KeyError when this call would be refused for its form."""
    words = shlex.split(call, comments=True)
    if words[-1] == "…":  # the text speaks of all commands
        return
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        command = command.commands[words.pop(0)]
    check_options(command, words)


def test_every_command_has_help_with_an_example_of_itself(cli: click.Group) -> None:
    found = list(commands(cli))
    assert len(found) > 15
    for called, command in found:
        shown = examples(command.help or "")
        assert shown and any(example.startswith(called) for example in shown), called
        for example in shown:
            check(cli, example)


def test_every_option_of_a_command_is_explained(cli: click.Group) -> None:
    for called, command in commands(cli):
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            assert option.help, f"{called} {option.name}"


def test_every_flask_command_that_a_document_or_file_names_exists(cli: click.Group) -> None:
    named = 0
    for name, text in repository.texts(".md", "Procfile", "Makefile", "Dockerfile").items():
        for call in examples(text):
            named += 1
            try:
                check(cli, call)
            except (click.UsageError, KeyError) as error:
                pytest.fail(f"{name}: `{PREFIX}{call}`: {error}")
    assert named > 20


PROGRAMS = sorted(
    name[:-3].replace("/", ".").removesuffix(".__main__")
    for name, text in repository.texts(".py").items()
    if name.startswith("local/") and '__name__ == "__main__"' in text
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_of_the_embedded_default_has_help_with_an_example(program: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", program, "--help"], cwd=repository.ROOT, capture_output=True, text=True, timeout=60
    )
    assert asked.returncode == 0, asked.stderr
    assert f"python -m {program}" in asked.stdout.partition("example")[2]
