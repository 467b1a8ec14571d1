"""The root of the command line: its options and its groups of commands."""

import sys
from functools import partial
from io import TextIOWrapper
from pathlib import Path

import click

from cli import environment, groups

NOUNS = ("accounts", "assets", "audit", "campaigns", "completion", "contacts", "db", "events", "forms", "inbound",
         "outbox", "pages", "status", "templates", "tokens")  # fmt: skip
_env_file = click.option(
    "--env",
    "env_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Read the settings from FILE, as in .env.example, and from nowhere else.",
)
_quiet = click.option("--quiet", "-q", is_flag=True, help="Do not say which environment is used.")


@click.group(cls=groups.LazyGroup, package="cli.commands", names=NOUNS, context_settings={"max_content_width": 100})
@_env_file
@_quiet
@click.pass_context
def root(context: click.Context, env_file: Path | None, quiet: bool) -> None:
    """Operate an installation of Cadencia.

    The settings come from --env FILE; without it from the environment of this process, if that sets all required
    ones; otherwise from the running `make up` of this checkout. One line on standard error names the source.

    \b
    Examples:
      cadencia campaigns list
      cadencia --env production.env audit ledger
      cadencia campaigns create --help
    """
    context.obj = partial(environment.use, env_file, quiet=quiet)


def main() -> None:
    """Run the command of this process's arguments, and exit with its status.

    A character that the locale of the terminal or file lacks is printed as a question mark.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    root(prog_name="cadencia")
