"""List, show, print and test templates."""

from typing import TYPE_CHECKING

import click

from cli import arguments, groups, terminal
from cli.library import library
from errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from engine.previews.values import Values
    from engine.templates.templates import Library, Template
    from engine.templates.versions.history import Version

_name = click.argument("name")
_contact = click.option("--contact", help="Use the values of this contact, given by id or address.")
_campaign = click.option("--campaign", help="Use the variables of the campaign of this name.")


@click.command("list", cls=groups.Command)
def list_all() -> None:
    """List the templates: name, required variables, language, subject, source; status 1 if one does not compile.

    The source is `folder`, or like `version 3` the published version in the database, with that of a newer draft.

    \b
    Example:
      cadencia templates list
    """
    templates = library()
    stored = _stored(templates)
    broken = 0
    for name in sorted({*templates.folder_names(), *stored}):
        saved = stored.get(name)
        try:
            template = templates.pinned(name, (saved.published or saved.newest) if saved else None)
            required, language = ", ".join(sorted(template.required)), template.language or "-"
            terminal.row(name, required, language, template.subject_source, _source(saved))
        except InvalidInput as error:
            broken += 1
            click.echo(f"{name}\tBROKEN: {error}", err=True)
    if broken:
        raise click.exceptions.Exit(1)


@click.command(cls=groups.Command)
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

    configured = settings.current()
    template = library().existing(name)
    chosen = _values(template, contact, campaign)
    sender = compose.From(configured.mail_from, configured.reply_to, configured.public_url)
    shown = preview.of(template, chosen.variables, sender)
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


@click.command("preview", cls=groups.Command)
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

    template = library().existing(name)
    chosen = _values(template, contact, campaign)
    for missing in chosen.missing:
        click.echo(f"{missing} is missing; the sample stands in for it", err=True)
    click.echo(preview.html(template, chosen.variables).decode(), nl=False)


@click.command(cls=groups.Command)
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

    template = library().existing(name)
    variables = _values(template, contact, campaign).variables
    with transaction() as session:
        email_ids = sends.send(session, template, to, variables, now=clock.now())
    bell.ring(sends.LANE)
    for email_id in email_ids:
        terminal.row(ids.public(email_id), "queued")


def _stored(templates: "Library") -> "dict[str, Version]":
    """Return the templates in the database by name; none, after a warning, if it cannot be reached."""
    from engine.templates.versions import history
    from models.session import transaction

    try:
        with transaction() as session:
            stored = {each.name: each for each in history.every(session)}
    except Unavailable as down:
        click.echo(f"{down}; these are the templates of the folder", err=True)
        return {}
    for name in sorted(stored.keys() & set(templates.folder_names())):
        click.echo(f"{name}: the folder of this name is not used, but the template in the database", err=True)
    return stored


def _source(saved: "Version | None") -> str:
    if saved is None:
        return "folder"
    if saved.published is None:
        return f"draft {saved.newest}"
    return f"version {saved.published}" + (f", draft {saved.newest}" if saved.newest > saved.published else "")


def _values(template: "Template", contact: str | None, campaign: str | None) -> "Values":
    """Return the values of a contact and a campaign for a template, by default its sample."""
    from engine.campaigns import campaigns
    from engine.previews import values
    from models.session import transaction

    if contact is None and campaign is None:
        return values.sample(template)
    with transaction() as session:
        contact_id = arguments.contact_id(session, contact) if contact else None
        campaign_id = campaigns.find(session, campaign) if campaign else None
        return values.of(session, template, contact_id=contact_id, campaign_id=campaign_id)


COMMANDS = (list_all, show, print_html, send)
