"""`cadencia tokens`: access tokens for the API."""

from datetime import UTC, datetime, timedelta

import click

from cli import groups
from errors import Conflict


@click.group(cls=groups.Group)
def group() -> None:
    """Issue tokens that calls to the API carry.

    \b
    Example:
      cadencia tokens create web-shop
    """


@group.command()
@click.argument("name")
@click.option("--hours", type=click.IntRange(1, 24 * 366), help="How long it is valid.  [default: TOKEN_HOURS, 24]")
def create(name: str, hours: int | None) -> None:
    """Print an access token for the account NAME, and nothing else on standard output.

    \b
    Examples:
      cadencia tokens create web-shop
      TOKEN=$(cadencia tokens create web-shop --hours 720)
    """
    from engine.access import accounts, bearer_tokens
    from models.session import transaction

    with transaction() as session:
        account = accounts.find(session, name)
        if account is None:
            raise accounts.unknown(session, name)
    if account.profile.disabled_at is not None:
        raise Conflict(f"account: {name!r} is disabled, so it gets no token")
    lasting = timedelta(hours=hours) if hours else None
    click.echo(bearer_tokens.issue(account.profile, now=datetime.now(UTC), lasting=lasting).access)
