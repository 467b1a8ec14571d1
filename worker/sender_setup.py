"""From the settings to what makes and carries messages: the composer and the transport."""

import sys
from base64 import urlsafe_b64decode
from datetime import date
from email.utils import parseaddr

import settings
from engine import clock
from engine.delivery.relays import balancer, config, daily_quota
from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.daily_quota import Calendar
from engine.messages import compose
from engine.templates import templates
from engine.tracking import tokens
from errors import InvalidInput
from models.session import transaction


def composer() -> compose.Composer:
    """The composer of this process; its templates are compiled once, at their first use."""
    configured = settings.current()
    keys = [urlsafe_b64decode(key.get_secret_value()) for key in configured.tracking_keys]
    sender = compose.From(configured.mail_from, configured.reply_to, configured.public_url)
    library = templates.Library(configured.templates_dir, configured.hidden_link)
    return compose.Composer(library, tokens.Signer(keys), sender)


def transport() -> Relays:
    """The way to the relays; opens its connections when they are needed. Raises InvalidInput."""
    return balancer.create(Calendar(lambda: clock.now().date(), _sent_on))


def check() -> None:
    """End a process whose relays or limits are set wrongly, with status 2 and each fault on a plain line."""
    try:
        config.check()
    except InvalidInput as refused:
        lines = "\n".join(f"{fault.field.upper()}: {fault.message}" for fault in refused.faults)
        print(f"Cadencia cannot start:\n{lines}", file=sys.stderr)
        raise SystemExit(2) from None


def _sent_on(day: date) -> int:
    with transaction() as session:
        return daily_quota.sent_on(session, day)


def envelope_sender() -> str:
    """The address in MAIL FROM: where bounces go."""
    return parseaddr(settings.current().mail_from)[1]
