"""Bound on the hits of one e-mail: otherwise anyone with its links could fill the database."""

import logging
from time import monotonic
from uuid import UUID

log = logging.getLogger(__name__)

HITS_PER_MINUTE = 100  # of one e-mail, in one process; a reader with a scanner and an image proxy causes a dozen
_PERIOD_S = 60
_EMAILS_MAX = 100_000


class EmailLimit:
    """Counts of hits by e-mail in the present minute. Concurrent threads may miscount by a few."""

    def __init__(self) -> None:
        self._period = 0
        self._counts: dict[UUID, int] = {}

    def is_exceeded(self, email_id: UUID) -> bool:
        """Count one hit of this e-mail; return True if it must not be stored."""
        period = int(monotonic()) // _PERIOD_S
        if period != self._period or len(self._counts) >= _EMAILS_MAX:
            self._period, self._counts = period, {}
        count = self._counts[email_id] = self._counts.get(email_id, 0) + 1
        if count == HITS_PER_MINUTE + 1:
            log.warning("hits_over_limit email=%s", email_id.hex)
        return count > HITS_PER_MINUTE
