"""`cadencia accounts`: who may call the API."""

import sys
from datetime import UTC, datetime

import click

from cli import groups, terminal
from engine.access import scope_names

_name = click.argument("name")
_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group(cls=groups.Group)
def group() -> None:
    """Manage accounts: the people and programs that may call the API.

    \b
    Examples:
      cadencia accounts create web-shop --scope send
      cadencia accounts list
    """


@group.command()
@_name
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("send",),
    show_default=True,
    type=click.Choice(scope_names.ALL),
    help="A permission of the account; may be repeated. `admin` includes all others.",
)
@_password_stdin
def create(name: str, scopes: tuple[str, ...], password_stdin: bool) -> None:
    """Create the account NAME.

    \b
    Examples:
      cadencia accounts create web-shop
      cadencia accounts create web-shop --scope send --scope send:transactional
      pass show cadencia | cadencia accounts create web-shop --password-stdin
    """
    from engine.access import accounts
    from models.session import transaction

    password = _read_password(password_stdin)
    with transaction() as session:
        account = accounts.create(session, name, password, scopes=scopes)
    click.echo(f"account {account.name} created, scopes: {', '.join(sorted(account.scopes))}")


@group.command("list")
def list_all() -> None:
    """List the accounts with their state and scopes.

    \b
    Example:
      cadencia accounts list
    """
    from engine.access import accounts
    from models.session import transaction

    with transaction() as session:
        profiles = accounts.listing(session)
    for account in profiles:
        state = f"disabled {account.disabled_at:%Y-%m-%d}" if account.disabled_at else "active"
        terminal.row(account.name, state, " ".join(sorted(account.scopes)))


@group.command()
@_name
def disable(name: str) -> None:
    """Disable the account NAME: it gets no new tokens, and its tokens stop working within five seconds.

    \b
    Example:
      cadencia accounts disable web-shop
    """
    from engine.access import accounts
    from models.session import transaction

    with transaction() as session:
        accounts.disable(session, name, now=datetime.now(UTC))
    click.echo(f"account {name} disabled")


@group.command()
@_name
@_password_stdin
def password(name: str, password_stdin: bool) -> None:
    """Set a new password for the account NAME; all its tokens stop working within five seconds.

    \b
    Example:
      cadencia accounts password web-shop
    """
    from engine.access import accounts
    from models.session import transaction

    new_password = _read_password(password_stdin)
    with transaction() as session:
        accounts.set_password(session, name, new_password)
    click.echo(f"account {name} has a new password")


@group.command()
@_name
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(scope_names.ALL),
    help="A permission of the account; may be repeated. The others are taken away.",
)
def scopes(name: str, scopes: tuple[str, ...]) -> None:
    """Replace the scopes of the account NAME: at once on its pages, within five seconds for its tokens.

    A token never has more scopes than when it was issued: for new ones, the program gets a new token.

    \b
    Example:
      cadencia accounts scopes ana --scope campaigns --scope reports
    """
    from engine.access import accounts
    from models.session import transaction

    with transaction() as session:
        account = accounts.set_scopes(session, name, scopes)
    click.echo(f"account {name} has the scopes {', '.join(sorted(account.scopes))}")


@group.command()
@_name
def reopen(name: str) -> None:
    """Open the closed account NAME again; its earlier tokens stay ended.

    \b
    Example:
      cadencia accounts reopen web-shop
    """
    from engine.access import accounts
    from models.session import transaction

    with transaction() as session:
        accounts.reopen(session, name)
    click.echo(f"account {name} is open")


@group.command("end-sessions")
@_name
def end_sessions(name: str) -> None:
    """End all sessions and tokens of the account NAME within five seconds; its password stays.

    \b
    Example:
      cadencia accounts end-sessions ana
    """
    from engine.access import accounts
    from models.session import transaction

    with transaction() as session:
        accounts.end_sessions(session, name)
    click.echo(f"all sessions and tokens of account {name} have ended")


@group.command()
@_name
@click.argument("zone", required=False)
def timezone(name: str, zone: str | None) -> None:
    """Set the time zone in which the account NAME sees moments on pages; UTC without ZONE.

    \b
    Example:
      cadencia accounts timezone ana Europe/Madrid
    """
    from engine.access import accounts
    from engine.audience import zones
    from models.session import transaction

    with transaction() as session:
        proof = accounts.find(session, name)
        if proof is None:
            raise accounts.unknown(session, name)
        chosen = proof.profile
        resolved = zones.resolve(zone) or zone if zone else None
        accounts.set_preferences(session, chosen.id, language=chosen.language, theme=chosen.theme, timezone=resolved)
    click.echo(f"account {name} sees moments in {resolved or 'UTC'}")


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
