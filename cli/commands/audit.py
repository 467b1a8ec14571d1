"""`cadencia audit`: an account of every e-mail."""

from typing import TYPE_CHECKING

import click

from cli import groups, terminal

if TYPE_CHECKING:
    from engine.delivery.audit import Checked


@click.group(cls=groups.Group)
def group() -> None:
    """Check that every e-mail is accounted for.

    \b
    Example:
      cadencia audit ledger
    """


@group.command()
@click.option("--limit", default=100, show_default=True, help="The largest number of findings to print for each check.")
def ledger(limit: int) -> None:
    """Count all e-mails by status and report every inconsistency; status 1 if there is one.

    \b
    Examples:
      cadencia audit ledger
      cadencia audit ledger --limit 10
    """
    from engine.delivery import audit
    from models.session import transaction

    inconsistencies = 0
    with transaction() as session, terminal.progress("auditing", len(audit.CHECKS) + 1, "checks") as advance:
        audit.begin(session)
        statuses = audit.statuses(session)
        advance(1)
        for checked in audit.checks(session, limit=limit):
            inconsistencies += checked.total
            _print(checked)
            advance(1)
    for status, count in statuses.items():
        click.echo(f"{count:>10}  {status}")
    click.echo(f"{sum(statuses.values()):>10}  accepted in all")
    if inconsistencies:
        raise click.exceptions.Exit(1)
    click.echo("clean: every e-mail is accounted for")


def _print(checked: "Checked") -> None:
    for finding in checked.findings:
        click.echo(f"inconsistent: {finding}", err=True)
    if checked.total > len(checked.findings):
        click.echo(f"inconsistent: {checked.name}: {checked.total - len(checked.findings)} more", err=True)
