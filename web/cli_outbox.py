"""Commands about messages: what is in doubt, and whether the ledger accounts for every one."""

from collections import Counter
from datetime import date, timedelta
from uuid import UUID

import click
from flask.cli import AppGroup

from engine import clock
from engine.campaigns import advance
from engine.delivery import audit as auditing
from engine.delivery import in_doubt as doubting
from engine.delivery.relays import carried, overview, recount
from engine.delivery.relays.daily_quota import Calendar
from errors import InvalidInput
from models import ids
from models.session import transaction
from web.cli import plainly

outbox = AppGroup("outbox", help="Messages on their way, and those in doubt.")
audit = AppGroup("audit", help="Whether everything adds up.")
GROUPS = (outbox, audit)


@outbox.command()
@click.option("--limit", default=100, show_default=True, help="How many to show at most.")
@plainly
def doubts(limit: int) -> None:
    """List the messages in doubt: handed over whole, but their server's answer was never read.

    Nearly all of them were delivered. `resend` sends one again under the same Message-ID, `close` settles it.

    \b
    flask --app web outbox doubts
    """
    with transaction() as session:
        pending = doubting.pending(session, limit=limit)
    for doubt in pending:
        since = f"{doubt.since:%Y-%m-%dT%H:%M:%SZ}" if doubt.since else "-"
        click.echo(f"{ids.public(doubt.email_id)}\t{doubt.lane}\t{doubt.template}\t{since}\t{doubt.response or ''}")
    click.echo(f"{len(pending)} in doubt", err=True)


@outbox.command()
@click.argument("email_id", nargs=-1, required=True)
@plainly
def resend(email_id: tuple[str, ...]) -> None:
    """Send messages in doubt once more, under the same Message-ID.

    \b
    flask --app web outbox resend email_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d
    """
    with transaction() as session:
        again = doubting.resend(session, _ids(email_id), now=clock.now())
    click.echo(f"{again} queued again, {len(email_id) - again} not in doubt")


@outbox.command()
@click.argument("email_id", nargs=-1, required=True)
@plainly
def close(email_id: tuple[str, ...]) -> None:
    """Settle messages in doubt as sent, so that their sequences go on.

    \b
    flask --app web outbox close email_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d
    """
    now = clock.now()
    with transaction() as session:
        settled = doubting.prove(session, _ids(email_id), now=now, reason="closed by an operator")
        advance.settled(session, settled, now=now)
    click.echo(f"{len(settled)} closed as sent, {len(email_id) - len(settled)} not in doubt")


@outbox.command()
@click.option("--try", "is_trying", is_flag=True, help="Connect to each, with TLS and credentials; no mail is sent.")
@plainly
def relays(is_trying: bool) -> None:
    """List the mail servers: their limits, how the sending processes stand with them, what they carried.

    `closed` works, `open` failed and is left alone for a while, `half-open` is to be tried again. With --try the
    status is 1 when one cannot be used.

    \b
    flask --app web outbox relays
    flask --app web outbox relays --try
    """
    if is_trying:
        _try_out()
        return
    known = overview.of_all(Calendar(lambda: clock.now().date(), _sent_on))
    with transaction() as session:
        taken = carried.since(session, clock.now() - timedelta(days=1))
    for relay in known:
        left = "" if relay.left_today is None else f"\t{relay.left_today} left today"
        click.echo(f"{relay.name}\t{_states(relay)}\t{relay.limits}{left}\t{taken.get(relay.name, 0)} in 24 h")
        for why in sorted({standing.why for standing in relay.standings if standing.why}):
            click.echo(f"\t{why}")


def _states(relay: overview.Overview) -> str:
    states = Counter(standing.state for standing in relay.standings)
    return ", ".join(f"{state} in {count}" for state, count in states.items()) or "not used of late"


def _try_out() -> None:
    has_failed = False
    for name, fault in overview.try_out():
        click.echo(f"{name}\t{fault or 'can be used'}")
        has_failed = has_failed or bool(fault)
    if has_failed:
        raise click.exceptions.Exit(1)


def _sent_on(day: date) -> int:
    with transaction() as session:
        return recount.sent_on(session, day)


@audit.command()
@plainly
def ledger() -> None:
    """Count every message by status and look for what does not add up; status 1 when something does not.

    \b
    flask --app web audit ledger
    """
    with transaction() as session:
        account = auditing.run(session)
    for status, count in account.statuses.items():
        click.echo(f"{count:>10}  {status}")
    click.echo(f"{account.total:>10}  accepted in all")
    for finding in account.findings:
        click.echo(f"does not add up: {finding}", err=True)
    if not account.is_clean:
        raise click.exceptions.Exit(1)
    click.echo("clean: every message is accounted for")


def _ids(given: tuple[str, ...]) -> list[UUID]:
    parsed = [(text, ids.parse(text)) for text in given]
    if wrong := [text for text, email_id in parsed if email_id is None]:
        raise InvalidInput.of("email_id", f"{wrong[0]!r} is no e-mail id; give email_<32 hex digits>")
    return [email_id for _, email_id in parsed if email_id is not None]
