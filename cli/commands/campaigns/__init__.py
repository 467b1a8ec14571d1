"""`cadencia campaigns`: sequences of up to three e-mails."""

import click

from cli import groups
from cli.commands.campaigns import drafting, launching, operating, watching


@click.group(cls=groups.Group)
def group() -> None:
    """Create, launch and watch campaigns: sequences of up to three e-mails.

    \b
    Examples:
      cadencia campaigns create Otoño --step email_1_roi --var link_calendly=https://calendly.example/ventas
      cadencia campaigns launch Otoño
      cadencia campaigns watch Otoño
    """


for _module in (drafting, launching, operating, watching):
    for _command in _module.COMMANDS:
        group.add_command(_command)
