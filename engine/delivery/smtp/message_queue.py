"""The messages of one send: which one is next, and the outcome of each."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import inf
from typing import NamedTuple, Protocol

from engine.delivery.outcomes import SENT, Answered, Outcome, Phase, RelayRefusal, Sent, Untried, to_byte
from engine.delivery.smtp import replies
from engine.delivery.smtp.envelope import Envelope
from engine.delivery.smtp.prefetch import OutgoingMessage, Prefetch
from engine.delivery.smtp.relay import Reason, RelayUnavailable
from engine.delivery.smtp.reply_parser import is_plain

_MAX_TRIES = 3  # of one message within a batch
_MAX_REFUSALS = 3  # of us by the relay, without a message taken in between, before a batch ends
_LATELY_S = 60.0
_MOST_RECIPIENTS = 1_000  # that a history holds
_HELD_S = 0.005  # how soon to ask again for a message when none may leave


class Log(Protocol):
    """The flight recorder, as this package uses it. An exception from it ends the batch at once."""

    def complete(self, slot: int) -> None:
        """Record that the next write can carry the message's final dot. Called once for a message."""

    def answered(self, slot: int, code: int, reply: bytes, ms: int, decision: int) -> None:
        """Record what a reply decided about a message. Called once for a message, when the reply was read.

        `reply` holds no address; `ms` is unix time in milliseconds; `decision` is that of `outcomes.to_byte`.
        """


class RefusalHistory:
    """The recipients for whom the relay refused us, and when it took a message last, over the life of a transport."""

    def __init__(self) -> None:
        self._taken_at = -inf
        self._refused_at: dict[str, float] = {}

    def record_taken(self) -> None:
        """Record that the relay takes messages now."""
        self._taken_at = time.monotonic()

    def record_refused(self, recipient: str) -> None:
        """Record that the relay refused us for this recipient."""
        if len(self._refused_at) >= _MOST_RECIPIENTS:
            self._refused_at.clear()
        self._refused_at[recipient] = time.monotonic()

    def is_about_recipient(self, recipient: str) -> bool:
        """Return True if the relay refused us for this recipient before and took other messages later."""
        return self._refused_at.get(recipient, inf) < self._taken_at

    @property
    def has_taken_lately(self) -> bool:
        """Return True if the relay took a message within the last minute."""
        return time.monotonic() - self._taken_at < _LATELY_S


class _Suspect(NamedTuple):
    """A message without an outcome: the relay refused us, or this recipient alone.

    The recipient alone if the relay takes more messages later than were in flight (`outcomes` and `in_flight` then).
    """

    message: OutgoingMessage
    refusal: RelayRefusal
    code: int
    at_ms: int
    outcomes: int
    in_flight: int


