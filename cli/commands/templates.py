"""`cadencia templates`: the templates of e-mails."""

from typing import TYPE_CHECKING

import click

from cli import contact_argument, groups, terminal
from errors import InvalidInput

if TYPE_CHECKING:
    from engine.previews.values import Values
    from engine.templates.templates import Library, Template

_name = click.argument("name")
_contact = click.option("--contact", help="Use the values of this contact, given by id or address.")
_campaign = click.option("--campaign", help="Use the variables of the campaign of this name.")


@click.group(cls=groups.Group)
def group() -> None:
    """Inspect the templates of e-mails, preview one, and send a test of it.

    \b
    Examples:
      cadencia templates list
      cadencia templates send email_1_roi --to lucia@empresa.example
    """


@group.command("list")
def list_all() -> None:
    """List the templates: name, variables that it requires, language, subject; status 1 if one does not compile.

    \b
    Example:
      cadencia templates list
    """
    library = _library()
    broken = 0
    for name in library.names():
        try:
            template = library.get(name)
            terminal.row(name, ", ".join(sorted(template.required)), template.language or "-", template.subject_source)
        except InvalidInput as error:
            broken += 1
            click.echo(f"{name}\tBROKEN: {error}", err=True)
    if broken:
        raise click.exceptions.Exit(1)


@group.command()
@_name
@_contact
@_campaign
def show(name: str, contact: str | None, campaign: str | None) -> None:
    """Show the template NAME: subject, size, variables, links and text, and what is wrong with them.

    \b
    Examples:
      cadencia templates show email_1_roi
      cadencia templates show email_1_roi --contact ana@empresa.example --campaign Otoño
    """
    import settings
    from engine.messages import compose
    from engine.previews import preview

    configured, library = settings.current(), _library()
    template = library.existing(name)
    chosen = _values(template, contact, campaign)
    sender = compose.From(configured.mail_from, configured.reply_to, configured.public_url)
    shown = preview.of(library, name, chosen.variables, sender)
    terminal.row("subject", shown.subject)
    terminal.row("in the inbox", shown.inbox_line)
    terminal.row("language", template.language or "-")
    terminal.row("required variables", ", ".join(sorted(template.required)) or "none")
    if chosen.missing:
        terminal.row("missing", ", ".join(chosen.missing))
    if shown.octets:
        clipped = ", of which Gmail hides what exceeds 102 KB" if shown.octets > preview.CLIPPED_AT else ""
        terminal.row("size", f"{shown.octets / 1000:.1f} KB{clipped}")
    for fault in shown.faults:
        terminal.row("fault", f"{fault.field} {fault.message}")
    for link in shown.links:
        terminal.row("link", link.target, link.note or "-", link.words)
    click.echo(f"\n{shown.text}", nl=False)


@group.command("preview")
@_name
@_contact
@_campaign
def print_html(name: str, contact: str | None, campaign: str | None) -> None:
    """Print the HTML of the template NAME, without tracking.

    \b
    Example:
      cadencia templates preview email_1_roi > email.html
    """
    from engine.previews import preview

    template = _library().existing(name)
    chosen = _values(template, contact, campaign)
    for missing in chosen.missing:
        click.echo(f"{missing} is missing; the sample stands in for it", err=True)
    click.echo(preview.html(template, chosen.variables).decode(), nl=False)


@group.command()
@_name
@click.option("--to", multiple=True, required=True, metavar="ADDRESS", help="An address that gets it; repeatable.")
@_contact
@_campaign
def send(name: str, to: tuple[str, ...], contact: str | None, campaign: str | None) -> None:
    """Send tests of the template NAME to at most five addresses.

    Their subjects begin with [Prueba] or [Test]. They are in no count, are not tracked, and stop no sequence.

    \b
    Examples:
      cadencia templates send email_1_roi --to lucia@empresa.example
      cadencia templates send email_1_roi --to lucia@empresa.example --contact ana@empresa.example
    """
    from engine import bell, clock
    from engine.previews import sends
    from models import ids
    from models.session import transaction

    template = _library().existing(name)
    variables = _values(template, contact, campaign).variables
    with transaction() as session:
        email_ids = sends.send(session, template, to, variables, now=clock.now())
    bell.ring(sends.LANE)
    for email_id in email_ids:
        terminal.row(ids.public(email_id), "queued")


def _library() -> "Library":
    import settings
    from engine.templates.templates import Library

    return Library.configured(settings.current())


def _values(template: "Template", contact: str | None, campaign: str | None) -> "Values":
    from engine.campaigns import campaigns
    from engine.previews import values
    from models.session import transaction

    if contact is None and campaign is None:
        return values.sample(template)
    with transaction() as session:
        contact_id = contact_argument.read(session, contact) if contact else None
        campaign_id = campaigns.find(session, campaign) if campaign else None
        return values.of(session, template, contact_id=contact_id, campaign_id=campaign_id)
