"""Commands about campaigns."""

from uuid import UUID

import click
from flask.cli import AppGroup

from engine import bell, clock
from engine.campaigns import campaigns as engine
from engine.campaigns import enrollments, steps
from engine.campaigns import funnel as funnels
from models.session import Session, transaction
from web import cli_options, process
from web.cli import plainly

campaigns = AppGroup("campaigns", help="Campaigns: follow-up sequences of up to three e-mails.")
GROUPS = (campaigns,)

_name = click.argument("name")


@campaigns.command()
@_name
@click.option(
    "--step", "wanted", multiple=True, required=True, metavar="TEMPLATE[:DELAY]", help="In order, up to three."
)
@click.option("--window", default="00:00-24:00", show_default=True, help="When in the day mails may go out.")
@click.option("--weekdays", default="1234567", show_default=True, help="On which days; 1 is Monday.")
@click.option("--timezone", default="UTC", show_default=True, help="Of the window, such as Europe/Madrid.")
@click.option("--industry", multiple=True, help="Only contacts of this industry; may be repeated.")
@click.option("--role", multiple=True, help="Only contacts with this role; may be repeated.")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="What all its mails share; may be repeated."
)
@plainly
def create(name: str, wanted: tuple[str, ...], window: str, weekdays: str, **options: tuple[str, ...]) -> None:
    """Draw up the campaign NAME; nothing is sent before it is launched.

    \b
    flask --app web campaigns create Otoño --step email_1_roi --var link_calendly=https://calendly.example/ventas
    flask --app web campaigns create Bancos --industry Banca --timezone Europe/Madrid --window 09:00-18:00 \\
        --weekdays 12345 --step email_1_roi --step email_2_caso:3d --step email_3_ultima_llamada:4d
    """
    opens, closes = cli_options.window(window)
    days = cli_options.weekdays(weekdays)
    draft = engine.CampaignDraft(
        name=name,
        steps=[steps.StepDraft(*cli_options.step(text), opens, closes, days) for text in wanted],
        timezone=str(options["timezone"]),
        audience={key: list(options[key]) for key in ("industry", "role") if options[key]},
        variables=dict(cli_options.variable(text) for text in options["variables"]),
    )
    with transaction() as session:
        campaign_id = engine.create(session, draft, library=process.current().library, now=clock.now())
    click.echo(f"campaign {name} drawn up: {campaign_id}")


@campaigns.command("list")
@plainly
def listing() -> None:
    """List the newest campaigns.

    \b
    flask --app web campaigns list
    """
    with transaction() as session:
        found = engine.latest(session)
    for view in found:
        click.echo(f"{view.id}\t{view.state}\t{view.name}")


@campaigns.command()
@_name
@plainly
def show(name: str) -> None:
    """Tell how the campaign NAME (or its id) stands.

    \b
    flask --app web campaigns show Otoño
    """
    with transaction() as session:
        view = engine.view(session, _id(session, name))
        plan = steps.of(session, view.id)
    click.echo(f"{view.name}: {view.state}{f' ({view.reason})' if view.reason else ''}, zone {view.timezone}")
    for step in plan:
        opens, closes = (f"{at // 60:02}:{at % 60:02}" for at in (step.window.start_min, step.window.end_min))
        days = "".join(map(str, sorted(step.window.weekdays)))
        click.echo(f"step {step.step}: {step.template}, {step.delay_s} s after, {opens}-{closes}, days {days}")


@campaigns.command()
@_name
@plainly
def enroll(name: str) -> None:
    """Enroll the audience of the campaign NAME (or its id); who is enrolled already stays as it is.

    \b
    flask --app web campaigns enroll Otoño
    """
    with transaction() as session:
        done = enrollments.enroll(session, _id(session, name), now=clock.now())
    bell.ring("sequence")
    stopped = ", ".join(f"{count} {reason}" for reason, count in done.stopped.items()) or "none"
    click.echo(f"{done.total} contacts enrolled, of them stopped: {stopped}")


@campaigns.command()
@_name
@plainly
def launch(name: str) -> None:
    """Start the campaign NAME (or its id); its audience is enrolled if nobody is yet.

    \b
    flask --app web campaigns launch Otoño
    """
    with transaction() as session:
        engine.launch(session, _id(session, name), now=clock.now())
    bell.ring("sequence")
    click.echo(f"campaign {name} is running")


@campaigns.command()
@_name
@click.option("--reason", required=True, help="Why; it is shown wherever the campaign is.")
@plainly
def pause(name: str, reason: str) -> None:
    """Send nothing more of the campaign NAME (or its id) until it is resumed.

    \b
    flask --app web campaigns pause Otoño --reason "the offer changed"
    """
    with transaction() as session:
        engine.pause(session, _id(session, name), reason, now=clock.now())
    click.echo(f"campaign {name} is paused")


@campaigns.command()
@_name
@plainly
def resume(name: str) -> None:
    """Go on with the campaign NAME (or its id).

    \b
    flask --app web campaigns resume Otoño
    """
    with transaction() as session:
        engine.resume(session, _id(session, name), now=clock.now())
    bell.ring("campaign")
    bell.ring("sequence")
    click.echo(f"campaign {name} is running")


@campaigns.command()
@_name
@plainly
def funnel(name: str) -> None:
    """Print the funnel of the campaign NAME (or its id): tab-separated, a line a step, then why contacts stopped.

    \b
    flask --app web campaigns funnel Otoño
    """
    with transaction() as session:
        counts = funnels.of(session, _id(session, name))
    columns = list(funnels.StepCounts.__dataclass_fields__)
    click.echo("\t".join(columns))
    for step in counts.steps:
        click.echo("\t".join(str(getattr(step, column)) for column in columns))
    for word, contacts in counts.states.items():
        click.echo(f"{word}\t{contacts}")
    for reason, contacts in counts.stop_reasons.items():
        click.echo(f"stopped because {reason}\t{contacts}")


def _id(session: Session, name: str) -> UUID:
    """The campaign that was named, by its id or by its name."""
    try:
        return UUID(name)
    except ValueError:
        return engine.find(session, name)
