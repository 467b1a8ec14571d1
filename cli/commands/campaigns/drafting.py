"""Create campaigns, and show the stored ones."""

import click

from cli import terminal
from cli.commands.campaigns import named, options


@named.command()
@named.name
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
def create(name: str, steps: tuple[str, ...], window: str, weekdays: str, **others: tuple[str, ...]) -> None:
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

    start, end = options.window(window)
    days = options.weekdays(weekdays)
    draft = campaigns.CampaignDraft(
        name=name,
        steps=[StepDraft(*options.step(step), start, end, days) for step in steps],
        timezone=str(others["timezone"]),
        audience={key: list(others[key]) for key in ("industry", "role") if others[key]},
        variables=dict(options.variable(variable) for variable in others["variables"]),
    )
    library = Library.configured(settings.current())
    with transaction() as session:
        campaign_id = campaigns.create(session, draft, library=library, now=clock.now())
    click.echo(f"campaign {name} created as a draft: {campaign_id}")


@named.command("list")
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
    terminal.table(("id", "state", "name"), [(view.id, view.state, view.name) for view in views], always_header=False)


@named.command()
@named.name
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
        view = campaigns.view(session, named.find(session, name))
        plan = steps.of(session, view.id)
        unusable = host_faults.current(session, [step.template for step in plan])
    click.echo(f"{view.name}: {view.state}{f' ({view.reason})' if view.reason else ''}, zone {view.timezone}")
    for step in plan:
        after = "the launch" if step.step == 1 else f"step {step.step - 1}"
        delay = f"{terminal.duration(step.delay_s)} after {after}" if step.delay_s else f"at once after {after}"
        click.echo(f"step {step.step}: {step.template}, {delay}, {options.window_in_words(step.window)}")
        for fault in (fault for fault in unusable if fault.template == step.template):
            click.echo(f"  cannot be used on {fault.host} since {fault.since:%Y-%m-%dT%H:%M:%SZ}: {fault.reason}")


COMMANDS = (create, list_newest, show)
