"""One sending process as domain limits see it, for their tests."""

import time
from collections.abc import Iterator, Mapping, Sequence

from engine.delivery.outcomes import Paced
from engine.delivery.relays import config
from engine.delivery.relays.config import DomainLimit
from engine.delivery.relays.domain_limits import Admission, DomainLimits
from engine.delivery.relays.redis_store import Store
from engine.delivery.relays.shared_rate import Sender
from models import ids


class Process:
    """A process with one limit; processes with the same `key` share it."""

    def __init__(self, url: str, limit: str, *, key: str = "", name: str = "x", senders: int = 4) -> None:
        (parsed,) = config.parse_domain_limits(limit)
        shared = DomainLimit((key or new_key(), *parsed.names), parsed.rate, parsed.connections)
        self.domains = DomainLimits([shared], Store(url), Sender(name, senders))

    def admission(
        self, addresses: Sequence[str], outcomes: Mapping[int, object], *, is_urgent: bool = False
    ) -> Admission:
        return self.domains.admission(addresses, outcomes, is_urgent=is_urgent)

    def group(self, addresses: Sequence[str], *, is_urgent: bool = False) -> tuple[list[int], dict[int, float]]:
        """Return the admitted slots of a group, each answered at once, and the waits of the others."""
        outcomes: dict[int, object] = {}
        admission = self.admission(addresses, outcomes, is_urgent=is_urgent)
        admitted = []
        for slot in admission:
            if slot is None:
                time.sleep(0.005)
            else:
                admitted.append(slot)
                outcomes[slot] = "sent"
        paced = admission.close()
        assert all(isinstance(outcome, Paced) for outcome in paced.values())
        return admitted, {slot: each.wait_s for slot, each in sorted(paced.items()) if isinstance(each, Paced)}


def new_key() -> str:
    """Return a domain that no other test uses."""
    return f"{ids.new().hex}.example"


def at_gmail(count: int) -> list[str]:
    return [f"A{number}@GMail.com" for number in range(count)]


def asked_again(admission: Admission) -> Iterator[int | None]:
    """Yield the next admitted slot, or None while there is none."""
    slots = iter(admission)
    while True:
        yield next(slots)