class MessageQueue:
    """Gives messages to sessions and collects their outcomes, by slot. Used for one batch.

    `is_distributed`: every free session has work and every wanted connection is being opened. `wake_at`: monotonic
    time at which the batch has something to do even without network events.
    """

    def __init__(
        self,
        messages: Iterable[OutgoingMessage | None],
        envelope: Envelope,
        log: Log,
        *,
        pace: Callable[[], float] | None = None,
        history: RefusalHistory | None = None,
    ) -> None:
        self.envelope = envelope
        self.complete = log.complete
        self.prefetch: Prefetch | None = messages if isinstance(messages, Prefetch) else None
        self.outcomes: dict[int, Outcome] = {}
        self.waiting: deque[OutgoingMessage] = deque()  # fetched, and on no connection now
        self.error: Exception | None = None  # raised by composing
        self.is_distributed = False
        self.is_held = False  # `messages` has none that may leave just now
        self.wake_at = inf
        self.in_flight: Callable[[], Iterable[OutgoingMessage]] = tuple  # of all connections
        self._messages: Iterator[OutgoingMessage | None] = iter(messages)
        self._answered = log.answered
        self._pace = pace
        self._paced_until = 0.0  # no message may leave before
        self._tries: Counter[int] = Counter()
        self._history = history or RefusalHistory()
        self._suspects: list[_Suspect] = []
        self._is_refused = False  # the relay refuses us
        self._has_ended = False  # `messages` is exhausted

    @property
    def is_paced(self) -> bool:
        """Return True if a pace decides when messages may leave."""
        return self._pace is not None

    def take(self) -> OutgoingMessage | None:
        """Return the next message, None if there is none now."""
        if not self.waiting and self._pace is None and (message := self._fetch()) is not None:
            return message
        if (self.waiting or self.fill(1)) and (self._pace is None or self._may_leave(self._pace)):
            return self.waiting.popleft()
        self.is_distributed = False
        return None

    def accept(self, message: OutgoingMessage, text: bytes) -> None:
        """Record that the server accepted a message; `text` is its plain reply."""
        at_ms = time.time_ns() // 1_000_000
        self._answered(message.slot, 250, text, at_ms, SENT)
        self.outcomes[message.slot] = Sent(text.decode("ascii"), at_ms)

    def decide(self, message: OutgoingMessage, phase: Phase, code: int, text: bytes) -> bool:
        """Record the outcome that a reply gives a message. Return False if it concerns the connection alone.

        A reply that may concern us, and not the message, gives no outcome before `finish`.
        """
        if code == 250 and is_plain(text):
            self.accept(message, text)
            return True
        at_ms = time.time_ns() // 1_000_000
        words = text.decode("utf-8", "replace")  # so that a recipient outside ASCII is found in it and redacted
        outcome = replies.classify(phase, code, words, recipient=message.recipient, at_ms=at_ms)
        if isinstance(outcome, Untried):
            return False
        if isinstance(outcome, RelayRefusal):
            self._suspect(message, outcome, code, at_ms)
        else:
            self._record(message, outcome, code, at_ms)
        return True

    def is_decided(self, message: OutgoingMessage) -> bool:
        """Return True if the message has its outcome."""
        return message.slot in self.outcomes

    def finish(self) -> RelayUnavailable | None:
        """Give the suspects their outcomes when the batch ends. Return the failure if the relay refuses us."""
        self._clear_suspects()
        has_taken = any(isinstance(outcome, Sent) for outcome in reversed(self.outcomes.values()))
        if has_taken:
            self._history.record_taken()
        if not self._suspects:
            return None
        for suspect in self._suspects:
            self.outcomes[suspect.message.slot] = Untried(suspect.refusal.response)
            self._history.record_refused(suspect.message.recipient)
        if not self._is_refused and (has_taken or self._history.has_taken_lately):
            return None
        first = self._suspects[0]
        reason = Reason.REFUSED if first.code >= 500 else Reason.BUSY
        return RelayUnavailable(reason, first.refusal.response, code=first.code)

    def settle(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """Record an outcome that no reply gave."""
        self.outcomes[message.slot] = outcome

    def give_back(self, message: OutgoingMessage, why: str) -> None:
        """Return a message that was not tried, for another connection; after three times it is Untried."""
        self._tries[message.slot] += 1
        if self._tries[message.slot] < _MAX_TRIES and self.error is None and not self._is_refused:
            self.waiting.appendleft(message)
        else:
            self.outcomes[message.slot] = Untried(why)

    def fill(self, count: int) -> bool:
        """Fetch messages until `count` of them wait. Return True if any waits."""
        while len(self.waiting) < count and (message := self._fetch()) is not None:
            self.waiting.append(message)
        return bool(self.waiting)

    def compose_ahead(self, prefetch: Prefetch) -> None:
        """Compose a few messages while all connections wait for replies."""
        try:
            prefetch.compose_more()
        except Exception as error:  # noqa: BLE001  # as in `_fetch`
            self._break_off(error)

    def give_up(self, why: str) -> None:
        """Make every message that is on no connection Untried, with `why`."""
        while self.fill(1):
            slot = self.waiting.popleft().slot
            self.outcomes[slot] = Untried(why) if self._tries[slot] else Untried("", why)

    def clear(self) -> None:
        """Drop references to messages and outcomes: a closed session keeps its queue until garbage collection."""
        self._messages, self.outcomes, self.prefetch, self._suspects = iter(()), {}, None, []

    def _record(self, message: OutgoingMessage, outcome: Answered, code: int, at_ms: int) -> None:
        self._answered(message.slot, code, outcome.response.encode(), at_ms, to_byte(outcome))
        self.outcomes[message.slot] = outcome

    def _suspect(self, message: OutgoingMessage, refusal: RelayRefusal, code: int, at_ms: int) -> None:
        """Note a refusal that may concern us. After three of them in a row no more messages leave."""
        others = sum(each is not message for each in self.in_flight())
        suspect = _Suspect(message, refusal, code, at_ms, len(self.outcomes), others)
        if self._history.is_about_recipient(message.recipient):
            self._clear(suspect)
            return
        self._clear_suspects()
        self._suspects.append(suspect)
        if len(self._suspects) >= _MAX_REFUSALS and not self._is_refused:
            self._is_refused = self._has_ended = True
            self.prefetch = None
            self.give_up(refusal.response)

    def _clear_suspects(self) -> None:
        """Decide about messages that were refused before the relay took others."""
        while self._suspects:
            first = self._suspects[0]
            later = islice(self.outcomes.values(), first.outcomes, None)
            if sum(isinstance(outcome, Sent) for outcome in later) <= first.in_flight:
                return
            self._clear(self._suspects.pop(0))

    def _clear(self, suspect: _Suspect) -> None:
        outcome = suspect.refusal.otherwise
        if isinstance(outcome, Untried):
            self.outcomes[suspect.message.slot] = outcome
        else:
            self._record(suspect.message, outcome, suspect.code, suspect.at_ms)

    def _fetch(self) -> OutgoingMessage | None:
        """Return the next of the messages; None if none may leave now, or if they have ended or failed."""
        if self._has_ended:
            return None
        try:
            for message in self._messages:
                if message is None:
                    self.is_held = True
                    self.wake_at = min(self.wake_at, time.monotonic() + _HELD_S)
                return message
        except Exception as error:  # noqa: BLE001  # composing may raise anything; messages in flight are finished first
            self._break_off(error)
        self._has_ended = True
        return None

    def _may_leave(self, pace: Callable[[], float]) -> bool:
        """Ask the pace if a message may leave now, but not before the time that it gave last."""
        now = time.monotonic()
        if now >= self._paced_until:
            self._paced_until = now + pace()
        if now >= self._paced_until:
            return True
        self.wake_at = min(self.wake_at, self._paced_until)
        return False

    def _break_off(self, error: Exception) -> None:
        """End the messages after composing failed."""
        self.error = error
        self._has_ended = True
        self.prefetch = None
        self.give_up("composing failed")
