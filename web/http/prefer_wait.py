"""Prefer: wait=N (RFC 7240, section 4.3): answer when the mail server has answered, after N seconds at most."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from uuid import UUID

from engine.delivery import outbox
from engine.delivery.transitions import DEFERRED
from models.session import transaction
from web import process

SECONDS_MAX = 30
_POLL_FIRST_S = 0.02
_POLL_LAST_S = 0.25
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


def seconds(prefer: str) -> int:
    """Return the seconds that the header asks to wait, at most 30; 0 if it does not ask."""
    wait = _WAIT.search(prefer)
    return min(int(wait.group(1)), SECONDS_MAX) if wait else 0


@contextmanager
def slot(asked_s: int) -> Iterator[bool]:
    """Yield True if this request may wait: at most a third of the threads may, so that the others stay free."""
    slots = process.current().wait_slots
    has_slot = asked_s > 0 and slots.acquire(blocking=False)
    try:
        yield has_slot
    finally:
        if has_slot:
            slots.release()


def outcome(email_id: UUID, *, within_s: float) -> outbox.EmailStatus | None:
    """Return the e-mail's status once a mail server has answered; None after `within_s` seconds.

    A temporary refusal and an e-mail in doubt are such answers, too, as nothing changes within seconds then. No
    transaction stays open between two polls.
    """
    deadline, pause_s = monotonic() + within_s, _POLL_FIRST_S
    while True:
        with transaction() as session:
            email = outbox.status(session, email_id)
        if not email.is_open or email.reason == DEFERRED:
            return email
        left_s = deadline - monotonic()
        if left_s <= 0:
            return None
        sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, _POLL_LAST_S)
