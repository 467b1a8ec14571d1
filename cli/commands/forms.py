"""`cadencia forms`: sign-up forms."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import arguments, groups, terminal

if TYPE_CHECKING:
    from engine.forms.services import FormServices


@click.group(cls=groups.Group)
def group() -> None:
    """Create sign-up forms, and count their sign-ups.

    \b
    Examples:
      cadencia forms new guia.json
      cadencia forms list
      cadencia forms show guia-roi
    """


_slug = click.argument("slug")
_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@group.command("list")
def list_all() -> None:
    """List all forms: slug, state, submitted, confirmed, title.

    \b
    Example:
      cadencia forms list
    """
    from engine import figures
    from engine.forms import definitions, forms
    from models.session import transaction

    rows, after = [], ""
    while True:
        with transaction() as session:
            page = forms.page(session, after=after)
            counted = figures.submissions(session, [form.id for form in page])
            for form in page:
                states = counted[form.id]
                title = definitions.in_language(form.definition.title, "en")
                rows.append((form.definition.slug, form.state, sum(states.values()), states["confirmed"], title))
        if len(page) < forms.LIMIT:
            break
        after = page[-1].definition.slug
    terminal.table(("slug", "state", "submitted", "confirmed", "title"), rows, always_header=False)


@group.command()
@_slug
def show(slug: str) -> None:
    """Show the form SLUG: its address, its definition as JSON, and its submissions by state.

    \b
    Example:
      cadencia forms show guia-roi
    """
    import settings
    from engine import figures
    from engine.forms import forms
    from models.session import transaction

    with transaction() as session:
        form = forms.named(session, slug)
        states = figures.submissions(session, [form.id])[form.id]
    address = f"{settings.current().public_url.rstrip('/')}/f/{form.definition.slug}"
    click.echo(f"{address} is {form.state}")
    click.echo(
        f"{sum(states.values())} submitted, {states['confirmed']} confirmed, "
        f"{states['pending']} pending, {states['expired']} expired"
    )
    click.echo(f'on another site: <script src="{address}.js"></script>')
    click.echo(
        json.dumps(form.definition.stored() | {"notified": len(form.definition.notify)}, ensure_ascii=False, indent=2)
    )


@group.command()
@_file
def new(file: Path) -> None:
    """Create the form that FILE describes in JSON, as `POST /api/v1/forms` takes it; docs/forms.md has an example.

    \b
    Example:
      cadencia forms new guia.json
    """
    from engine import clock
    from engine.forms import forms
    from models.session import transaction

    services = _services()
    with transaction() as session:
        form = forms.create(session, arguments.json_object(file), services=services, now=clock.now())
    click.echo(f"form created: {services.url('/f/')}{form.definition.slug}")


@group.command()
@_slug
@_file
def change(slug: str, file: Path) -> None:
    """Replace the definition of the form SLUG by that in FILE. A changed consent text becomes a new version.

    \b
    Example:
      cadencia forms change guia-roi guia.json
    """
    from engine import clock
    from engine.forms import forms
    from models.session import transaction

    services = _services()
    with transaction() as session:
        forms.named(session, slug)
        forms.change(session, slug, arguments.json_object(file), services=services, now=clock.now())
    click.echo(f"form {slug} changed")


@group.command()
@_slug
def disable(slug: str) -> None:
    """Take no submissions by the form SLUG any more; links in e-mails that were sent work on.

    \b
    Example:
      cadencia forms disable guia-roi
    """
    _set_active(slug, False)


@group.command()
@_slug
def enable(slug: str) -> None:
    """Take submissions by the form SLUG again.

    \b
    Example:
      cadencia forms enable guia-roi
    """
    _set_active(slug, True)


def _set_active(slug: str, is_active: bool) -> None:
    from engine import clock
    from engine.forms import forms
    from models.session import transaction

    with transaction() as session:
        forms.named(session, slug)
        form = forms.set_active(session, slug, is_active, now=clock.now())
    click.echo(f"form {slug} is {form.state}")


def _services() -> "FormServices":
    import settings
    from engine.forms.services import FormServices

    return FormServices.configured(settings.current())
