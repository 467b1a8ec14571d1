"""`cadencia db`: the tables of the database."""

import click

from cli import groups
from errors import Conflict


@click.group(cls=groups.Group)
def group() -> None:
    """Create and upgrade the tables of the database.

    \b
    Examples:
      cadencia db state
      cadencia db upgrade
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
