"""Create what a sender needs from the settings: the composer and the transport."""

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
    """Return a composer; it compiles each template once, at its first use."""
    configured = settings.current()
    keys = [urlsafe_b64decode(key.get_secret_value()) for key in configured.tracking_keys]
    sender = compose.From(configured.mail_from, configured.reply_to, configured.public_url)
    library = templates.Library(configured.templates_dir, configured.hidden_link)
    return compose.Composer(library, tokens.Signer(keys), sender)


def transport() -> Relays:
    """Return the transport to the relays, which connects when needed. Raises InvalidInput for wrong settings."""
    return balancer.create(Calendar(lambda: clock.now().date(), _sent_on))


def check() -> None:
    """Exit with status 2 if relays or limits are configured wrongly, with one line for each fault."""
    try:
        config.check()
    except InvalidInput as error:
        lines = "\n".join(f"{fault.field.upper()}: {fault.message}" for fault in error.faults)
        print(f"Cadencia cannot start:\n{lines}", file=sys.stderr)
        raise SystemExit(2) from None


def _sent_on(day: date) -> int:
    with transaction() as session:
        return daily_quota.sent_on(session, day)


def envelope_sender() -> str:
    """Return the address for MAIL FROM, which receives bounces."""
    return parseaddr(settings.current().mail_from)[1]
