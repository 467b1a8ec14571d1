"""`cadencia outbox`: the e-mails, those in doubt, and the relays that carry them."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import click

from cli import groups, terminal
from errors import InvalidInput, unknown

if TYPE_CHECKING:
    from engine.delivery.relays.status import Overview

_email_ids = click.argument("email_ids", metavar="EMAIL_ID…", nargs=-1, required=True)


@click.group(cls=groups.Group)
def group() -> None:
    """List the e-mails, settle those in doubt, and check the relays.

    \b
    Examples:
      cadencia outbox list --status failed
      cadencia outbox doubts
      cadencia outbox relays --try
    """


@group.command("list")
@click.option("--campaign", metavar="NAME", help="Those of this campaign.")
@click.option("--contact", metavar="CONTACT", help="Those to this contact, by address or id.")
@click.option("--status", help="Those with this status, such as sent or failed.")
@click.option("--template", help="Those of this template.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="The largest number to list.")
def list_all(campaign: str | None, contact: str | None, status: str | None, template: str | None, limit: int) -> None:
    """List e-mails, newest first: id, status, template, moment of sending, subject.

    \b
    Examples:
      cadencia outbox list --status failed
      cadencia outbox list --campaign Otoño --template email_2_caso --limit 20
      cadencia outbox list --contact ana@empresa.example
    """
    from cli import arguments
    from engine.campaigns import campaigns
    from engine.delivery import email_pages
    from models import ids
    from models.email import STATUSES
    from models.session import transaction

    if status is not None and status not in STATUSES:
        raise InvalidInput.of("--status", unknown(status, STATUSES))
    listed = 0
    with transaction() as session:
        wanted = email_pages.Filter(
            contact_id=None if contact is None else arguments.contact_id(session, contact),
            campaign_id=None if campaign is None else campaigns.find(session, campaign),
            status=status,
            template=template,
        )
        for email in email_pages.first(session, wanted, limit):
            sent = f"{email.sent_at:%Y-%m-%d %H:%M}" if email.sent_at else "-"
            terminal.row(ids.public(email.email_id), email.status, email.template, sent, email.subject or "")
            listed += 1
    click.echo(f"{listed} listed", err=True)


@group.command()
@click.argument("email_id")
def show(email_id: str) -> None:
    """Show the history of one e-mail: its status, its moments, the mail server's reply, its events.

    \b
    Example:
      cadencia outbox show email_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d
    """
    from engine.delivery import outbox
    from models.session import transaction

    [parsed] = _parsed([email_id])
    with transaction() as session:
        email = outbox.details(session, parsed)
    for name in ("status", "subject", "template", "kind", "contact_id", "campaign_id", "step", "accepted_at", "due_at",
                 "sent_at", "attempts", "reason", "response", "relay", "message_id"):  # fmt: skip
        value = getattr(email, name)
        if value is not None:
            terminal.row(name, f"{value:%Y-%m-%d %H:%M:%S %Z}" if isinstance(value, datetime) else value)
    for event in email.events:
        terminal.row("event", f"{event.timestamp:%Y-%m-%d %H:%M:%S %Z}", event.event_type, event.source)


@group.command()
@click.option("--limit", default=100, show_default=True, help="The largest number to list.")
def doubts(limit: int) -> None:
    """List the e-mails in doubt: transmitted whole, but the server's reply was not read.

    Nearly all of them were delivered. `resend` sends one again under the same Message-ID, `close` settles it as sent.

    \b
    Example:
      cadencia outbox doubts
    """
    from engine.delivery import in_doubt
    from models import ids
    from models.session import transaction

    with transaction() as session:
        pending = in_doubt.pending(session, limit=limit)
    for doubt in pending:
        since = f"{doubt.since:%Y-%m-%dT%H:%M:%SZ}" if doubt.since else "-"
        terminal.row(ids.public(doubt.email_id), doubt.lane, doubt.template, since, doubt.response or "")
    click.echo(f"{len(pending)} in doubt", err=True)


@group.command()
@_email_ids
def resend(email_ids: tuple[str, ...]) -> None:
    """Send e-mails in doubt again under the same Message-ID.

    \b
    Example:
      cadencia outbox resend email_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d
    """
    from engine import clock
    from engine.delivery import in_doubt
    from models.session import transaction

    with transaction() as session:
        queued = in_doubt.resend(session, _parsed(email_ids), now=clock.now())
    click.echo(f"{queued} queued again, {len(email_ids) - queued} not in doubt")


@group.command()
@_email_ids
def close(email_ids: tuple[str, ...]) -> None:
    """Settle e-mails in doubt as sent, so that their sequences continue.

    \b
    Example:
      cadencia outbox close email_0192f0c1d2e37a4b8c9d0e1f2a3b4c5d
    """
    from engine import clock
    from engine.campaigns import advance
    from models.session import transaction

    with transaction() as session:
        settled = advance.prove(session, _parsed(email_ids), now=clock.now(), reason="closed by an operator")
    click.echo(f"{len(settled)} closed as sent, {len(email_ids) - len(settled)} not in doubt")


@group.command()
@click.option(
    "--try", "is_trial", is_flag=True, help="Ask each to take an e-mail, with TLS and credentials; send none."
)
@click.option(
    "--to",
    default="postmaster@example.com",
    show_default=True,
    help="The recipient of that e-mail; not one of your own.",
)
def relays(is_trial: bool, to: str) -> None:
    """List the relays with their limits, their state in each sending process, and the e-mails of the last 24 hours.

    The state is that of a circuit breaker: `closed` works, `open` failed and is not used for a while, `half-open` is
    about to be tried. --try gives each relay MAIL and RCPT, and RSET instead of the message. Its status is 1 if a relay
    cannot be used.

    \b
    Examples:
      cadencia outbox relays
      cadencia outbox relays --try
      cadencia outbox relays --try --to ana@another.example
    """
    if is_trial:
        _try_all(to)
        return
    from engine import clock
    from engine.delivery.relays import status
    from engine.delivery.relays.daily_quota import Calendar
    from models.session import transaction

    relays = status.overview(Calendar(lambda: clock.now().date(), _sent_on))
    with transaction() as session:
        sent = status.sent_since(session, clock.now() - timedelta(days=1))
    for relay in relays:
        left = [] if relay.left_today is None else [f"{relay.left_today} left today"]
        terminal.row(relay.name, _states(relay), relay.limits, *left, f"{sent.get(relay.name, 0)} in 24 h")
        for reason in sorted({each.why for each in relay.statuses if each.why}):
            terminal.row("", reason)


def _states(relay: "Overview") -> str:
    states = Counter(status.state for status in relay.statuses)
    return ", ".join(f"{state} in {count}" for state, count in states.items()) or "not used recently"


def _try_all(recipient: str) -> None:
    from engine.delivery.relays import status

    has_failed = False
    for name, fault in status.check_connections(recipient):
        terminal.row(name, fault or "can be used")
        has_failed = has_failed or bool(fault)
    if has_failed:
        raise click.exceptions.Exit(1)


def _sent_on(day: date) -> int:
    from engine.delivery.relays import daily_quota
    from models.session import transaction

    with transaction() as session:
        return daily_quota.sent_on(session, day)


def _parsed(email_ids: Sequence[str]) -> list[UUID]:
    """Return the ids as UUIDs; InvalidInput names the first that is not an e-mail id."""
    from models import ids

    parsed = {text: ids.parse(text) for text in email_ids}
    if invalid := [text for text, email_id in parsed.items() if email_id is None]:
        raise InvalidInput.of("email_id", f"{invalid[0]!r} is not an e-mail id; give email_<32 hex digits>")
    return [email_id for email_id in parsed.values() if email_id is not None]
