"""`cadencia status`: the sweep, the lanes, and templates that cannot be used."""

import click

from cli import groups, terminal


@click.command(cls=groups.Command)
def group() -> None:
    """Show when the sweep last ran, and for each lane how much is due and when a sender last worked; 1 if late.

    A lane is late if e-mails are due for more than a minute and no sender has worked on it in the last minute. A
    template that senders of a host cannot use is listed, too; its e-mails wait there, and the status is 1.

    \b
    Example:
      cadencia status
    """
    import settings
    from engine import clock, heartbeats, lanes
    from engine.templates import host_faults
    from models.session import transaction

    with transaction() as session:
        age_s = heartbeats.ages(session).get("sweep")
        read = lanes.read(session, now=clock.now(), clock_rate=settings.current().clock_rate)
        unusable = host_faults.current(session)
    is_sweep_late = age_s is None or age_s > lanes.LATE.total_seconds()
    terminal.row("sweep", "late" if is_sweep_late else "on time", _ago("run", age_s))
    for lane in read:
        number = f"more than {lanes.COUNTED_MAX - 1}" if lane.due >= lanes.COUNTED_MAX else lane.due
        since = f"{number} due since {lane.since:%Y-%m-%dT%H:%M:%SZ}" if lane.since else "nothing due"
        terminal.row(lane.name, "late" if lane.is_late else "on time", since, _ago("worked on", lane.worked_s_ago))
    for fault in unusable:
        since, retry_at = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (fault.since, fault.retry_at))
        terminal.row(fault.template, f"unusable on {fault.host} since {since}", f"next try {retry_at}", fault.reason)
    if is_sweep_late or unusable or any(lane.is_late for lane in read):
        raise click.exceptions.Exit(1)


def _ago(what: str, seconds: float | None) -> str:
    return f"not {what} in the last week" if seconds is None else f"{what} {seconds:.0f} s ago"
