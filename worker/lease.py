"""Renewal of a group's lease while it is being sent, also while the database is unavailable for a moment."""

import logging
from threading import Thread
from time import monotonic
from uuid import UUID

from engine.delivery import claim, recorder, senders
from engine.delivery.recorder import Recorder
from errors import Fenced
from models.session import transaction

log = logging.getLogger(__name__)

_RETRY_S = 1.0


class Lease:
    """The lease of one group.

    A thread renews it, because a statement may block until a connection attempt times out or a broken network is
    noticed. Sending goes on meanwhile. Only `tick` changes the recorder's end of the lease.
    """

    def __init__(self, sender_id: UUID, log_of_group: Recorder, group_id: UUID, lease_s: float) -> None:
        self._sender_id = sender_id
        self._recorder = log_of_group
        self._group_id = group_id
        self._lease_s = lease_s
        self._next_at = monotonic() + lease_s / 4
        self._renewal: _Renewal | None = None

    def tick(self) -> bool:
        """Renew the lease when it is time; return False when it is nearly over, so that no e-mail may be begun.

        After a failure it is tried again each second. Raises Fenced if others have taken over the group.
        """
        if self._renewal is not None and not self._renewal.is_alive():
            self._finish(self._renewal)
            self._renewal = None
        if self._renewal is None and monotonic() >= self._next_at:
            self._renewal = _Renewal(self._sender_id, self._group_id, self._lease_s)
            self._renewal.start()
        return recorder.boot_s() < self._recorder.lease_ends - self._lease_s / 8

    def _finish(self, renewal: "_Renewal") -> None:
        if renewal.error is None:
            self._recorder.lease(renewal.asked_at + self._lease_s)
            self._next_at = monotonic() + self._lease_s / 4
        elif isinstance(renewal.error, Fenced):
            raise renewal.error
        else:
            log.warning("lease_not_renewed sender=%s error=%s", self._sender_id, type(renewal.error).__name__)
            self._next_at = monotonic() + min(_RETRY_S, self._lease_s / 8)


class _Renewal(Thread):
    """One attempt to renew a lease; `error` is None after success."""

    def __init__(self, sender_id: UUID, group_id: UUID, lease_s: float) -> None:
        super().__init__(name="lease", daemon=True)
        self.asked_at = recorder.boot_s()
        self.error: Exception | None = None
        self._values = sender_id, group_id, lease_s

    def run(self) -> None:
        sender_id, group_id, lease_s = self._values
        try:
            with transaction() as session:
                senders.hold(session, sender_id)
                claim.renew(session, group_id, lease_s=lease_s)
        except Exception as error:  # noqa: BLE001  # reported by `tick`
            self.error = error
