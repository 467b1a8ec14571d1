"""What a connection asks of whoever it works for."""

from typing import Protocol

from engine.delivery.outcomes import Outcome, Phase
from engine.delivery.smtp.envelope import Envelope, OutgoingMessage


class Desk(Protocol):
    """Where a session gets its messages and brings its answers."""

    envelope: Envelope

    def take(self) -> OutgoingMessage | None:
        """The next message; None when there is none now."""

    def complete(self, slot: int) -> None:
        """The next write may carry the final dot of this slot's message."""

    def accept(self, message: OutgoingMessage, text: bytes) -> None:
        """The server took this message, by a 250 to its final dot whose plain words are `text`."""

    def decide(self, message: OutgoingMessage, phase: Phase, code: int, text: bytes) -> bool:
        """A reply about this message; False when it says nothing about it, only about the connection."""

    def settle(self, message: OutgoingMessage, outcome: Outcome) -> None:
        """What became of a message, where no reply says it."""

    def give_back(self, message: OutgoingMessage, why: str) -> None:
        """This message was not tried: another connection may take it."""
