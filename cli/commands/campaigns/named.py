"""The campaign that a command is about, by its id or its name."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli import groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.session import Session

name = click.argument("name")


def command(title: str | None = None) -> "Callable[[Callable[..., None]], click.Command]":
    """Return a decorator that makes a function a command; `title` replaces the function's name."""
    return click.command(title, cls=groups.Command)


def find(session: "Session", id_or_name: str) -> UUID:
    """Return the id of the campaign that is named by its id or its name; raises NotFound."""
    from engine.campaigns import campaigns

    try:
        return UUID(id_or_name)
    except ValueError:
        return campaigns.find(session, id_or_name)
