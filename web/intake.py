"""Taking e-mails in together: calls that come at the same moment share one transaction and one flush to disk.

A lone call is stored at once. While its transaction runs, others gather; the first of them then stores them all.
Measured on two cores with 32 callers: a commit for 10 sends costs little more than one for a single send.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from engine import clock
from engine.delivery import outbox
from engine.delivery.outbox import Order
from errors import Unavailable
from models.session import Session, retrying


@dataclass(frozen=True, slots=True)
class Taken:
    """An e-mail that is stored: its id, and when it was accepted."""

    email_id: UUID
    accepted_at: datetime


@dataclass(slots=True, eq=False)
class _Place:
    """One call in the queue; its turn comes when somebody has stored its order, or it is to store for all."""

    order: Order
    turn: threading.Lock = field(default_factory=threading.Lock)
    taken: Taken | None = None
    failed: Exception | None = None
    leads: bool = False

    @property
    def is_decided(self) -> bool:
        return self.taken is not None or self.failed is not None


class Intake:
    """The queue of one process; shared by its threads."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._waiting: list[_Place] = []
        self._is_storing = False

    def take(self, order: Order) -> Taken:
        """Store the e-mail, with those of other calls; returns after the commit.

        Raises what its own transaction would have: the fault of another call's e-mail is never this one's.
        """
        place = _Place(order)
        if self._join(place):
            self._lead()
        if not place.is_decided:
            _store([place])  # the shared transaction was refused for somebody's sake: now each has its own
        if place.failed is not None:
            raise place.failed
        assert place.taken is not None, "a place is decided"  # noqa: S101
        return place.taken

    def _join(self, place: _Place) -> bool:
        """Queue up and wait for the turn; whether this call is to store for all that wait."""
        with self._gate:
            self._waiting.append(place)
            if not self._is_storing:
                self._is_storing = place.leads = True
                return True
            place.turn.acquire()
        place.turn.acquire()  # let go by whoever decides this place
        return place.leads

    def _lead(self) -> None:
        with self._gate:
            together, self._waiting = self._waiting, []
        try:
            _store(together)
        finally:
            with self._gate:
                self._is_storing = bool(self._waiting)
                following = self._waiting[:1]
            for place in following:
                place.leads = True
            for place in (*following, *together):
                if place.turn.locked():
                    place.turn.release()


def _store(places: Sequence[_Place]) -> None:
    """One transaction for all; decides each place, or none when a fault of one of several undid it."""
    try:
        moment, email_ids = retrying(lambda session: _add(session, [place.order for place in places]))
    except Exception as error:  # noqa: BLE001  # handed to the callers whose e-mails these are
        if len(places) == 1 or isinstance(error, Unavailable):
            for place in places:
                place.failed = error
        return
    for place, email_id in zip(places, email_ids, strict=True):
        place.taken = Taken(email_id, moment)


def _add(session: Session, orders: Sequence[Order]) -> tuple[datetime, list[UUID]]:
    now = clock.now()
    return now, outbox.add(session, orders, now=now)
