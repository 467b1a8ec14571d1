"""Pause, resume, cancel and retry campaigns, and print their funnel."""

import click

from cli import terminal
from cli.commands.campaigns import named


@named.command()
@named.name
@click.option("--reason", help="The reason, which is shown with the campaign.")
def pause(name: str, reason: str | None) -> None:
    """Stop sending e-mails of the campaign NAME (or its id) until it is resumed.

    \b
    Example:
      cadencia campaigns pause Otoño --reason "the offer changed"
    """
    from engine import clock
    from engine.campaigns import campaigns
    from models.session import transaction

    with transaction() as session:
        campaigns.pause(session, named.find(session, name), reason, now=clock.now())
    click.echo(f"campaign {name} is paused")


@named.command()
@named.name
def resume(name: str) -> None:
    """Resume the paused campaign NAME (or its id).

    \b
    Example:
      cadencia campaigns resume Otoño
    """
    from engine import bell, clock
    from engine.campaigns import campaigns
    from models.session import transaction

    with transaction() as session:
        campaigns.resume(session, named.find(session, name), now=clock.now())
    bell.ring("campaign")
    bell.ring("sequence")
    click.echo(f"campaign {name} is running")


@named.command()
@named.name
@click.option("--reason", help="The reason, which is shown with the campaign.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def cancel(name: str, reason: str | None, yes: bool) -> None:
    """Cancel the draft, running or paused campaign NAME (or its id) for good. It asks first on a terminal.

    Nothing more of it is sent, except the few e-mails in flight. Its contacts are stopped.

    \b
    Example:
      cadencia campaigns cancel Otoño --reason "the offer ended"
    """
    from engine import bell, clock
    from engine.campaigns import campaigns
    from models.session import retrying, transaction

    if not yes and terminal.is_interactive():
        click.confirm(f"Cancel {name}? It cannot be resumed.", abort=True, err=True)
    with transaction() as session:
        campaigns.cancel(session, named.find(session, name), reason)
    bell.ring("sequence")
    while retrying(lambda session: campaigns.proceed_cancelling(session, now=clock.now())):
        pass
    click.echo(f"campaign {name} is cancelled")


@named.command()
@named.name
@click.option(
    "--reason", required=True, type=click.Choice(["refused", "expired"]), help="The reason of the failures to retry."
)
def retry(name: str, reason: str) -> None:
    """Send e-mails of the campaign NAME (or its id) again that failed because a mail server refused them.

    Their enrollments go back to the failed step; the next steps count from the moment it is sent. E-mails of stopped
    enrollments stay failed, and so do those of contacts who got a later step. Safe to repeat.

    \b
    Example:
      cadencia campaigns retry Otoño --reason refused
    """
    from engine import bell, clock
    from engine.campaigns import campaigns, retries
    from models.session import retrying, transaction

    with transaction() as session:
        campaign_id = named.find(session, name)
    retried = retries.retry_all(retrying, campaign_id, reason, now=clock.now())
    bell.ring("campaign")
    kept = ", ".join(f"{count} {why}" for why, count in retried.kept.items()) or "none"
    click.echo(f"{retried.queued} e-mails queued again; still failed: {kept}")
    with transaction() as session:
        if campaigns.view(session, campaign_id).state == "paused":
            click.echo(f"campaign {name} is paused: resume it to send them")


@named.command()
@named.name
def funnel(name: str) -> None:
    """Print the funnel of the campaign NAME (or its id), tab-separated: one line per step, then the stop reasons.

    \b
    Example:
      cadencia campaigns funnel Otoño
    """
    from engine.campaigns.reports import funnel
    from models.session import transaction

    with transaction() as session:
        counts = funnel.of(session, named.find(session, name))
    columns = list(funnel.StepCounts.__dataclass_fields__)
    terminal.table(columns, [[getattr(step, column) for column in columns] for step in counts.steps])
    for state, contacts in counts.states.items():
        terminal.row(state, contacts)
    for reason, contacts in counts.stop_reasons.items():
        terminal.row(f"stopped because {reason}", contacts)


COMMANDS = (pause, resume, cancel, retry, funnel)
