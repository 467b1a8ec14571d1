"""Commands about contacts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import click
from flask.cli import AppGroup
from rich import progress

from engine import clock
from engine.audience import addresses, imports, suppressions
from engine.audience import contacts as engine
from engine.campaigns import explain as explanations
from errors import NotFound
from models.session import Session, retrying, transaction
from web.cli import plainly

contacts = AppGroup("contacts", help="Contacts: the people mails go to.")
GROUPS = (contacts,)

_who = click.argument("who", metavar="CONTACT")


@contacts.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plainly
def take_in(file: Path) -> None:
    """Import contacts from the CSV FILE; status 1 when some of its rows were refused.

    Columns may be called in English or Spanish (email or correo, nombre, apellidos, sector, cargo, empresa, …);
    unknown ones become attributes. Separated by commas, semicolons or tabs. The good rows are imported, and the
    bad ones are listed. Importing again changes nothing.

    \b
    flask --app web contacts import leads.csv
    """
    report = imports.ImportReport()
    with _watched(file) as source:
        for page in imports.pages(source):
            stored = retrying(partial(imports.store, page=page, now=clock.now()))
            report = report.plus(page, stored)
            if not sys.stderr.isatty():
                click.echo(f"{report.rows} rows read", err=True)
    _tell(report)
    if report.refused:
        raise click.exceptions.Exit(1)


@contacts.command()
@_who
@plainly
def show(who: str) -> None:
    """Tell what is known of CONTACT, by id or address.

    \b
    flask --app web contacts show 0199f3a0-5b7c-7d12-8e4f-1a2b3c4d5e6f
    flask --app web contacts show ana@empresa.example
    """
    with transaction() as session:
        view = engine.view(session, _id(session, who))
        reason = suppressions.suppressed(session, [view.id]).get(view.id)
    done = ", ".join(name for name, is_set in view.flags.items() if is_set) or "nothing yet"
    click.echo(f"{view.id}\t{view.followup_status}\tscore {view.score}")
    click.echo(f"flags: {done}")
    click.echo(f"converted: {view.converted_at or 'no'}")
    click.echo(f"suppressed: {reason or 'no'}")


@contacts.command()
@_who
@plainly
def explain(who: str) -> None:
    """Tell what happened to CONTACT, by id or address, in each campaign, and why it stopped.

    \b
    flask --app web contacts explain ana@empresa.example
    """
    with transaction() as session:
        contact_id = _id(session, who)
        engine.view(session, contact_id)
        journeys = explanations.why(session, contact_id, now=clock.now())
    if not journeys:
        click.echo("The contact is in no campaign.")
    for journey in journeys:
        click.echo(f"{journey.campaign}: {journey.sentence}")
        for step in journey.steps:
            moments = {"sent": step.sent_at, "opened": step.opened_at, "clicked": step.clicked_at}
            told = "".join(f", {word} {moment:%Y-%m-%d %H:%M}" for word, moment in moments.items() if moment)
            click.echo(f"  step {step.step} {step.template}: {step.status}{told}")


def _id(session: Session, who: str) -> UUID:
    """The contact that was named, by id or address."""
    try:
        return UUID(who)
    except ValueError:
        found = engine.find(session, addresses.normalise(who, field="CONTACT"))
    if found is None:
        raise NotFound("contact: there is none with this address")
    return found


@contextmanager
def _watched(file: Path) -> Iterator[BinaryIO]:
    """The file, opened; on a terminal with a bar that shows how much of it is read."""
    if not sys.stderr.isatty():
        with file.open("rb") as source:
            yield source
        return
    bar = progress.Progress(*progress.Progress.get_default_columns(), transient=True)
    with bar, bar.open(file, "rb", description="Importing") as source:
        yield source


def _tell(report: imports.ImportReport) -> None:
    for told in sorted((*report.faults, *report.notes), key=lambda each: each.line):
        click.echo(f"line {told.line}, {told.field}: {told.message}", err=True)
    counts = ("rows", "created", "updated", "unchanged", "duplicates", "refused", "suppressed")
    click.echo(", ".join(f"{getattr(report, name)} {name}" for name in counts))
