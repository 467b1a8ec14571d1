"""Click groups that import their commands on use, and commands that run in an environment."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from cli import terminal


class Command(click.Command):
    """A command that runs with the settings of an installation and reports expected errors in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Load the environment that the root command chose, then run."""
        with terminal.plain_errors():
            ctx.obj()
            return super().invoke(ctx)


class Group(click.Group):
    """The commands of one noun."""

    command_class = Command


class LazyGroup(click.Group):
    """A group of the groups in `package`: each is the attribute `group` of a module, which is imported on use."""

    def __init__(self, *arguments: Any, package: str, names: Sequence[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._names = names

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # the signature is click's
        """Return the names of the groups without importing them."""
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        """Import and return the group, or None if there is none of this name."""
        if cmd_name not in self._names:
            return None
        group: click.Command = import_module(f"{self._package}.{cmd_name}").group
        return group

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command. Click looks for the nearest name among imported commands only, so name all of them."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=self._names, ctx=ctx) from None
