"""`cadencia status`: the sweep, the lanes, the spool, templates that cannot be used, and files in quarantine."""

import click

from cli import groups, terminal


@click.command(cls=groups.Command)
def group() -> None:
    """Show the last sweep, the state of each lane, the spool of this host, and files in quarantine on all hosts.

    The status is 1 if anything is late, unusable or in quarantine. A lane is late if e-mails are due for more than a
    minute and no sender has worked on it in the last minute; the spool is late if an event waits for more than a
    minute. The e-mails of a template that senders of a host cannot use wait there. docs/operations.md says what to do.

    \b
    Example:
      cadencia status
    """
    import settings
    from engine import clock, heartbeats, lanes, quarantine
    from engine.ingest import spool
    from engine.templates import host_faults
    from models.session import transaction

    configured = settings.current()
    with transaction() as session:
        age_s = heartbeats.ages(session).get("sweep")
        read = lanes.read(session, now=clock.now(), clock_rate=configured.clock_rate)
        unusable = host_faults.current(session)
        contents = quarantine.recorded(session)
    is_sweep_late = age_s is None or age_s > heartbeats.LATE_S
    terminal.row("sweep", "late" if is_sweep_late else "on time", _ago("run", age_s))
    for lane in read:
        number = f"more than {lanes.COUNTED_MAX - 1}" if lane.due >= lanes.COUNTED_MAX else lane.due
        since = f"{number} due since {lane.since:%Y-%m-%dT%H:%M:%SZ}" if lane.since else "nothing due"
        terminal.row(lane.name, "late" if lane.is_late else "on time", since, _ago("worked on", lane.worked_s_ago))
    spool_s = spool.age_s(configured.spool_dir)
    is_spool_late = (spool_s or 0.0) > heartbeats.LATE_S
    waiting = "nothing waits" if spool_s is None else f"an event waits for {spool_s:.0f} s"
    terminal.row("spool", "late" if is_spool_late else "on time", waiting)
    for fault in unusable:
        since, retry_at = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (fault.since, fault.retry_at))
        terminal.row(fault.template, f"unusable on {fault.host} since {since}", f"next try {retry_at}", fault.reason)
    for each in contents:
        terminal.row("quarantine", each.host, each.folder, f"{each.files} files since {each.since:%Y-%m-%dT%H:%M:%SZ}")
    if contents or unusable or is_sweep_late or is_spool_late or any(lane.is_late for lane in read):
        raise click.exceptions.Exit(1)


def _ago(what: str, seconds: float | None) -> str:
    return f"not {what} in the last week" if seconds is None else f"{what} {seconds:.0f} s ago"
