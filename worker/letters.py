"""From the settings to what makes and carries letters: the composer and the transport."""

from base64 import urlsafe_b64decode
from email.utils import parseaddr

import settings
from engine.delivery import smtp
from engine.messages import compose, templates
from engine.tracking import tokens


def composer() -> compose.Composer:
    """The composer of this process; its templates are compiled once, at their first use."""
    configured = settings.current()
    keys = [urlsafe_b64decode(key.get_secret_value()) for key in configured.tracking_keys]
    sender = compose.From(configured.mail_from, configured.reply_to, configured.public_url)
    return compose.Composer(templates.Library(configured.templates_dir), tokens.Signer(keys), sender)


def transport() -> smtp.Transport:
    """The way to the relay; opens its connections when they are needed."""
    configured = settings.current()
    limits = smtp.Limits(
        connections=configured.smtp_connections,
        messages_per_connection=configured.smtp_messages_per_connection,
        idle_s=configured.smtp_idle_s,
        connect_timeout_s=configured.smtp_connect_timeout_s,
        command_timeout_s=configured.smtp_command_timeout_s,
        dot_timeout_s=configured.smtp_dot_timeout_s,
    )
    return smtp.Transport(smtp.Relay.from_url(configured.smtp_url.get_secret_value()), limits)


def envelope_sender() -> str:
    """The address in MAIL FROM: where bounces go."""
    return parseaddr(settings.current().mail_from)[1]
