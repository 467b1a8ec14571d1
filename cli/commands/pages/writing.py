"""Create, save and publish landing pages."""

from pathlib import Path

import click

from cli import arguments, groups

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_slug = click.argument("slug")


@click.command(cls=groups.Command)
@_file
def new(file: Path) -> None:
    """Create the landing page that FILE describes in JSON, as a draft; docs/landing_pages.md has an example.

    \b
    Example:
      cadencia pages new guia.json
    """
    from engine import clock
    from engine.landing import store
    from engine.landing.store import Change
    from models.session import transaction

    values = arguments.json_object(file)
    with transaction() as session:
        page = store.create(session, values.pop("slug", ""), values, change=Change(), now=clock.now())
    click.echo(f"page {page.slug} created as a draft; `cadencia pages publish {page.slug}` shows it to everybody")


@click.command(cls=groups.Command)
@_slug
@_file
@click.option("--expected", metavar="DIGEST", help="Refuse if this is not the digest of the newest version.")
def push(slug: str, file: Path, expected: str | None) -> None:
    """Save the content of FILE as the next version of the landing page SLUG, a draft.

    \b
    Example:
      cadencia pages push guia-roi guia.json
    """
    from engine import clock, edits
    from engine.landing import store
    from engine.landing.store import Change
    from models.session import transaction

    values = {name: value for name, value in arguments.json_object(file).items() if name != "slug"}
    change = Change(note=edits.note_of(file.name), expected=expected)
    with transaction() as session:
        page = store.save(session, store.named(session, slug).slug, values, change=change, now=clock.now())
    click.echo(f"page {page.slug} has version {page.version}; published is {page.published or 'none'}")


@click.command(cls=groups.Command)
@_slug
@click.option("--version", type=click.IntRange(min=1), help="Publish this version instead of the newest.")
@click.option("--off", is_flag=True, help="Take the page offline.")
def publish(slug: str, version: int | None, off: bool) -> None:
    """Publish the landing page SLUG, or take it offline. It warns of texts of the sample that nobody has replaced.

    \b
    Examples:
      cadencia pages publish guia-roi
      cadencia pages publish guia-roi --version 3
      cadencia pages publish guia-roi --off
    """
    from engine import clock
    from engine.landing import starters, store
    from models.session import transaction

    with transaction() as session:
        stored = store.named(session, slug).slug
        page = store.unpublish(session, stored) if off else store.publish(session, stored, version, now=clock.now())
        shown = store.by_slug(session, stored, page.published).content
    for warning in starters.warnings(shown.blocks) if page.published else []:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"page {page.slug} shows version {page.published}" if page.published else f"page {page.slug} is offline")


COMMANDS = (new, push, publish)
