"""Create, edit, clone and delete campaigns, and show the stored ones."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from cli import terminal
from cli.commands.campaigns import named, options
from cli.library import library

if TYPE_CHECKING:
    from engine.campaigns.drafting.drafts import CampaignDraft


@named.command()
@named.name
@options.steps(required=True)
@options.content
def create(name: str, **values: Any) -> None:
    """Create the campaign NAME as a draft; nothing is sent before it is launched.

    \b
    Examples:
      cadencia campaigns create Otoño --step email_1_roi --var link_calendly=https://calendly.example/ventas
      cadencia campaigns create Bancos --industry Banca --timezone Europe/Madrid --window 09:00-18:00 \\
          --weekdays 12345 --step email_1_roi --step email_2_caso:3d --step email_3_ultima_llamada:4d
      cadencia campaigns create Guía --only-sign-ups --step email_1_roi --var link_calendly=https://calendly.example/v
    """
    from engine import clock
    from engine.campaigns.drafting import drafts
    from models.session import transaction

    draft = _changed(drafts.CampaignDraft(name, []), values)
    with transaction() as session:
        campaign_id = drafts.create(session, draft, library=library(), now=clock.now())
    click.echo(f"campaign {name} created as a draft: {campaign_id}")


@named.command()
@named.name
@click.option("--rename", metavar="NAME", help="A new name.")
@options.steps(required=False)
@options.content
@click.option("--unset", multiple=True, metavar="NAME", help="Remove a variable; may be repeated.")
def edit(name: str, rename: str | None, unset: tuple[str, ...], **values: Any) -> None:
    """Edit the draft NAME (or its id): what is given replaces what is stored.

    Steps, industries and roles replace all those that are stored; a window or weekdays hold for every step. Variables
    are added.

    \b
    Examples:
      cadencia campaigns edit Otoño --window 09:00-18:00 --weekdays 12345 --timezone Europe/Madrid
      cadencia campaigns edit Otoño --rename Otoño_2 --step email_1_roi --step email_2_caso:5d
    """
    from engine.campaigns import campaigns
    from engine.campaigns.drafting import drafts
    from models.session import transaction

    with transaction() as session:
        campaign_id = named.find(session, name)
        version = campaigns.view(session, campaign_id).version
        draft = _changed(drafts.of(session, campaign_id), values)
        variables = {key: value for key, value in draft.variables.items() if key not in unset}
        draft = replace(draft, name=rename or draft.name, variables=variables)
        drafts.edit(session, campaign_id, draft, version=version, library=library())
    click.echo(f"campaign {draft.name} is edited; it is still a draft")


@named.command()
@named.name
def clone(name: str) -> None:
    """Create a draft with the content of the campaign NAME (or its id), in any state.

    \b
    Example:
      cadencia campaigns clone Otoño
    """
    from engine import clock
    from engine.campaigns import campaigns
    from engine.campaigns.drafting import drafts
    from models.session import transaction

    with transaction() as session:
        campaign_id = drafts.clone(session, named.find(session, name), library=library(), now=clock.now())
        created = campaigns.view(session, campaign_id)
    click.echo(f"campaign {created.name} created as a draft: {campaign_id}")


@named.command()
@named.name
def delete(name: str) -> None:
    """Delete the draft NAME (or its id), in which nobody is enrolled. Cancel any other campaign.

    \b
    Example:
      cadencia campaigns delete Otoño_2
    """
    from engine.campaigns.drafting import drafts
    from models.session import transaction

    with transaction() as session:
        drafts.remove(session, named.find(session, name))
    click.echo(f"campaign {name} is deleted")


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
    from engine.audience import segments
    from engine.campaigns import campaigns, steps
    from engine.templates import host_faults
    from models.session import transaction

    with transaction() as session:
        view = campaigns.view(session, named.find(session, name))
        plan = steps.of(session, view.id)
        unusable = host_faults.current(session, [step.label for step in plan])
    click.echo(f"{view.name}: {view.state}{f' ({view.reason})' if view.reason else ''}, zone {view.timezone}")
    if segments.ONLY_SIGN_UPS in view.audience:
        click.echo("audience: only those who sign up by a form")
    for step in plan:
        after = "the launch" if step.step == 1 else f"step {step.step - 1}"
        delay = f"{terminal.duration(step.delay_s)} after {after}" if step.delay_s else f"at once after {after}"
        click.echo(f"step {step.step}: {step.label}, {delay}, {options.window_in_words(step.window)}")
        for fault in (fault for fault in unusable if fault.template == step.label):
            click.echo(f"  cannot be used on {fault.host} since {fault.since:%Y-%m-%dT%H:%M:%SZ}: {fault.reason}")


COMMANDS = (create, edit, clone, delete, list_newest, show)


def _changed(draft: "CampaignDraft", values: Mapping[str, Any]) -> "CampaignDraft":
    """Return the draft with the options that were given instead of its own content."""
    from engine.audience import segments
    from engine.campaigns.steps import StepDraft

    steps = [StepDraft(*options.step(step)) for step in values["steps"]] or draft.steps
    if values["window"]:
        start, end = options.window(values["window"])
        steps = [replace(step, window_start_min=start, window_end_min=end) for step in steps]
    if values["weekdays"]:
        steps = [replace(step, weekdays=options.weekdays(values["weekdays"])) for step in steps]
    conditions: dict[str, Any] = {key: list(values[key]) for key in ("industry", "role") if values[key]}
    audience = {} if values["only_sign_ups"] is not None else draft.audience
    if values["only_sign_ups"]:
        conditions[segments.ONLY_SIGN_UPS] = True
    variables = dict(options.variable(variable) for variable in values["variables"])
    return replace(
        draft,
        steps=steps,
        timezone=values["timezone"] or draft.timezone,
        audience={**audience, **conditions},
        variables={**draft.variables, **variables},
    )
