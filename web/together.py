"""Doing together what is asked for at the same moment: one transaction, or one flush to disk, for many calls.

A lone call is served at once. While it is, others gather; the first of them then serves them all.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Place(Generic[Asked, Answer]):
    """One call in the queue; its turn comes when somebody has served it, or it is to serve all that wait.

    It is undecided when it has neither an answer nor a failure.
    """

    __slots__ = ("answer", "asked", "failed", "leads", "turn")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.turn = threading.Lock()
        self.answer: Answer | None = None
        self.failed: Exception | None = None
        self.leads = False


class Together(Generic[Asked, Answer]):
    """The queue of one process; shared by its threads. `serve` gets the places of all that wait, and decides them."""

    def __init__(self, serve: Callable[[Sequence[Place[Asked, Answer]]], None]) -> None:
        self._serve = serve
        self._gate = threading.Lock()
        self._waiting: list[Place[Asked, Answer]] = []
        self._is_serving = False

    def ask(self, asked: Asked) -> Place[Asked, Answer]:
        """The place of this call after `serve` had it, with those of other calls. Raises what `serve` raised only in
        the call that led."""
        place: Place[Asked, Answer] = Place(asked)
        if self._join(place):
            self._lead()
        return place

    def _join(self, place: Place[Asked, Answer]) -> bool:
        """Queue up and wait for the turn; whether this call is to serve all that wait."""
        with self._gate:
            self._waiting.append(place)
            if not self._is_serving:
                self._is_serving = place.leads = True
                return True
            place.turn.acquire()
        place.turn.acquire()  # let go by whoever decides this place
        return place.leads

    def _lead(self) -> None:
        with self._gate:
            together, self._waiting = self._waiting, []
        try:
            self._serve(together)
        finally:
            with self._gate:
                self._is_serving = bool(self._waiting)
                following = self._waiting[:1]
            for place in following:
                place.leads = True
            for place in (*following, *together):
                if place.turn.locked():
                    place.turn.release()
