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


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
