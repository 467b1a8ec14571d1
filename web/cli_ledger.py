"""Commands about the tables and the templates."""

import click
from flask.cli import AppGroup

from errors import Conflict, InvalidInput
from models import migrations
from web import process
from web.cli import plainly

db = AppGroup("db", help="The tables of the ledger.")
templates = AppGroup("templates", help="The templates of the mails.")
GROUPS = (db, templates)


@db.command()
@plainly
def upgrade() -> None:
    """Bring the tables up to date; safe to run twice.

    \b
    flask --app web db upgrade
    """
    migrations.upgrade()
    click.echo(f"the ledger is at {migrations.state()[0]}")


@db.command()
@plainly
def state() -> None:
    """Tell whether the tables are up to date; status 1 when they are not.

    \b
    flask --app web db state
    """
    at, newest = migrations.state()
    if at != newest:
        raise Conflict(f"the ledger is at {at or 'nothing'}, the newest is {newest}: run `flask --app web db upgrade`")
    click.echo(f"the ledger is at {at}, the newest there is")


@templates.command("list")
@plainly
def names() -> None:
    """List the templates, each with the variables it needs; status 1 when one cannot be compiled.

    \b
    flask --app web templates list
    """
    library, broken = process.current().library, 0
    for name in library.names():
        try:
            needed = ", ".join(sorted(library.get(name).required))
            click.echo(f"{name}\t{needed}")
        except InvalidInput as error:
            broken += 1
            click.echo(f"{name}\tBROKEN: {error}", err=True)
    if broken:
        raise click.exceptions.Exit(1)
