"""`cadencia audit`: the account of every e-mail."""

import click

from cli import groups


@click.group(cls=groups.Group)
def group() -> None:
    """Check that every e-mail is accounted for.

    \b
    Example:
      cadencia audit ledger
    """


@group.command()
def ledger() -> None:
    """Count all e-mails by status and report every inconsistency; status 1 if there is one.

    \b
    Example:
      cadencia audit ledger
    """
    from engine.delivery import audit
    from models.session import transaction

    with transaction() as session:
        account = audit.run(session)
    for status, count in account.statuses.items():
        click.echo(f"{count:>10}  {status}")
    click.echo(f"{account.total:>10}  accepted in all")
    for finding in account.findings:
        click.echo(f"inconsistent: {finding}", err=True)
    if not account.is_clean:
        raise click.exceptions.Exit(1)
    click.echo("clean: every e-mail is accounted for")
