"""`cadencia status`: the sweep and the lanes."""

import click

from cli import groups, terminal


@click.command(cls=groups.Command)
def group() -> None:
    """Show when the sweep last ran, and for each lane how much is due and when a sender last worked; 1 if late.

    A lane is late if e-mails are due for more than a minute and no sender has worked on it in the last minute.

    \b
    Example:
      cadencia status
    """
    import settings
    from engine import clock, heartbeats, lanes
    from models.session import transaction

    with transaction() as session:
        age_s = heartbeats.ages(session).get("sweep")
        read = lanes.read(session, now=clock.now(), clock_rate=settings.current().clock_rate)
    is_sweep_late = age_s is None or age_s > lanes.LATE.total_seconds()
    terminal.row("sweep", "late" if is_sweep_late else "on time", _ago("run", age_s))
    for lane in read:
        number = f"more than {lanes.COUNTED_MAX - 1}" if lane.due >= lanes.COUNTED_MAX else lane.due
        since = f"{number} due since {lane.since:%Y-%m-%dT%H:%M:%SZ}" if lane.since else "nothing due"
        terminal.row(lane.name, "late" if lane.is_late else "on time", since, _ago("worked on", lane.worked_s_ago))
    if is_sweep_late or any(lane.is_late for lane in read):
        raise click.exceptions.Exit(1)


def _ago(what: str, seconds: float | None) -> str:
    return f"not {what} in the last week" if seconds is None else f"{what} {seconds:.0f} s ago"
