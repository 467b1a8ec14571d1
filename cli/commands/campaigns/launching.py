"""Enroll contacts and launch campaigns."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli import terminal
from cli.commands.campaigns import named
from cli.library import library

if TYPE_CHECKING:
    from engine.campaigns.enrollments import Enrolled
    from engine.campaigns.reports.preflight import Preflight


@named.command()
@named.name
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
        campaign_id = named.find(session, name)
        enrolled = enrollments.enroll(session, campaign_id, now=clock.now())
    total, stopped = _enroll_rest(campaign_id, enrolled)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(stopped.items())) or "none"
    click.echo(f"{total} contacts enrolled, of them stopped: {reasons}")


@named.command()
@named.name
@click.option("--now", "starts_now", is_flag=True, help="Send step 1 now, without waiting for its window and delay.")
@click.option("--skip-received", is_flag=True, help="Leave out contacts who received one of its templates before.")
@click.option("--dry-run", is_flag=True, help="Only say what the launch would do.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before sending a template to somebody again.")
def launch(name: str, starts_now: bool, skip_received: bool, dry_run: bool, yes: bool) -> None:
    """Start the campaign NAME (or its id). Its audience is enrolled first, unless contacts were enrolled by hand.

    It reports how many contacts get e-mails, who is left out and why, and when the first e-mail goes out. If contacts
    received one of its templates before, it warns, and asks on a terminal.

    \b
    Examples:
      cadencia campaigns launch Otoño
      cadencia campaigns launch Otoño --dry-run
      cadencia campaigns launch Otoño --now --skip-received
    """
    from engine import clock
    from engine.campaigns import campaigns
    from engine.campaigns.drafting import drafts
    from engine.campaigns.reports import preflight
    from models.session import transaction

    now = clock.now()
    with transaction() as session:
        campaign_id = named.find(session, name)
        drafts.recheck(session, campaign_id, library())
        report = preflight.of(session, campaign_id, now=now, starts_now=starts_now, skips_received=skip_received)
    _warn(report, name, asks=not (dry_run or yes))
    if not dry_run:
        with transaction() as session:
            enrolled = campaigns.launch(
                session, campaign_id, now=now, starts_now=starts_now, skips_received=skip_received
            )
        _enroll_rest(campaign_id, enrolled)
    click.echo(f"campaign {name} {'would be launched' if dry_run else 'is running'}")
    for sentence in preflight.facts(report):
        click.echo(sentence)
    if report.is_waiting:
        start = f"launch {name} --now" if dry_run else f"start-now {name}"
        click.echo(f"To start now: cadencia campaigns {start}")


@named.command("start-now")
@named.name
def start_now(name: str) -> None:
    """Send step 1 of the running campaign NAME (or its id) now, outside its window and before its delay.

    It holds for a day, also for contacts enrolled meanwhile. Later steps keep their windows. Safe to repeat.

    \b
    Example:
      cadencia campaigns start-now Otoño
    """
    from engine import bell, clock
    from engine.campaigns import campaigns, enrollments
    from models.session import retrying, transaction

    now = clock.now()
    with transaction() as session:
        campaign_id = named.find(session, name)
        campaigns.start_now(session, campaign_id, now=now)
    contacts = enrollments.hasten_all(retrying, campaign_id, now=now)
    bell.ring("sequence")
    click.echo(f"step 1 goes out now; it was due later for {contacts} contacts")


COMMANDS = (enroll, launch, start_now)


def _warn(report: "Preflight", name: str, *, asks: bool) -> None:
    """Report templates that contacts received before; on a terminal, ask for a confirmation, and abort without it."""
    from engine.campaigns.reports import preflight

    if not report.received:
        return
    for sentence in preflight.warnings(report):
        click.echo(f"Warning: {sentence}", err=True)
    click.echo(f"To leave them out: cadencia campaigns launch {name} --skip-received", err=True)
    if asks and terminal.is_interactive():
        click.confirm("Send it to them again?", abort=True, err=True)


def _enroll_rest(campaign_id: UUID, first: "Enrolled") -> tuple[int, "dict[str, int]"]:
    """Enroll the rest of a large audience; return all counts. Workers take part, and go on if this process ends."""
    from engine import bell
    from engine.campaigns import enrollments
    from engine.campaigns.reports import funnel
    from models.session import retrying, transaction

    bell.ring("sequence")
    if first.is_complete:
        return first.total, dict(first.stopped)
    with transaction() as session:
        size = enrollments.audience_size(session, campaign_id)
    with terminal.progress("enrolling", size, "contacts") as advance:
        advance(first.total)
        while page := retrying(lambda session: enrollments.proceed(session, campaign_id)):
            advance(page.total)
    with transaction() as session:
        counts = funnel.of(session, campaign_id)
    return counts.enrolled, dict(counts.stop_reasons)
