"""The command line, `flask --app web …`; the groups listed here are its commands."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from flask import Flask

import errors

Command = TypeVar("Command", bound=Callable[..., Any])


def plainly(command: Command) -> Command:
    """Tell an error of ours as one plain line and end with status 1, instead of a traceback."""

    @wraps(command)
    def telling(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except errors.CadenciaError as error:
            raise click.ClickException(str(error)) from None

    return telling  # type: ignore[return-value]


def install(app: Flask) -> None:
    """Give `flask --app web` our commands."""
    from web import (  # here, because they import this module
        cli_accounts,
        cli_campaigns,
        cli_contacts,
        cli_events,
        cli_ledger,
        cli_outbox,
        cli_rejudge,
    )

    for room in (cli_accounts, cli_ledger, cli_campaigns, cli_contacts, cli_events, cli_outbox, cli_rejudge):
        for group in room.GROUPS:
            app.cli.add_command(group)
