"""Prefer: wait=N (RFC 7240, section 4.3): answer when the mail server has, but after N seconds at the latest."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from uuid import UUID

from engine.delivery import outbox
from models.session import transaction
from web import process

SECONDS_MAX = 30
_POLL_FIRST_S = 0.02
_POLL_LAST_S = 0.25
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


def seconds(prefer: str) -> int:
    """How long the header asks to wait, 30 at most; 0 when it does not ask."""
    asked = _WAIT.search(prefer)
    return min(int(asked.group(1)), SECONDS_MAX) if asked else 0


@contextmanager
def place(asked_s: int) -> Iterator[bool]:
    """Whether this call may wait: at most a third of the threads do, so that the others go on answering."""
    waiting = process.current().waiting
    taken = asked_s > 0 and waiting.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            waiting.release()


def outcome(email_id: UUID, *, within_s: float) -> outbox.Standing | None:
    """What became of the e-mail, as soon as it is decided; None when it is not after `within_s` seconds.

    A temporary refusal decides nothing, and neither does doubt. No transaction is open between two looks.
    """
    deadline, pause_s = monotonic() + within_s, _POLL_FIRST_S
    while True:
        with transaction() as session:
            standing = outbox.standing(session, email_id)
        if not standing.is_open and standing.status != "in_doubt":
            return standing
        left_s = deadline - monotonic()
        if left_s <= 0:
            return None
        sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, _POLL_LAST_S)
