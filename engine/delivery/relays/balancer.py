"""All relays as one way out: each group of messages goes over one of them, and on to the next when that fails."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from engine.delivery import smtp
from engine.delivery.outcomes import Outcome
from engine.delivery.relays.domain_limits import Domains, Gate
from engine.delivery.relays.relay import Way
from engine.delivery.relays.status import Board
from engine.delivery.smtp import Reason

log = logging.getLogger("cadencia.relays")

_NOW_S = 0.005
_SOON_S = 1.0  # a rate that has a moment within this time is waited for, a longer one is come back to


class Relays:
    """The interface of `smtp.Transport`, over several of them. Belongs to one thread of one process, as they do.

    Every group goes to the relay that has had the least for its weight, among those that can take it now; at a tie
    to the first. `may_take`, `is_open` and `open` are about the relay whose turn it is, until `send` has used it.
    """

    def __init__(self, ways: Sequence[Way], domains: Domains | None, board: Board) -> None:
        """Nothing is connected yet."""
        self.rests_until = 0.0  # monotonic seconds: when to ask again after `may_take` gave 0
        self._ways = ways
        self._domains = domains
        self._board = board
        self._turn: Way | None = None
        self._gate: Gate | None = None
        self._able: Sequence[Way] = tuple(ways)
        self._served = 0.0
        self._is_urgent = False

    @property
    def is_open(self) -> bool:
        """Whether a connection stands to the relay whose turn it is."""
        way = self._choose()
        return way is not None and way.transport.is_open

    @property
    def name(self) -> str:
        """Which relay that is, as `outbox relays` names it."""
        return self._chosen().plan.name

    @property
    def eight_bit(self) -> bool:
        """Whether that relay takes 8-bit bodies."""
        return self._chosen().transport.eight_bit

    @property
    def smtputf8(self) -> bool:
        """Whether that relay takes addresses outside ASCII."""
        return self._chosen().transport.smtputf8

    def may_take(self, limit: int, *, is_urgent: bool = False) -> int:
        """How many messages the next group may have, at most `limit`; 0 for none before `rests_until`.

        Urgent ones come before others where a rate is shared, and are not held back by the ceiling of a day.
        """
        self._is_urgent = is_urgent
        self._turn = None
        way = self._choose()
        if way is None:
            return 0
        return way.room(limit, is_alone=len(self._able) == 1)

    def open(self) -> None:
        """Have a live connection to the relay whose turn it is, or else to the next. Raises RelayUnavailable."""
        failed: list[Way] = []
        error: smtp.RelayUnavailable | None = None
        while (way := self._choose(failed)) is not None:
            try:
                way.open()
            except smtp.RelayUnavailable as refused:
                error = error or refused
                self._note(way)
                failed.append(way)
                self._turn = None
            else:
                return
        raise self._unavailable(error)

    def turns(self, addresses: Sequence[str], refused: Collection[int]) -> Iterable[int | None]:
        """In which order the messages to these addresses may go over that relay, by number; None for none just now.

        Those in `refused` turned out to be none. It may end without all of them.
        """
        if self._domains is None:
            return range(len(addresses))
        self._gate = self._domains.gate(addresses, refused, is_urgent=self._is_urgent)
        return self._gate

    def send(
        self,
        messages: Iterable[smtp.OutgoingMessage | None],
        mail_from: str,
        recorder: smtp.Log,
        *,
        tick: Callable[[], object] | None = None,
    ) -> dict[int, Outcome]:
        """Like `smtp.Transport.send`; a message over the limit of its domain gets the outcome Paced."""
        way, gate, urgent = self._chosen(), self._gate, self._is_urgent
        behind: dict[int, Outcome] = {}
        log = recorder
        if gate is not None:
            log, tick = gate.watch(recorder), _each(gate.renew, tick)
        try:
            outcomes = way.send(messages, mail_from, log, tick=tick, is_urgent=urgent)
        finally:
            self._turn = self._gate = None
            if gate is not None:
                behind = gate.close()
        way.served += len(outcomes) / way.plan.weight
        self._note(way)
        return outcomes | behind if behind else outcomes

    def turn_in_s(self) -> float | None:
        """The seconds until a mail that came too early for its domain is due again; None when there is none."""
        return self._domains.turn_in_s() if self._domains is not None else None

    def close_if_idle(self) -> None:
        """Close what has been idle for its time, and leave shared connections to those who send."""
        for way in self._ways:
            way.rest()

    def close(self) -> None:
        """Take leave of every relay; opens again on the next use."""
        for way in self._ways:
            way.rest()
            way.transport.close()

    def abort(self) -> None:
        """Close everything at once, in whatever state."""
        for way in self._ways:
            way.transport.abort()

    def _chosen(self) -> Way:
        return self._choose() or self._ways[0]

    def _choose(self, failed: Collection[Way] = ()) -> Way | None:
        """The relay whose turn it is; None when none can be used now."""
        if self._turn is None:
            self._turn = self._next(failed)
        return self._turn

    def _next(self, failed: Collection[Way]) -> Way | None:
        rests_s = {way: way.rests_for_s(is_urgent=self._is_urgent) for way in self._ways}
        able = _able({way: rest_s for way, rest_s in rests_s.items() if way not in failed})
        if not able:
            self.rests_until = time.monotonic() + max(min(rests_s.values()), _NOW_S)
            return None
        for way in able:
            if way not in self._able:  # what it did not carry in its absence is not made up for
                way.served = max(way.served, self._served)
        self._able = able
        chosen = min(able, key=lambda way: way.served)
        self._served = chosen.served
        return chosen

    def _unavailable(self, error: smtp.RelayUnavailable | None) -> smtp.RelayUnavailable:
        if error is None:
            error = smtp.RelayUnavailable(Reason.PAUSED, self._ways[0].breaker.why)
        error.retry_after_s = max(0.0, self.rests_until - time.monotonic())
        return error

    def _note(self, way: Way) -> None:
        """Tell the board, and the log when it is news."""
        standing = way.standing()
        if self._board.tell(standing) and (standing.state != "closed" or standing.why):
            log.warning("relay_%s relay=%s why=%s", standing.state.replace("-", "_"), standing.name, standing.why)


def _each(first: Callable[[], object], second: Callable[[], object] | None) -> Callable[[], object]:
    def both() -> None:
        first()
        if second is not None:
            second()

    return both


def _able(rests_s: Mapping[Way, float]) -> Sequence[Way]:
    """Those that can take a message now; or else the one that can soonest, if its rate alone makes it wait."""
    now = [way for way, rest_s in rests_s.items() if rest_s <= _NOW_S]
    soon = [way for way, rest_s in rests_s.items() if rest_s <= _SOON_S and not way.breaker.rests_for_s]
    return now or sorted(soon, key=lambda way: rests_s[way])[:1]
