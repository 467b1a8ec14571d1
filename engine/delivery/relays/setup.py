"""From the settings to the relays of a process."""

from uuid import uuid4

import settings
from engine.delivery import smtp
from engine.delivery.relays import config, domain_limits
from engine.delivery.relays.balancer import Relays
from engine.delivery.relays.config import Plan
from engine.delivery.relays.daily_quota import Calendar
from engine.delivery.relays.domain_limits import Domains
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.relay import Surroundings, Way
from engine.delivery.relays.shared_rate import Member
from engine.delivery.relays.status import Board


def plans() -> list[Plan]:
    """What SMTP_URL and SMTP_RELAYS say; raises InvalidInput naming the part at fault."""
    configured = settings.current()
    limits = smtp.Limits(
        connections=configured.smtp_connections,
        messages_per_connection=configured.smtp_messages_per_connection,
        idle_s=configured.smtp_idle_s,
        connect_timeout_s=configured.smtp_connect_timeout_s,
        command_timeout_s=configured.smtp_command_timeout_s,
        dot_timeout_s=configured.smtp_dot_timeout_s,
    )
    others = configured.smtp_relays.get_secret_value() if configured.smtp_relays else ""
    return config.read(configured.smtp_url.get_secret_value(), others, limits)


def store() -> Store:
    """Where the limits are shared: the broker's Redis."""
    return Store(settings.current().celery_broker_url.get_secret_value())


def relays(calendar: Calendar) -> Relays:
    """The relays of this process, which must have forked before; nothing is connected yet. Raises InvalidInput."""
    member = Member(uuid4().hex, settings.current().pace_senders)
    shared = store()
    around = Surroundings(shared, member, calendar)
    ways = [Way(each, around) for each in plans()]
    return Relays(ways, _domains(shared, member), Board(shared, member.name))


def check() -> None:
    """Raise InvalidInput if the settings of relays and limits cannot be used."""
    plans()
    domain_limits.read(settings.current().domain_limits)


def _domains(shared: Store, member: Member) -> Domains | None:
    limits = domain_limits.read(settings.current().domain_limits)
    return Domains(limits, shared, member) if limits else None
