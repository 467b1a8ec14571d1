"""`cadencia templates`: the templates of e-mails."""

import click

from cli import groups
from cli.commands.templates import editing, looking


@click.group(cls=groups.Group)
def group() -> None:
    """Inspect the templates of e-mails, test them, and edit those in the database.

    \b
    Examples:
      cadencia templates list
      cadencia templates send email_1_roi --to lucia@empresa.example
      cadencia templates new oferta --from email_1_roi
    """


for _module in (looking, editing):
    for _command in _module.COMMANDS:
        group.add_command(_command)
