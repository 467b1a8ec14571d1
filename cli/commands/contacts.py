"""`cadencia contacts`: the people who get e-mails."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli import arguments, groups, terminal
from errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from engine.engagement.by_hand import Person
    from models.session import Session

_contact = click.argument("contact")


@click.group(cls=groups.Group)
def group() -> None:
    """Import and find contacts, see what happened to one, and suppress, release, pause or erase one.

    \b
    Examples:
      cadencia contacts import leads.csv
      cadencia contacts explain ana@empresa.example
    """


@group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "mapping", multiple=True, metavar="NAME=MEANING", help="State what a column means; repeatable.")
@click.option("--encoding", metavar="NAME", help="Read the file in this encoding, such as cp1252, instead of guessing.")
@click.option("--dry-run", is_flag=True, help="Only report how the file is understood; store nothing.")
def import_file(file: Path, mapping: tuple[str, ...], encoding: str | None, dry_run: bool) -> None:
    """Import contacts from the CSV FILE; status 1 if some of its rows were refused.

    Takes exports of Excel, LibreOffice, Google Contacts, Outlook, Thunderbird, LinkedIn, Mailchimp, HubSpot, Salesforce
    and others as they are. Columns are recognised by their names, English or Spanish, and by content; unknown columns
    become attributes. Columns such as "Email Opt Out" or "Baja" suppress addresses, "Converted" ends sequences. Only a
    row without a valid address, or one that cannot be read, is refused. Importing a file again changes nothing.

    With --map, MEANING is email, first_name, last_name, industry, role, company, timezone, locale, opt_out, opt_in,
    status, converted, converted_at, the name of an attribute, or empty to leave the column out.

    \b
    Examples:
      cadencia contacts import leads.csv --dry-run
      cadencia contacts import leads.csv
      cadencia contacts import google.csv --map "E-mail 1 - Value=email" --map "Notes="
      cadencia contacts import antiguo.csv --encoding cp1252
    """
    from cli import import_output
    from engine import clock
    from engine.audience import imports
    from engine.audience.import_report import ImportReport
    from engine.engagement import file_imports
    from models.session import retrying

    report = ImportReport()
    label = "reading" if dry_run else "importing"
    with file.open("rb") as source, terminal.progress(label, file.stat().st_size, "bytes") as advance:
        position = 0
        for page in imports.pages(source, mapping=mapping, encoding=encoding):
            stored = retrying(partial(file_imports.store, page=page, now=clock.now(), dry_run=dry_run))
            report = report.plus(page, stored)
            advance(source.tell() - position)
            position = source.tell()
    import_output.show(file.name, report, dry_run=dry_run)
    if report.refused:
        raise click.exceptions.Exit(1)


@group.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The most contacts.")
def find(text: str, limit: int) -> None:
    """List the contacts whose name or company begins with TEXT, or show the one with the address TEXT.

    Case and accents do not count. Status 1 if there is none.

    \b
    Examples:
      cadencia contacts find "ana garcía"
      cadencia contacts find ana@empresa.example
    """
    from engine.audience.directory import contact_pages
    from models.session import transaction

    with transaction() as session:
        if "@" in text:
            rows = contact_pages.listed(session, [arguments.contact_id(session, text)])
        else:
            rows = tuple(contact_pages.first(session, contact_pages.Filter(text), limit))
    for contact in rows:
        name = " ".join(filter(None, (contact.first_name, contact.last_name))) or "-"
        state = contact.suppressed or contact.followup_status
        terminal.row(contact.id, contact.email or "-", name, contact.company or "-", state)
    if not rows:
        raise NotFound("contact: no name or company begins with this text")


@group.command()
@_contact
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day with e-mails again (UTC).")
def pause(contact: str, until: datetime) -> None:
    """Let marketing e-mails to CONTACT, given by id or address, wait until a day. Its sequences continue afterwards.

    \b
    Example:
      cadencia contacts pause ana@empresa.example --until 2027-01-15
    """
    from engine import clock
    from engine.engagement import by_hand
    from models.session import retrying

    if (end := until.replace(tzinfo=UTC)) <= (now := clock.now()):
        raise InvalidInput.of("--until", "give a day after today")
    retrying(lambda session: by_hand.pause(session, arguments.contact_id(session, contact), until=end, now=now))
    click.echo(f"marketing e-mails wait until {end:%Y-%m-%d %H:%M} UTC")


@group.command()
@_contact
def resume(contact: str) -> None:
    """End the pause of CONTACT, given by id or address: what waited for its end is due now.

    \b
    Example:
      cadencia contacts resume ana@empresa.example
    """
    from engine import bell, clock
    from engine.engagement import by_hand
    from models.session import retrying

    now = clock.now()
    retrying(lambda session: by_hand.pause(session, arguments.contact_id(session, contact), until=now, now=now))
    bell.ring("transactional")
    bell.ring("campaign")
    click.echo("marketing e-mails go out again")


@group.command()
@_contact
def show(contact: str) -> None:
    """Show the state, score and flags of CONTACT, given by id or address.

    \b
    Examples:
      cadencia contacts show 0199f3a0-5b7c-7d12-8e4f-1a2b3c4d5e6f
      cadencia contacts show ana@empresa.example
    """
    from engine.audience import contacts, suppressions
    from models.session import transaction

    with transaction() as session:
        view = contacts.view(session, arguments.contact_id(session, contact))
        reason = suppressions.suppressed(session, [view.id]).get(view.id)
    flags = ", ".join(name for name, is_set in view.flags.items() if is_set) or "none yet"
    terminal.row(view.id, view.followup_status, f"score {view.score}")
    if view.erased_at is not None:
        click.echo(f"erased: {view.erased_at:%Y-%m-%d %H:%M} UTC")
    elif view.email is None:
        click.echo("address: cannot be decrypted (a damaged row, or a key is missing in FERNET_KEYS)")
    click.echo(f"flags: {flags}")
    click.echo(f"converted: {view.converted_at or 'no'}")
    click.echo(f"suppressed: {reason or 'no'}")
    click.echo(f"in audiences: {f'since {view.listed_at:%Y-%m-%d}' if view.listed_at else 'no'}")


@group.command()
@_contact
def explain(contact: str) -> None:
    """Explain what happened to CONTACT, given by id or address, in each campaign, and why it stopped.

    \b
    Example:
      cadencia contacts explain ana@empresa.example
    """
    from engine import clock
    from engine.audience import contacts
    from engine.campaigns import explain
    from models.session import transaction

    with transaction() as session:
        contact_id = arguments.contact_id(session, contact)
        contacts.view(session, contact_id)
        journeys = explain.why(session, contact_id, now=clock.now())
    if not journeys:
        click.echo("The contact is in no campaign.")
    for journey in journeys:
        click.echo(f"{journey.campaign}: {journey.sentence}")
        for step in journey.steps:
            moments = {"sent": step.sent_at, "opened": step.opened_at, "clicked": step.clicked_at}
            dated = "".join(f", {word} {moment:%Y-%m-%d %H:%M}" for word, moment in moments.items() if moment)
            click.echo(f"  step {step.step} {step.template}: {step.status}{dated}")


@group.command()
@click.argument("address")
def add(address: str) -> None:
    """Let audiences include the contact with ADDRESS; it is created if it is unknown.

    A contact who is known from single sends only is in no audience before that, or before an import.

    \b
    Example:
      cadencia contacts add ana@empresa.example
    """
    from engine import clock
    from engine.audience import addresses, contacts
    from models.session import transaction

    with transaction() as session:
        normalised = addresses.normalise(address, field="ADDRESS")
        [contact_id] = contacts.ensure(session, [normalised], now=clock.now())
        contacts.set_listed(session, [contact_id], True, now=clock.now())
    click.echo(f"{contact_id} is listed: campaigns may include it")


@group.command()
@_contact
def suppress(contact: str) -> None:
    """Send no marketing e-mail to CONTACT any more, given by id or address; the address need not be a contact.

    \b
    Example:
      cadencia contacts suppress ana@empresa.example
    """
    from engine import clock
    from engine.engagement import by_hand
    from models.session import retrying

    stopped = retrying(lambda session: by_hand.suppress(session, _person(session, contact), now=clock.now()))
    click.echo(f"suppressed; {stopped} running sequences stopped")


@group.command()
@_contact
@click.option(
    "--even",
    type=click.Choice(["unsubscribed", "hard_bounce", "complaint"]),
    help="Release it although it is suppressed for this reason, which you know to be wrong.",
)
def release(contact: str, even: str | None) -> None:
    """End the suppression of CONTACT, given by id or address. Stopped sequences stay stopped.

    Only a suppression by hand is released without `--even`.

    \b
    Examples:
      cadencia contacts release ana@empresa.example
      cadencia contacts release ana@empresa.example --even hard_bounce
    """
    from engine import clock
    from engine.engagement import by_hand
    from models.session import retrying

    remaining = retrying(
        lambda session: by_hand.release(session, _person(session, contact), even=even, now=clock.now())
    )
    click.echo(f"still suppressed: {remaining}" if remaining else "released")


@group.command()
@_contact
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def erase(contact: str, yes: bool) -> None:
    """Erase the personal data of CONTACT, given by id or address. It cannot be undone.

    Address, details, variables and the data of events are erased. The counts stay, and the address stays suppressed.

    \b
    Example:
      cadencia contacts erase ana@empresa.example --yes
    """
    from engine import clock
    from engine.forms import people
    from models.session import retrying, transaction

    with transaction() as session:
        contact_id = arguments.contact_id(session, contact)
    if not yes:
        click.confirm("Erase the personal data of this contact for good?", abort=True, err=True)
    people.suppress_and_erase(retrying, contact_id, now=clock.now())
    click.echo(f"{contact_id}: personal data erased")


def _person(session: "Session", contact: str) -> "Person":
    """Return the person given by the id of a contact or by an address."""
    from engine.audience import addresses
    from engine.engagement import by_hand

    try:
        contact_id = UUID(contact)
    except ValueError:
        return by_hand.by_address(session, addresses.normalise(contact, field="CONTACT"))
    return by_hand.by_id(session, contact_id)
