"""What a connection asks of whoever it works for."""

from typing import Protocol

from engine.delivery.outcomes import Outcome, Phase
from engine.delivery.smtp.envelope import Envelope, Letter


class Desk(Protocol):
    """Where a session gets its letters and brings its answers."""

    envelope: Envelope

    def take(self) -> Letter | None:
        """The next letter; None when there is none now."""

    def complete(self, slot: int) -> None:
        """The next write may carry the final dot of this slot's letter."""

    def accept(self, letter: Letter, text: bytes) -> None:
        """The server took this letter, by a 250 to its final dot whose plain words are `text`."""

    def decide(self, letter: Letter, phase: Phase, code: int, text: bytes) -> bool:
        """A reply about this letter; False when it says nothing about it, only about the connection."""

    def settle(self, letter: Letter, outcome: Outcome) -> None:
        """What became of a letter, where no reply says it."""

    def give_back(self, letter: Letter, why: str) -> None:
        """This letter was not tried: another connection may take it."""
