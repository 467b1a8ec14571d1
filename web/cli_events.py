"""Commands about events."""

from pathlib import Path

import click
from flask.cli import AppGroup

from web import process, spooled
from web.cli import plainly

events = AppGroup("events", help="Events: what came back about e-mails.")
GROUPS = (events,)


@events.command("spool")
@click.option("--take-in", is_flag=True, help="Store what processes left that are no more.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="The folder; SPOOL_DIR unless given.")
@plainly
def spool(take_in: bool, folder: Path | None) -> None:
    """List the files of hits that came while the database was away; --take-in stores those nobody else will.

    A web process takes in its own as soon as the database is back, and when it starts, what others left.

    \b
    flask --app web events spool
    flask --app web events spool --take-in
    """
    where = folder or process.current().settings.spool_dir
    if take_in:
        click.echo(f"{spooled.take_in(where)} events taken in")
    for path, size in spooled.waiting(where).items():
        click.echo(f"{path}\t{size} bytes")
