"""Command lines, checked without running them: program, module and options exist."""

import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click

from cli import main
from tests.rules.repository import ROOT

_MODULES = ("celery", "granian")


def bare(command: list[str]) -> list[str]:
    """`sh -c 'A=… exec celery …'` as `celery …`, a path to a program as its name, `python -m celery` as `celery`."""
    if command[0] in ("sh", "bash"):
        command = shlex.split(command[2].partition("exec ")[2])
    while "=" in command[0] or command[0] in ("exec", "env"):
        command = command[1:]
    program, *arguments = command
    program = re.sub(r"python[\d.]*", "python", Path(program).name)
    return arguments[1:] if program == "python" and arguments[1] in _MODULES else [program, *arguments]


def queues(commands: Iterable[list[str]]) -> list[set[str]]:
    """The queues that each of the workers among these commands consumes."""
    return [set(command[command.index("-Q") + 1].split(",")) for command in commands if "-Q" in command]


def check(command: list[str]) -> None:
    """Raise AssertionError, or click's UsageError, when this command could not even start."""
    program, *arguments = command
    assert program in _CHECKS, f"{program} is not one of {', '.join(_CHECKS)}"
    _CHECKS[program](arguments)


def check_options(command: click.Command, arguments: list[str]) -> None:
    """Raise click's UsageError when the command does not know one of the arguments."""
    command.make_parser(click.Context(command)).parse_args(list(arguments))


def _cadencia(words: list[str]) -> None:
    command: click.Command | None = main.root
    while isinstance(command, click.Group):
        context = click.Context(command, allow_interspersed_args=False)
        _, words, _ = command.make_parser(context).parse_args(list(words))
        if not words:
            return
        name, *words = words
        command = command.get_command(context, name)
    assert command is not None, f"there is no command {name}"
    check_options(command, words)


def _celery(arguments: list[str]) -> None:
    celery = importlib.import_module("celery.bin.celery").celery
    given, (name, *rest), _ = celery.make_parser(click.Context(celery)).parse_args(list(arguments))
    assert given["app"] == ("worker.monitor" if name == "flower" else "worker")
    if name == "flower":
        importlib.import_module("flower.options")
        known = importlib.import_module("tornado.options").options
        unknown = [part for part in rest if part.partition("=")[0].removeprefix("--") not in known]
        assert unknown == []
    else:
        check_options(celery.commands[name], rest)


def _granian(arguments: list[str]) -> None:
    check_options(importlib.import_module("granian.cli").cli, arguments)
    [target] = [argument for argument in arguments if re.fullmatch(r"[\w.]+:\w+", argument)]
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def _python(arguments: list[str]) -> None:
    assert arguments[0] == "-m" and (ROOT / f"{arguments[1].replace('.', '/')}.py").exists(), arguments
    asked = [sys.executable, *arguments[:2], "--help"]
    shown = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert [option for option in arguments[2:] if option.startswith("--") and option not in shown] == []


_CHECKS: Mapping[str, Callable[[list[str]], None]] = {
    "cadencia": _cadencia,
    "celery": _celery,
    "granian": _granian,
    "python": _python,
}
