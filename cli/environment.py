"""Chooses the environment of a command: a named file, that of the process, or that of the running `make up`."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from cli import env_file, running
from cli.env_file import EnvironmentFault


@dataclass(frozen=True, slots=True)
class Environment:
    """Settings from one source; `source` names it in words."""

    source: str
    values: Mapping[str, str]


def use(named: Path | None, *, quiet: bool) -> None:
    """Load the settings of the chosen environment into this process, and name it on standard error.

    Settings that the process had from elsewhere are removed: two sources are never mixed.
    """
    import settings
    from engine import logs

    chosen = choose(named, process=os.environ, register=running.STATE)
    if not quiet:
        click.echo(f"cadencia: using {chosen.source}", err=True)
    if chosen.values is not os.environ:
        for name in [name for name in os.environ if _setting(name) in settings.Settings.model_fields]:
            del os.environ[name]
        os.environ.update(chosen.values)
    configured = settings.current()
    try:
        logs.set_up(configured)
    except OSError as error:
        raise EnvironmentFault(
            f"the log {configured.log_file} cannot be written ({error.strerror}): set LOG_FILE to a path that can be."
        ) from None


def choose(named: Path | None, *, process: Mapping[str, str], register: Path) -> Environment:
    """Return the environment to use: `named`, else `process` if it is complete, else that of the one `make up`.

    Raises EnvironmentFault if there is none, if it lacks required settings, or if several `make up`s run.
    """
    if named is not None:
        return Environment(f"the environment in {named}", _complete(env_file.read(named), named))
    missing = _missing(process)
    if not missing:
        return Environment(f"the environment of this process{_rather_than(register)}", process)
    present = [name for name in _required() if name not in missing]
    if present:
        raise EnvironmentFault(
            f"the environment of this process sets {_listed(present)} but not {_listed(missing)}: "
            "set all of them, unset those, or name a file with --env FILE."
        )
    return _of_make_up(register)


def _of_make_up(register: Path) -> Environment:
    running_now = running.installations(register)
    if not running_now:
        raise EnvironmentFault(_advice(register))
    if len(running_now) > 1:
        places = ", ".join(f"{each.path.parent} (process {each.pid})" for each in running_now)
        raise EnvironmentFault(
            f"{len(running_now)} installations are running, {places}: "
            f"choose one with its file, such as --env {running_now[0].path}."
        )
    [installation] = running_now
    _check_version(installation)
    return Environment(
        f"the environment of the running `make up`, {installation.path}",
        _complete(installation.values, installation.path),
    )


def _check_version(installation: running.Installation) -> None:
    import settings

    if installation.version != settings.VERSION:
        raise EnvironmentFault(
            f"the running `make up` (process {installation.pid}) is of version {installation.version}, "
            f"and this is {settings.VERSION}: stop it and start it again."
        )


def _advice(register: Path) -> str:
    if running.is_outdated(register):
        path = register / running.FILE_NAME
        return f"{path} was written by an older version: stop its `make up` if it runs, and start `make up` again."
    return (
        "no environment was found: start `make up` in another terminal, set the variables of .env.example, "
        "or name a file of them with --env FILE."
    )


def _rather_than(register: Path) -> str:
    """Return a hint if a running `make up` is passed over, which may not be what its user expects."""
    others = running.installations(register)
    return f", not of the running `make up` (for that one: --env {others[0].path})" if others else ""


def _complete(values: Mapping[str, str], path: Path) -> Mapping[str, str]:
    missing = _missing(values)
    if missing:
        raise EnvironmentFault(
            f"{path} lacks {_listed(missing)}, which this version needs: add what .env.example says of them."
        )
    return values


def _missing(values: Mapping[str, str]) -> list[str]:
    """Return the required settings that have no value, neither as NAME nor as NAME_FILE."""
    present = {_setting(name) for name, value in values.items() if value}
    return [name for name in _required() if name.lower() not in present]


def _required() -> list[str]:
    import settings

    return [name.upper() for name in settings.required()]


def _setting(name: str) -> str:
    """Return the setting that a variable belongs to; `settings` reads names in any case, and secrets from files."""
    return name.lower().removesuffix("_file") if name.lower() != "log_file" else "log_file"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def for_program(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program that this command starts: that of this process, and these variables."""
    return {**os.environ, **variables}
