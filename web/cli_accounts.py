"""Commands about who may call the API: accounts and tokens."""

import sys
from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup

from engine.access import accounts as engine
from engine.access import bearer_tokens, scope_names
from errors import NotFound
from models.session import transaction
from web.cli import plainly

accounts = AppGroup("accounts", help="Accounts: the people and programs that may call the API.")
tokens = AppGroup("tokens", help="Tokens to call the API with.")
GROUPS = (accounts, tokens)

_password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@accounts.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("send",),
    show_default=True,
    type=click.Choice(scope_names.ALL),
    help="What it may do; may be repeated. `admin` may do everything.",
)
@_password_stdin
@plainly
def create(name: str, scopes: tuple[str, ...], password_stdin: bool) -> None:
    """Create the account NAME.

    \b
    flask --app web accounts create web-shop
    flask --app web accounts create web-shop --scope send --scope send:transactional
    pass show cadencia | flask --app web accounts create web-shop --password-stdin
    """
    password = _password(password_stdin)
    with transaction() as session:
        account = engine.create(session, name, password, scopes=scopes)
    click.echo(f"account {account.name} created, scopes: {', '.join(sorted(account.scopes))}")


@accounts.command("list")
@plainly
def show() -> None:
    """List the accounts.

    \b
    flask --app web accounts list
    """
    with transaction() as session:
        known = engine.listing(session)
    for account in known:
        state = f"disabled {account.disabled_at:%Y-%m-%d}" if account.disabled_at else "active"
        click.echo(f"{account.name}\t{state}\t{' '.join(sorted(account.scopes))}")


@accounts.command()
@click.argument("name")
@plainly
def disable(name: str) -> None:
    """Close the account NAME: it gets no new tokens, and within five seconds those it has stop working.

    \b
    flask --app web accounts disable web-shop
    """
    with transaction() as session:
        engine.disable(session, name, now=datetime.now(UTC))
    click.echo(f"account {name} disabled")


@accounts.command()
@click.argument("name")
@_password_stdin
@plainly
def password(name: str, password_stdin: bool) -> None:
    """Give the account NAME a new password; within five seconds every token made before stops working.

    \b
    flask --app web accounts password web-shop
    """
    fresh = _password(password_stdin)
    with transaction() as session:
        engine.set_password(session, name, fresh)
    click.echo(f"account {name} has a new password")


@tokens.command("create")
@click.argument("name")
@click.option("--hours", type=click.IntRange(1, 24 * 366), help="How long it lasts.  [default: TOKEN_HOURS, 24]")
@plainly
def create_token(name: str, hours: int | None) -> None:
    """Print an access token for the account NAME, and nothing else.

    \b
    flask --app web tokens create web-shop
    TOKEN=$(flask --app web tokens create web-shop --hours 720)
    """
    with transaction() as session:
        proof = engine.find(session, name)
    if proof is None or proof.profile.disabled_at is not None:
        raise NotFound("account: there is none of that name, or it is disabled")
    lasting = timedelta(hours=hours) if hours else None
    click.echo(bearer_tokens.issue(proof.profile, now=datetime.now(UTC), lasting=lasting).access)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed
