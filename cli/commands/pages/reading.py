"""List landing pages, and show one."""

import json

import click

from cli import groups, terminal

_DAYS = 30


@click.command("list", cls=groups.Command)
def list_all() -> None:
    """List all landing pages: slug, newest version, published version, title.

    \b
    Example:
      cadencia pages list
    """
    from engine.forms import definitions
    from engine.landing import store
    from models.session import transaction

    rows, after = [], ""
    while True:
        with transaction() as session:
            page = store.page(session, after=after)
        rows += [
            (each.slug, each.newest, each.published or "-", definitions.in_language(each.content.title, "es"))
            for each in page
        ]
        if len(page) < store.LIMIT:
            break
        after = page[-1].slug
    terminal.table(("slug", "version", "published", "title"), rows, always_header=False)


@click.command(cls=groups.Command)
@click.argument("slug")
@click.option("--version", type=click.IntRange(min=1), help="Show this version instead of the newest.")
def show(slug: str, version: int | None) -> None:
    """Show the landing page SLUG as JSON, as `push` takes it; its state and visits go to standard error.

    \b
    Examples:
      cadencia pages show guia-roi
      cadencia pages show guia-roi --version 3 > guia.json
    """
    from datetime import timedelta

    import settings
    from engine import clock
    from engine.landing import store, visits
    from models.session import transaction

    with transaction() as session:
        page = store.by_slug(session, store.named(session, slug).slug, version)
        counts = visits.totals(session, [page.id], since=clock.now() - timedelta(days=_DAYS))[page.id]
    address = f"{settings.current().public_url.rstrip('/')}/p/{page.slug}"
    state = f"shows version {page.published}" if page.published else "is not published"
    click.echo(f"{address} {state}; this is version {page.version} of {page.newest}, {page.digest}", err=True)
    click.echo(
        f"in {_DAYS} days {counts.views} views and {counts.machine_views} by machines, "
        f"{counts.submissions} submissions, {counts.confirmations} confirmed",
        err=True,
    )
    click.echo(json.dumps({"slug": page.slug, **page.content.stored()}, ensure_ascii=False, indent=2))


COMMANDS = (list_all, show)
