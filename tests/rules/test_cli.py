"""Every command has help with an example, and the examples in help and docs are commands that exist."""

import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from cli import main
from tests.rules import programs, repository

CONTEXT = click.Context(main.root)


def commands(group: click.Group = main.root, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every group and command, the root too, by the words that call it."""
    yield path, group
    for name in group.list_commands(CONTEXT):
        command, words = group.get_command(CONTEXT, name), f"{path} {name}".strip()
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, words)
        else:
            yield words, command


def examples(text: str) -> list[str]:
    """The words of every `cadencia …` that a text shows; a line that ends in a backslash goes on."""
    joined = re.sub(r"\\+\n\s*", "", text)
    return re.findall(rf"(?<![\w-])cadencia ((?:--(?:env|quiet)\b|(?:{'|'.join(main.NOUNS)})\b)[^\n`|>)]*)", joined)


def test_every_noun_is_a_module_and_every_module_with_a_group_a_noun() -> None:
    folder = repository.ROOT / "cli" / "commands"
    names = [path.stem for path in (*folder.glob("[a-z]*.py"), *(each.parent for each in folder.glob("*/__init__.py")))]
    assert {name for name in names if hasattr(import_module(f"cli.commands.{name}"), "group")} == set(main.NOUNS)


def test_every_group_and_command_has_help_with_an_example_of_itself() -> None:
    described = list(commands())
    assert len(described) > 30
    for words, command in described:
        shown = examples(command.help or "")
        assert any(example.startswith(words) for example in shown), words
        for example in shown:
            programs.check(["cadencia", *shlex.split(example, comments=True)])


def test_every_option_of_a_command_is_explained() -> None:
    for words, command in commands():
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            assert option.help, f"{words} {option.name}"


def test_every_command_that_a_document_or_file_names_exists() -> None:
    named = 0
    for name, text in repository.texts(".md", ".yml", "Procfile", "Makefile", "Dockerfile").items():
        for call in examples(text):
            named += 1
            try:
                programs.check(["cadencia", *shlex.split(call, comments=True)])
            except (click.UsageError, AssertionError) as error:
                pytest.fail(f"{name}: `cadencia {call}`: {error}")
    assert named > 20


PROGRAMS = sorted(
    name[:-3].replace("/", ".").removesuffix(".__main__")
    for name, text in repository.texts(".py").items()
    if name.startswith("local/") and '__name__ == "__main__"' in text
)


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # of runpy: another test imported it
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_of_the_embedded_default_has_help_with_an_example(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(program, run_name="__main__", alter_sys=True)  # in this process: a new one takes a second
    assert ended.value.code in (None, 0)
    assert f"python -m {program}" in capsys.readouterr().out.partition("example")[2]
