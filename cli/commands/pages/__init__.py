"""`cadencia pages`: landing pages."""

import click

from cli import groups
from cli.commands.pages import reading, writing


@click.group(cls=groups.Group)
def group() -> None:
    """Write landing pages in files, publish them, and count their visits.

    \b
    Examples:
      cadencia pages new guia.json
      cadencia pages publish guia-roi
      cadencia pages show guia-roi
    """


for _command in (*reading.COMMANDS, *writing.COMMANDS):
    group.add_command(_command)
