"""`cadencia campaigns`: sequences of up to three e-mails."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli import groups, terminal
from cli.commands import campaign_options

if TYPE_CHECKING:
    from engine.campaigns.enrollments import Enrolled
    from models.session import Session

_name = click.argument("name")


@click.group(cls=groups.Group)
def group() -> None:
    """Create, launch and watch campaigns: sequences of up to three e-mails.

    \b
    Examples:
      cadencia campaigns create Otoño --step email_1_roi --var link_calendly=https://calendly.example/ventas
      cadencia campaigns launch Otoño
      cadencia campaigns funnel Otoño
    """


@group.command()
@_name
@click.option(
    "--step", "steps", multiple=True, required=True, metavar="TEMPLATE[:DELAY]", help="In order, up to three."
)
@click.option("--window", default="00:00-24:00", show_default=True, help="The hours in which e-mails may be sent.")
@click.option("--weekdays", default="1234567", show_default=True, help="The days on which they may; 1 is Monday.")
@click.option("--timezone", default="UTC", show_default=True, help="The zone of the window, such as Europe/Madrid.")
@click.option("--industry", multiple=True, help="Only contacts of this industry; may be repeated.")
@click.option("--role", multiple=True, help="Only contacts with this role; may be repeated.")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of all its e-mails; may be repeated."
)
def create(name: str, steps: tuple[str, ...], window: str, weekdays: str, **options: tuple[str, ...]) -> None:
    """Create the campaign NAME as a draft; nothing is sent before it is launched.

    \b
    Examples:
      cadencia campaigns create Otoño --step email_1_roi --var link_calendly=https://calendly.example/ventas
      cadencia campaigns create Bancos --industry Banca --timezone Europe/Madrid --window 09:00-18:00 \\
          --weekdays 12345 --step email_1_roi --step email_2_caso:3d --step email_3_ultima_llamada:4d
    """
    import settings
    from engine import clock
    from engine.campaigns import campaigns
    from engine.campaigns.steps import StepDraft
    from engine.templates.templates import Library
    from models.session import transaction

    start, end = campaign_options.window(window)
    days = campaign_options.weekdays(weekdays)
    draft = campaigns.CampaignDraft(
        name=name,
        steps=[StepDraft(*campaign_options.step(step), start, end, days) for step in steps],
        timezone=str(options["timezone"]),
        audience={key: list(options[key]) for key in ("industry", "role") if options[key]},
        variables=dict(campaign_options.variable(variable) for variable in options["variables"]),
    )
    library = Library(settings.current().templates_dir, settings.current().hidden_link)
    with transaction() as session:
        campaign_id = campaigns.create(session, draft, library=library, now=clock.now())
    click.echo(f"campaign {name} created as a draft: {campaign_id}")


@group.command("list")
def list_newest() -> None:
    """List the newest campaigns with their id and state.

    \b
    Example:
      cadencia campaigns list
    """
    from engine.campaigns import campaigns
    from models.session import transaction

    with transaction() as session:
        views = campaigns.latest(session)
    for view in views:
        terminal.row(view.id, view.state, view.name)


@group.command()
@_name
def show(name: str) -> None:
    """Show the state and the steps of the campaign NAME (or its id).

    \b
    Example:
      cadencia campaigns show Otoño
    """
    from engine.campaigns import campaigns, steps
    from engine.templates import host_faults
    from models.session import transaction

    with transaction() as session:
        view = campaigns.view(session, _id(session, name))
        plan = steps.of(session, view.id)
        unusable = host_faults.current(session, [step.template for step in plan])
    click.echo(f"{view.name}: {view.state}{f' ({view.reason})' if view.reason else ''}, zone {view.timezone}")
    for step in plan:
        start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (step.window.start_min, step.window.end_min))
        days = "".join(map(str, sorted(step.window.weekdays)))
        click.echo(f"step {step.step}: {step.template}, {step.delay_s} s after, {start}-{end}, days {days}")
        for fault in (fault for fault in unusable if fault.template == step.template):
            click.echo(f"  cannot be used on {fault.host} since {fault.since:%Y-%m-%dT%H:%M:%SZ}: {fault.reason}")


@group.command()
@_name
def enroll(name: str) -> None:
    """Enroll the audience of the campaign NAME (or its id). Existing enrollments are not changed.

    \b
    Example:
      cadencia campaigns enroll Otoño
    """
    from engine import clock
    from engine.campaigns import enrollments
    from models.session import transaction

    with transaction() as session:
        campaign_id = _id(session, name)
        enrolled = enrollments.enroll(session, campaign_id, now=clock.now())
    _enroll_rest(campaign_id, enrolled)


@group.command()
@_name
def launch(name: str) -> None:
    """Start the campaign NAME (or its id). Its audience is enrolled first if nobody is enrolled yet.

    \b
    Example:
      cadencia campaigns launch Otoño
    """
    from engine import bell, clock
    from engine.campaigns import campaigns
    from models.session import transaction

    with transaction() as session:
        campaign_id = _id(session, name)
        enrolled = campaigns.launch(session, campaign_id, now=clock.now())
    click.echo(f"campaign {name} is running")
    if enrolled.total or not enrolled.is_complete:
        _enroll_rest(campaign_id, enrolled)
    else:
        bell.ring("sequence")


@group.command()
@_name
@click.option("--reason", required=True, help="The reason, which is shown with the campaign.")
def pause(name: str, reason: str) -> None:
    """Stop sending e-mails of the campaign NAME (or its id) until it is resumed.

    \b
    Example:
      cadencia campaigns pause Otoño --reason "the offer changed"
    """
    from engine import clock
    from engine.campaigns import campaigns
    from models.session import transaction

    with transaction() as session:
        campaigns.pause(session, _id(session, name), reason, now=clock.now())
    click.echo(f"campaign {name} is paused")


@group.command()
@_name
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
        campaigns.resume(session, _id(session, name), now=clock.now())
    bell.ring("campaign")
    bell.ring("sequence")
    click.echo(f"campaign {name} is running")


@group.command()
@_name
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
    from engine.campaigns import campaigns, enrollments
    from models.session import retrying, transaction

    with transaction() as session:
        campaign_id = _id(session, name)
    retried = enrollments.retry_all(retrying, campaign_id, reason, now=clock.now())
    bell.ring("campaign")
    kept = ", ".join(f"{count} {why}" for why, count in retried.kept.items()) or "none"
    click.echo(f"{retried.queued} e-mails queued again; still failed: {kept}")
    with transaction() as session:
        if campaigns.view(session, campaign_id).state == "paused":
            click.echo(f"campaign {name} is paused: resume it to send them")


@group.command()
@_name
def funnel(name: str) -> None:
    """Print the funnel of the campaign NAME (or its id), tab-separated: one line per step, then the stop reasons.

    \b
    Example:
      cadencia campaigns funnel Otoño
    """
    from engine.campaigns import funnel
    from models.session import transaction

    with transaction() as session:
        counts = funnel.of(session, _id(session, name))
    columns = list(funnel.StepCounts.__dataclass_fields__)
    terminal.row(*columns)
    for step in counts.steps:
        terminal.row(*(getattr(step, column) for column in columns))
    for state, contacts in counts.states.items():
        terminal.row(state, contacts)
    for reason, contacts in counts.stop_reasons.items():
        terminal.row(f"stopped because {reason}", contacts)


def _enroll_rest(campaign_id: UUID, first: "Enrolled") -> None:
    """Enroll the rest of a large audience and print the counts. Workers take part, and go on if this process ends."""
    from engine import bell
    from engine.campaigns import enrollments, funnel
    from models.session import retrying, transaction

    bell.ring("sequence")
    total, stopped = first.total, first.stopped
    if not first.is_complete:
        with transaction() as session:
            size = enrollments.audience_size(session, campaign_id)
        with terminal.progress("enrolling", size, "contacts") as advance:
            advance(total)
            while page := retrying(lambda session: enrollments.proceed(session, campaign_id)):
                advance(page.total)
        with transaction() as session:
            counts = funnel.of(session, campaign_id)
        total, stopped = counts.enrolled, counts.stop_reasons
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(stopped.items())) or "none"
    click.echo(f"{total} contacts enrolled, of them stopped: {reasons}")


def _id(session: "Session", name: str) -> UUID:
    """Return the id of the campaign that is named by its id or its name."""
    from engine.campaigns import campaigns

    try:
        return UUID(name)
    except ValueError:
        return campaigns.find(session, name)
