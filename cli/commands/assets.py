"""`cadencia assets`: pictures for e-mails and pages."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli import groups, terminal

if TYPE_CHECKING:
    from engine.assets.assets import StoredAsset


@click.group(cls=groups.Group)
def group() -> None:
    """Upload pictures for e-mails and pages, list them, and delete those that nothing uses.

    \b
    Examples:
      cadencia assets add logo.png
      cadencia assets list
      cadencia assets remove https://correo.empresa.example/a/0123456789abcdef0123456789abcdef01234567.png
    """


@group.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add(files: tuple[Path, ...]) -> None:
    """Upload FILES: PNG, JPEG, GIF or WebP, up to 2 MB each. Prints the address of each; safe to repeat.

    Metadata such as the place of a photograph is left out.

    \b
    Example:
      cadencia assets add logo.png equipo.jpg
    """
    from engine import clock
    from engine.assets import assets
    from models.session import transaction

    for file in files:
        with transaction() as session:
            asset = assets.add(session, file.read_bytes(), file.name, account_id=None, now=clock.now())
        terminal.row(_url(asset), f"{asset.width}x{asset.height}", file.name)


@group.command("list")
def list_all() -> None:
    """List all pictures, the newest first: address, pixels, bytes, name.

    \b
    Example:
      cadencia assets list
    """
    from engine.assets import assets
    from models.session import transaction

    rows, before = [], None
    while True:
        with transaction() as session:
            page = assets.page(session, before=before)
        rows += [(_url(each), f"{each.width}x{each.height}", each.size_bytes, each.name) for each in page]
        if len(page) < assets.LIMIT:
            break
        before = page[-1].id
    terminal.table(("address", "pixels", "bytes", "name"), rows, always_header=False)


@group.command()
@click.argument("asset")
def remove(asset: str) -> None:
    """Delete the picture ASSET, given by its address or digest, if nothing uses it. Sent e-mails lose it, too.

    \b
    Example:
      cadencia assets remove 0123456789abcdef0123456789abcdef01234567
    """
    import settings
    from engine.assets import assets
    from models.session import transaction

    named = re.search(r"[0-9a-f]{40}", asset)
    digest = named[0] if named else asset
    with transaction() as session:
        assets.remove(session, digest, templates=settings.current().templates_dir)
    click.echo(f"asset {digest} deleted")


def _url(asset: "StoredAsset") -> str:
    import settings

    return f"{settings.current().public_url.rstrip('/')}{asset.path}"
