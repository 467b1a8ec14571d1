"""Reads files of NAME=value lines, such as `.env`."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import NoReturn

import click


class EnvironmentFault(click.ClickException):
    """There is no environment that a command can use; the message is one sentence that says what to do."""

    exit_code = 2


def read(path: Path) -> dict[str, str]:
    """Return the variables of a file; EnvironmentFault if it cannot be read as a whole.

    A byte order mark, Windows line endings, quotes, comments and `export` are understood. `$NAME` stays as it is.
    """
    try:
        return _parsed(path, path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        _refuse(path, "is not UTF-8 text: save it as UTF-8")
    except OSError as error:
        _refuse(path, f"cannot be read ({error.strerror}): check its name and permissions, or choose another file")


def _parsed(path: Path, content: str) -> dict[str, str]:
    from dotenv import parser

    if "\0" in content:
        _refuse(path, "is not UTF-8 text: save it as UTF-8")
    values = {}
    for binding in parser.parse_stream(StringIO(content)):
        if binding.error or (binding.key and binding.value is None):
            blank_lines = len(binding.original.string) - len(binding.original.string.lstrip())
            line = binding.original.line + binding.original.string.count("\n", 0, blank_lines)
            _refuse(path, f"line {line}: does not read NAME=value: correct it or put # before it")
        if binding.key:
            values[binding.key] = binding.value or ""
    return values


def written(values: Mapping[str, str]) -> str:
    """Return the lines that `read` reads as these values."""
    return "".join(f"{name}='{_escaped(value)}'\n" for name, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _refuse(path: Path, fault: str) -> NoReturn:
    raise EnvironmentFault(f"{path}: {fault}.") from None
